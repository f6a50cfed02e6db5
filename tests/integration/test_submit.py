"""Submit: block by block, visible at once; and what becomes of one that is cut off."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from models.errors import InputError, NotFound
from models.spec import make_spec
from models.states import SubmitState
from producer import control, query, submit
from producer.places import BROKE_OFF, Refused
from producer.sources import Accepted, Source
from tests.rows import Connection, add_batch, column, value
from tests.waiting import wait_until

SPEC = make_spec({"asks": [{"ask": "Sum up.", "task": "summary"}]}, "test")


@pytest.fixture(autouse=True)
def small_blocks(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")  # it may be away
    monkeypatch.setattr(submit, "BLOCK", 2)


def documents(number: int, *, text: str = "text") -> Iterator[Source]:
    """Documents 0 to `number`, with one that is refused between them."""
    for one in range(number):
        if one == 1:
            yield Refused("empty.txt", "empty", "it is empty")
        yield Accepted(f"{one}.txt", "text/plain", f"{text} {one}".encode())


def cut_off(sources: Iterator[Source], fault: type[BaseException]) -> Iterator[Source]:
    yield from sources
    raise fault


def cut_off_batch(fault: type[BaseException] = KeyboardInterrupt) -> int:
    """A batch of which four documents are stored; a fifth was read when its submit ended."""
    told: list[submit.Submitted] = []
    with pytest.raises(fault):
        submit.submit(SPEC, cut_off(documents(5), fault), told.append)
    assert told[-1].batch is not None
    assert told[-1].documents == 4
    return told[-1].batch


def until_cut_off(batch: int) -> None:
    wait_until(
        lambda: query.status(batch)["submit"] == SubmitState.INTERRUPTED,
        what="Postgres has seen that the one who submitted is gone",
    )


def paths(db: Connection, batch: int) -> list[str]:
    return column(db, "SELECT path FROM documents WHERE batch_id = %s ORDER BY id", batch)


def test_each_block_is_visible_and_waits_to_be_read_before_the_next_is_looked_at(
    db: Connection,
) -> None:
    seen: list[dict[str, Any]] = []

    def look(so_far: submit.Submitted) -> None:
        assert so_far.batch is not None
        seen.append(query.status(so_far.batch))
        assert value(db, "SELECT count(*) FROM waiting") == so_far.documents

    result = submit.submit(SPEC, documents(5), look)
    assert [one["documents"] for one in seen] == [{"pending": n} for n in (2, 4, 5)]
    assert {one["submit"] for one in seen} == {SubmitState.UNDER_WAY}
    assert result.batch is not None
    assert query.status(result.batch)["submit"] == SubmitState.WHOLE
    assert len(result.refused) == 1


@pytest.mark.parametrize("fault", [KeyboardInterrupt, InputError, MemoryError])
def test_a_submit_that_is_cut_off_leaves_what_it_stored_and_says_so(
    db: Connection, fault: type[BaseException]
) -> None:
    batch = cut_off_batch(fault)
    until_cut_off(batch)
    assert paths(db, batch) == [f"{n}.txt" for n in range(4)]
    found = query.status(batch)
    assert found["state"] == "running"
    assert found["finished_at"] is None


def test_a_submit_whose_first_block_cannot_be_stored_leaves_no_batch(
    db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[submit.Submitted] = []
    bad = Accepted("a\0.txt", "text/plain", b"text")
    with pytest.raises(Exception, match="NUL"):
        submit.submit(SPEC, [bad], told.append)
    assert told == []
    assert value(db, "SELECT count(*) FROM batches") == 0


def test_the_same_documents_go_on_where_it_stopped_and_none_is_stored_twice(
    db: Connection,
) -> None:
    batch = cut_off_batch()
    result = submit.resume(batch, documents(9))
    assert (result.batch, result.documents, len(result.refused)) == (batch, 9, 1)
    assert paths(db, batch) == [f"{n}.txt" for n in range(9)]
    assert query.status(batch)["submit"] == SubmitState.WHOLE
    assert value(db, "SELECT count(*) FROM waiting") == 9
    assert value(db, "SELECT count(*) FROM document_contents") == 9


def test_reading_again_waits_until_the_submit_has_ended(db: Connection) -> None:
    batch = cut_off_batch()
    until_cut_off(batch)
    db.execute("UPDATE documents SET state = 'done', missing = '[]'")
    with pytest.raises(InputError, match=f"go on with it: `docmill submit --resume {batch}`"):
        control.retry(batch, "partly")
    assert submit.resume(batch, documents(5)).documents == 5
    assert control.retry(batch, "partly").documents == 4


def test_one_that_is_cut_off_again_goes_on_again(db: Connection) -> None:
    batch = cut_off_batch()
    told: list[submit.Submitted] = []
    with pytest.raises(KeyboardInterrupt):
        submit.resume(batch, cut_off(documents(7), KeyboardInterrupt), told.append)
    assert told[-1].documents == 6
    until_cut_off(batch)
    assert submit.resume(batch, documents(8)).documents == 8
    assert paths(db, batch) == [f"{n}.txt" for n in range(8)]


def test_one_that_had_stored_all_of_them_is_complete_after_a_resume(db: Connection) -> None:
    batch = cut_off_batch()
    assert submit.resume(batch, documents(4)).documents == 4
    assert query.status(batch)["submit"] == SubmitState.WHOLE


def broken_off(*sources: Source) -> Iterator[Source]:
    yield from sources
    yield Refused("s3://b", BROKE_OFF, "s3://b: the list broke off: nobody answers")


def test_a_list_that_breaks_off_is_stored_as_far_as_it_goes_and_resume_takes_the_rest(
    db: Connection,
) -> None:
    result = submit.submit(SPEC, broken_off(*documents(5)))
    assert result.batch is not None
    assert (result.documents, result.broke_off) == (5, True)
    assert query.status(result.batch)["submit"] == SubmitState.INTERRUPTED
    with pytest.raises(InputError, match="s3://b: the list broke off: nobody answers; try again"):
        submit.resume(result.batch, broken_off(*documents(3)))
    until_cut_off(result.batch)
    assert submit.resume(result.batch, broken_off(*documents(7))).broke_off
    assert not submit.resume(result.batch, documents(8)).broke_off
    assert paths(db, result.batch) == [f"{n}.txt" for n in range(8)]
    assert query.status(result.batch)["submit"] == SubmitState.WHOLE


def test_a_resume_takes_what_could_not_be_had_at_first_however_often_it_is_cut_off(
    db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submit, "BLOCK", 3)

    def without(*numbers: int) -> Iterator[Source]:
        return (one for one in documents(7) if one.path not in [f"{n}.txt" for n in numbers])

    batch = submit.submit(SPEC, broken_off(*without(1, 2, 5))).batch
    assert batch is not None
    submit.resume(batch, broken_off(*without(2)))
    assert submit.resume(batch, documents(7)).documents == 7
    assert paths(db, batch) == [f"{n}.txt" for n in (0, 3, 4, 6, 1, 5, 2)]


@pytest.mark.parametrize(
    ("others", "found"),
    [
        (documents(3), "3.txt was next, found nothing"),
        (documents(9, text="changed"), "0.txt was next, found 0.txt"),
        (iter([Accepted("b.txt", "text/plain", b"text 0")]), "0.txt was next, found b.txt"),
    ],
)
def test_other_documents_are_refused_and_nothing_is_stored(
    db: Connection, others: Iterator[Source], found: str
) -> None:
    batch = cut_off_batch()
    with pytest.raises(InputError, match=found):
        submit.resume(batch, others)
    assert len(paths(db, batch)) == 4
    until_cut_off(batch)


def test_a_batch_that_is_being_submitted_cannot_be_resumed_by_another(db: Connection) -> None:
    batch = cut_off_batch()

    def meanwhile(so_far: submit.Submitted) -> None:
        with pytest.raises(InputError, match="is being submitted at this moment"):
            submit.resume(batch, documents(9))

    submit.resume(batch, documents(9), meanwhile)
    assert paths(db, batch) == [f"{n}.txt" for n in range(9)]


def test_only_what_was_cut_off_can_be_resumed(db: Connection) -> None:
    whole = add_batch(db).id
    with pytest.raises(InputError, match=f"batch {whole} has all its documents; submit a new one"):
        submit.resume(whole, documents(1))
    ended = add_batch(db, submitted=False, state="cancelled").id
    with pytest.raises(InputError, match=f"batch {ended} is cancelled; submit a new one"):
        submit.resume(ended, documents(1))
    with pytest.raises(NotFound, match="no batch 424242"):
        submit.resume(424242, documents(1))
    assert value(db, "SELECT count(*) FROM documents") == 0


def test_a_deadline_is_kept_to_the_second_and_stands_in_the_status(db: Connection) -> None:
    spec = make_spec({"asks": [{"ask": "Sum up."}], "deadline": "6h"}, "test")
    result = submit.submit(spec, documents(3))
    assert result.batch is not None
    assert column(db, "SELECT deadline FROM batches") == [spec.deadline]
    assert column(db, "SELECT deadline FROM lines") == [spec.deadline]
    told = query.status_json(query.status(result.batch))
    assert datetime.fromisoformat(told["deadline"]) == spec.deadline
    assert told["expected_finish"] is None


def test_a_submit_gives_its_connection_back_without_its_lock(db: Connection) -> None:
    result = submit.submit(SPEC, documents(3))
    assert result.batch is not None
    assert value(db, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0
