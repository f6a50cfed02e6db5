"""docmill classifier on a real Postgres: what counts as settled, and which model counts then."""

from typing import Any

import pytest

from models.words import TaskType
from tests.rows import Connection, add_batch, add_jobs, one, value
from worker import classifier as module
from worker.classify.asks import own_asks
from worker.classify.learned import unpack
from worker.classify.models import newest
from worker.db import one_connection

pytestmark = pytest.mark.usefixtures("database_url")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few of our own asks are enough here."""
    monkeypatch.setattr(module, "own_asks", lambda seed: own_asks(seed, 20))
    monkeypatch.setenv("OLLAMA_HOST", "http://gpu:11434")


def add_settled(db: Connection, ask: str, task: TaskType = TaskType.EXTRACTION, **job: Any) -> None:
    """An ask with a job that is done."""
    batch = add_batch(db)
    add_jobs(db, batch)
    db.execute("UPDATE asks SET text = %s WHERE id = %s", (ask, batch.ask))
    given = {"state": "done", "task": str(task), "found_by": "user", "confidence": None, **job}
    db.execute(
        "UPDATE jobs SET state = %(state)s, task = %(task)s, found_by = %(found_by)s, "
        "confidence = %(confidence)s WHERE ask_id = %(ask)s",
        {**given, "ask": batch.ask},
    )


def settled() -> dict[str, str]:
    with one_connection() as connection:
        return {one.ask: str(one.task) for one in module.settled(connection)}


def test_settled_is_what_a_user_named_or_a_model_likely_found_and_what_was_answered(
    db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK", 2)
    add_settled(db, "named")
    add_settled(db, "likely", found_by="model", confidence=0.85)
    add_settled(db, "unlikely", found_by="model", confidence=0.6)
    add_settled(db, "learned", found_by="learned", confidence=0.99)
    add_settled(db, "open", state="ready")
    assert settled() == {"named": "extraction", "likely": "extraction"}


def test_the_users_last_word_corrects_what_was_found_before_and_after(db: Connection) -> None:
    add_settled(db, "corrected", TaskType.SUMMARY, found_by="model", confidence=0.9)
    add_settled(db, "corrected", TaskType.SUMMARY)
    add_settled(db, "corrected", TaskType.REASONING)
    add_settled(db, "corrected", TaskType.SUMMARY, found_by="model", confidence=0.9)
    assert settled() == {"corrected": "reasoning"}


def test_with_nothing_settled_a_report_says_so_and_too_little_trains_nothing(
    db: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    assert module.report() == 0
    assert "nothing to measure on" in capsys.readouterr().out
    add_settled(db, "named")
    assert module.train() == 1
    assert "1 asks are settled here, 50 are needed" in capsys.readouterr().out
    assert value(db, "SELECT count(*) FROM learned_models") == 0


def test_a_model_that_learned_is_kept_reported_and_used_from_then_on(
    db: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    for n in range(module.FEWEST):  # asks in a language of the house, which ours do not know
        add_settled(db, f"gribble {n}", TaskType.SUMMARY)
    assert module.train() == 0
    assert "it counts from now on" in capsys.readouterr().out
    version, weights, report = one(db, "SELECT version, weights, report FROM learned_models")
    learned = unpack(bytes(weights))
    assert (learned.version, report["asks"]) == (version, module.FEWEST)
    assert learned.probabilities("gribble 99", None)[TaskType.SUMMARY] > 0.7
    with one_connection() as connection:
        assert newest(connection).version == version
    assert module.report() == 0
    said = capsys.readouterr().out
    assert f"your own model {version}, which counts" in said
    assert "on your 50 settled asks" in said


def test_a_model_that_is_right_less_often_is_not_kept(
    db: Connection, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FEWEST", 5)
    for n, task in enumerate(TaskType):
        add_settled(db, f"Summarize it, please, number {n}.", task)
        add_settled(db, f"What is the due date of invoice {n}?")
    monkeypatch.setattr(module, "trained", upside_down)
    assert module.train() == 1
    assert "it is right less often: nothing is changed" in capsys.readouterr().out
    assert value(db, "SELECT count(*) FROM learned_models") == 0


def upside_down(found: list[Any]) -> Any:
    """A model that was wrong about everything."""
    wrong = [module.Said(TaskType.SIMPLE_CODE, 0.9, TaskType.SUMMARY) for _ in found]
    return module.Trained(module.SHIPPED.read_bytes(), wrong)
