"""Examples of asks in Postgres: stored, told apart by reuse, taken from gold as it is now."""

import json
from pathlib import Path
from typing import Any

import pytest

from models.errors import InputError, NotFound
from models.examples import Example
from models.spec import fields_schema
from models.words import Split, TaskType, Zone, split_of
from producer import gold
from producer.gold import Defaults
from tests.rows import FRONTIER, Connection, add_batch, add_jobs, column, value
from tests.statements import Worker
from tests.web_batches import ASKS, make_batch
from worker.db import Database
from worker.prompts.manner import Shown
from worker.run.examples import About, Shows

ASK = ASKS[0]["ask"]
DEFAULTS = Defaults(ask=ASK, source="public", licence="CC0-1.0")
SHOWN = [{"text": "Sum 12", "fields": {"total": "12"}}]


@pytest.fixture(autouse=True)
def _no_redis(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")


def spec(examples: Any, **more: Any) -> dict[str, Any]:
    return {"asks": [{**ASKS[0], "examples": examples, **more}, ASKS[1]]}


def bills(tmp_path: Path, number: int, **more: Any) -> list[dict[str, Any]]:
    """A gold set `bills`, of which about half is held; its train rows."""
    lines = [
        {"text": f"Bill of shop {n}, to be paid: {n}.50", "fields": {"total": f"{n}.50"}, **more}
        for n in range(number)
    ]
    path = tmp_path / "bills.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    gold.import_file("bills", path, "Asha", DEFAULTS)
    return [row for row in gold.rows_of("bills") if row["split"] == Split.TRAIN]


def version(db: Connection) -> int | None:
    found = column(db, "SELECT version FROM gold_versions WHERE name = 'bills'")
    return found[0] if found else None


def test_examples_are_stored_with_their_ask(db: Connection) -> None:
    make_batch(db, ["a.txt"], **spec(SHOWN, prompt=1))
    assert value(db, "SELECT examples FROM asks WHERE ordinal = 1") == [
        {"text": "Sum 12", "answer": {"total": "12"}}
    ]
    assert column(db, "SELECT prompt FROM asks ORDER BY ordinal") == [1, None]


def test_a_gold_set_without_an_example_for_the_ask_is_refused_at_submit(
    db: Connection, tmp_path: Path
) -> None:
    with pytest.raises(NotFound, match="there is no gold set bills"):
        make_batch(db, ["a.txt"], **spec("gold:bills"))
    bills(tmp_path, 20)
    make_batch(db, ["a.txt"], **spec("gold:bills"))
    with pytest.raises(InputError, match="no train row that was asked 'Another', word for word"):
        make_batch(db, ["a.txt"], **spec("gold:bills", ask="Another"))


def key_of(db: Connection, examples: Any) -> bytes:
    """The key under which an answer would be used again, of an ask with these examples."""
    batch = add_batch(db)
    db.execute(
        "UPDATE asks SET examples = %s WHERE id = %s",
        (json.dumps(examples) if examples is not None else None, batch.ask),
    )
    [job] = add_jobs(db, batch, 1, FRONTIER, text="same")
    worker = Worker(db)
    claim = worker.claim(FRONTIER)
    key: bytes = value(db, "SELECT answer_key FROM calls WHERE id = %s", claim.calls[job])
    db.execute("DELETE FROM calls")
    return key


def test_an_answer_is_used_again_only_where_the_same_examples_were_shown(
    db: Connection, tmp_path: Path
) -> None:
    bills(tmp_path, 4)
    shown = [{"text": "Sum 12", "answer": {"total": "12"}}]
    cases = [None, [], shown, [*shown, *shown], {"gold": "bills", "most": 3}]
    keys = [key_of(db, each) for each in cases]
    assert len(set(keys)) == len(cases)
    assert [key_of(db, each) for each in cases] == keys
    bills(tmp_path, 5)
    assert [key_of(db, each) == key for each, key in zip(cases, keys, strict=True)] == [
        *[True] * 4,
        False,
    ]


def test_each_change_of_a_gold_set_is_another_version(db: Connection, tmp_path: Path) -> None:
    assert version(db) is None
    bills(tmp_path, 3)
    first = version(db)
    assert first is not None
    bills(tmp_path, 3)
    second = version(db)
    assert second is not None
    assert second > first
    gold.remove("bills")
    assert (version(db) or 0) > second


def about(text: str, version: int | None, **more: Any) -> About:
    ask = {
        "text": ASK,
        "json_schema": ASKS[0].get("schema") or fields_schema(("total",)),
        "examples": {"gold": "bills", "most": 3},
    }
    given: dict[str, Any] = {
        "ask": ask,
        "task": TaskType.EXTRACTION,
        "document": None,
        "zone": Zone.LOCAL,
        "context_tokens": 4096,
    }
    return About(**{**given, "text": text, "version": version, **more})


async def found(database_url: str, *asked: About) -> list[Shown]:
    db = Database(database_url)
    await db.open()
    try:
        shows = Shows(db)
        return [shown for each in asked if (shown := await shows.shown(each)) is not None]
    finally:
        await db.close()


async def test_the_nearest_train_rows_are_shown_never_a_held_one(
    db: Connection, database_url: str, tmp_path: Path
) -> None:
    train = bills(tmp_path, 40)
    assert 10 < len(train) < 40
    [shown] = await found(database_url, about("Bill of shop 7000, to be paid", version(db)))
    assert len(shown.examples) == 3
    known = [Example(row["text"], row["fields"]) for row in train]
    assert all(each in known for each in shown.examples)
    assert value(
        db,
        "SELECT count(*) FROM gold WHERE id = ANY (%s) AND split = 'train'",
        list(shown.numbers),
    ) == len(shown.numbers)


async def test_neither_the_same_text_nor_the_same_document_is_shown(
    db: Connection, database_url: str, tmp_path: Path
) -> None:
    train = bills(tmp_path, 40)
    text = train[0]["text"]
    digest = train[1]["document"]
    asked = about(text, version(db), document=digest)
    [shown] = await found(database_url, asked)
    assert shown.leaks
    assert text not in [each.text for each in shown.examples]
    assert train[1]["text"] not in [each.text for each in shown.examples]


async def test_what_may_not_leave_is_shown_to_no_model_outside(
    db: Connection, database_url: str, tmp_path: Path
) -> None:
    bills(tmp_path, 20, local_only=True)
    inside = about("Bill of shop", version(db))
    outside = about("Bill of shop", version(db), zone=Zone.FRONTIER)
    one, other = await found(database_url, inside, outside)
    assert len(one.examples) == 3
    assert other.examples == ()
    assert other.is_left_out


async def test_rows_that_answer_another_form_or_are_gone_are_not_shown(
    db: Connection, database_url: str, tmp_path: Path
) -> None:
    bills(tmp_path, 20)
    other = {"text": ASK, "json_schema": fields_schema(("sum",))}
    examples = {"examples": {"gold": "bills", "most": 3}}
    asked = [
        about("Bill", version(db), ask={**other, **examples}),
        about("Bill", None),
    ]
    assert [each.examples for each in await found(database_url, *asked)] == [(), ()]


def test_the_splits_are_as_the_tests_take_them(tmp_path: Path, db: Connection) -> None:
    for row in bills(tmp_path, 20):
        assert split_of(row["document"]) is Split.TRAIN
