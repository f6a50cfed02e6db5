"""The page in front of a real database: what stands still, why, and what is not all there."""

from collections.abc import Iterator

import pytest

from models.reasons import HoldCode
from models.states import SubmitState
from producer import query
from tests.rows import Batch, add_batch, add_unread, column
from tests.sessions import connect
from tests.waiting import wait_until
from tests.web_batches import (
    EVIL,
    Connection,
    TestClient,
    answer,
    hold,
    make_batch,
    open_page,
    part_of,
    press,
    rows_of,
    see,
    shut,
)


@pytest.fixture
def client(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")  # nothing of the page needs it
    with open_page() as client:
        yield client


LACKS = "the ollama at gpu:11434 does not serve phi4-mini: run `ollama pull phi4-mini` there"
UNTIL = "2030-01-02T03:04:05Z"


def test_a_batch_says_what_is_not_asked_where_why_since_when_and_until_when(
    client: TestClient, db: Connection
) -> None:
    batch = make_batch(db, ["a.txt"])
    shut(db, "phi4-mini", "model_not_found", message=LACKS)
    shut(db, code="timeout", host="gpu2:11434", lasting=False, until=UNTIL)
    for path in ("", "/live"):
        page = see(client, f"/batches/{batch}{path}")
        for words in ("phi4-mini", "gpu:11434", "model_not_found", "run `ollama pull phi4-mini`"):
            assert words in page
        for words in ("every model", "gpu2:11434", "timeout", "2030-01-02 03:04:05 UTC"):
            assert words in page
        assert f"`docmill resume {batch}` tries at once" in page
        assert 'id="resume"' in page
    assert "Not asked at present" in see(client, "/live")


def test_a_batch_says_which_of_its_queues_no_worker_serves(
    client: TestClient, db: Connection
) -> None:
    batch = make_batch(db, ["a.txt"])
    add_unread(db, Batch(batch, 0, False))
    mends = {row["queue"]: row["mend"] for row in query.status(batch)["unserved"]}
    assert mends == {
        "ingest": "start `docmill worker ingest`",
        "local/phi4-mini": "start `docmill worker local`",
    }
    assert "No worker serves local/phi4-mini" in see(client, f"/batches/{batch}")
    shut(db)  # a worker that reaches the local engine
    assert "local/phi4-mini" not in {row["queue"] for row in query.status(batch)["unserved"]}
    db.execute("UPDATE servers SET models = ARRAY['another']")  # docmill worker local --models
    assert "local/phi4-mini" in {row["queue"] for row in query.status(batch)["unserved"]}
    db.execute("UPDATE batches SET state = 'paused'")
    assert query.status(batch)["unserved"] == []


def test_a_batch_is_silent_about_what_it_does_not_wait_for(
    client: TestClient, db: Connection
) -> None:
    batch = make_batch(db, ["a.txt"])
    shut(db, "other", "model_not_found")
    assert "Not asked at present" not in see(client, f"/batches/{batch}")
    shut(db, "phi4-mini", "model_not_found")
    answer(db, batch, "extraction", {"total": "1"})
    answer(db, batch, "summary", {"summary": "s"})
    assert "Not asked at present" not in see(client, f"/batches/{batch}")


@pytest.mark.parametrize("place", ["delayed", "leases"])
def test_jobs_that_came_back_or_are_at_it_wait_for_an_engine_too(
    db: Connection, place: str
) -> None:
    batch = make_batch(db, ["a.txt"])
    shut(db)
    columns, values = {
        "delayed": ("line_id, item_id, due_at", "line_id, item_id, now()"),
        "leases": (
            "stage, line_id, item_id, owner, claim, until",
            "'run', line_id, item_id, gen_random_uuid(), gen_random_uuid(), now()",
        ),
    }[place]
    db.execute(f"INSERT INTO {place} ({columns}) SELECT {values} FROM waiting")
    db.execute("DELETE FROM waiting")
    assert [row["code"] for row in query.troubles(batch)] == ["auth"]


def test_the_same_trouble_of_many_workers_is_said_once(db: Connection) -> None:
    batch = make_batch(db, ["a.txt"])
    for machine in ("box1", "box2", "box2"):
        shut(db, machine=machine)
    [row] = query.troubles(batch)
    assert row["workers"] == ["box1", "box2"]


def test_a_worker_that_died_has_no_trouble_any_more(db: Connection) -> None:
    batch = make_batch(db, ["a.txt"])
    shut(db)
    db.execute("UPDATE workers SET seen_at = now() - interval '2 minutes'")
    assert query.troubles(batch) == []


def test_what_is_held_says_why_and_how_it_goes_on_wherever_it_is_shown(
    client: TestClient, db: Connection
) -> None:
    batch = make_batch(db, ["a.txt"])
    hold(db, batch, HoldCode.BUDGET, budget_usd="2", spent_usd="1.5")
    here = f"/batches/{batch}"
    page = see(client, here)
    [job, _] = rows_of(page)
    said = f"`docmill resume {batch} --max-cost USD` continues"
    for text in (page, see(client, f"{here}/live"), see(client, f"{here}/jobs/{job}")):
        assert "the budget of $2 does not cover the next frontier job ($1.5 spent)" in text
        assert said in text
        assert "held" in text
    assert page.count(said) == 3  # of the batch, and of each of its jobs
    assert "None:" not in page  # no document is an example of it


def test_a_batch_whose_jobs_are_held_can_go_on_or_be_cancelled_and_its_page_stays_alive(
    client: TestClient, db: Connection
) -> None:
    batch = make_batch(db, ["a.txt"])
    hold(db, batch, HoldCode.BUDGET)
    page = see(client, f"/batches/{batch}/live")  # 200: htmx goes on asking
    assert 'id="resume"' in page
    assert 'id="cancel"' in page
    assert press(client, batch, "resume") == 303
    assert "held" not in see(client, f"/batches/{batch}/live")


def test_a_purged_batch_says_what_is_gone_and_offers_nothing_to_press(
    client: TestClient, db: Connection
) -> None:
    batch = make_batch(db, ["a.txt"], name="secret")
    answer(db, batch, "extraction", {"total": "1"}, cost_usd="0.25", cost_reason=None)
    db.execute("UPDATE batches SET state = 'purged'")
    while db.execute("SELECT docmill_purge(%s, 100)", (batch,)).fetchone() != (0,):
        pass
    page = see(client, f"/batches/{batch}")
    assert "purged" in page
    assert "documents, asks and answers are gone" in page
    assert "$0.2500" in page
    assert "/actions/" not in page
    assert "secret" not in page
    assert see(client, f"/batches/{batch}/live", 286) in page
    assert press(client, batch, "retry") == 409
    assert "purged" in see(client, "/")
    for path in ("receipt", "results.csv", "results.jsonl"):
        see(client, f"/batches/{batch}/{path}")


def test_a_submit_that_was_cut_off_is_said_with_the_command_that_goes_on(
    client: TestClient, db: Connection, database_url: str
) -> None:
    batch = add_batch(db, submitted=False)
    add_unread(db, batch, 3)
    said = f"`docmill submit --resume {batch.id} PATHS` goes on"
    with connect(database_url, autocommit=True) as submitting:
        submitting.execute("SELECT docmill_begin_submit(%s)", (batch.id,))
        page = see(client, f"/batches/{batch.id}")
        assert "submit is under way: 3 documents stored so far" in page
        assert said not in page
        assert "interrupted" not in see(client, "/")
    wait_until(
        lambda: query.status(batch.id)["submit"] == SubmitState.INTERRUPTED,
        what="Postgres has seen that the one who submitted is gone",
    )
    for path in ("", "/live"):
        page = see(client, f"/batches/{batch.id}{path}")
        assert "submit was interrupted: 3 documents stored" in page
        assert said in page
    assert "submit was interrupted" in see(client, "/")
    assert press(client, batch.id, "cancel") == 303
    assert "interrupted" not in see(client, f"/batches/{batch.id}")


def test_a_job_says_which_engines_were_asked_in_which_order(
    client: TestClient, db: Connection
) -> None:
    batch = make_batch(db, ["a.txt"])
    [job] = answer(db, batch, "extraction", {"total": "1"})
    page = see(client, f"/batches/{batch}/jobs/{job}")
    assert "local/phi4-mini (local)" in page
    assert "Asked in this order" not in page
    db.execute(
        "UPDATE jobs SET chain = '{local/phi4-mini}', engine = 'gpu2', model = 'llama3.3:70b', "
        "escalated_from = 'phi4-mini', escalation_reason = 'no total' WHERE id = %s",
        (job,),
    )
    page = see(client, f"/batches/{batch}/jobs/{job}")
    assert "gpu2/llama3.3:70b (local)" in page
    assert "Asked in this order: local/phi4-mini, then gpu2/llama3.3:70b." in page
    assert "Escalated from phi4-mini: no total" in page
    assert "gpu2, local" in see(client, f"/batches/{batch}")


def test_the_parts_of_a_job_are_no_jobs_of_their_own_and_their_calls_are_its_calls(
    client: TestClient, db: Connection
) -> None:
    batch = make_batch(db, ["a.txt"])
    [job] = answer(db, batch, "summary", {"summary": "s"})
    before = see(client, f"/batches/{batch}/results.jsonl")
    parts = [part_of(db, job, number) for number in (1, 2)]
    db.execute("UPDATE calls SET job_id = %s WHERE job_id = %s", (parts[1], job))
    page = see(client, f"/batches/{batch}")
    assert len(rows_of(page)) == 2
    assert not {str(part) for part in parts} & set(rows_of(page))
    assert see(client, f"/batches/{batch}/results.jsonl") == before
    page = see(client, f"/batches/{batch}/jobs/{job}")
    assert "Read in 2 parts, 0 of them not answered yet." in page
    assert "level 1, chunk 2" in page
    for part in parts:
        assert f"no job {part}" in see(client, f"/batches/{batch}/jobs/{part}", 404)


def test_what_engines_and_holds_say_is_shown_as_text(client: TestClient, db: Connection) -> None:
    batch = make_batch(db, ["a.txt"])
    shut(db, code=EVIL, host=EVIL, message=EVIL, machine=EVIL)
    hold(db, batch, HoldCode.ENGINE, trouble=EVIL, message=EVIL)
    [job, *_] = column(db, "SELECT id FROM jobs")
    db.execute("UPDATE jobs SET chain = %s", ([EVIL],))
    for path in (
        "/",
        f"/batches/{batch}",
        f"/batches/{batch}/live",
        f"/batches/{batch}/jobs/{job}",
    ):
        page = see(client, path)
        assert "<script>alert" not in page
        assert "alert(1)" in page
