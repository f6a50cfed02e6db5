"""docmill scores on a real Postgres: what counts as ruled on, and which scores count then."""

from typing import Any

import pytest
from psycopg.types.json import Jsonb

from models.scores import Bin, acceptance, made, opened, shipped
from models.spec import make_spec
from producer import query, review
from producer.sources import Accepted
from producer.submit import submit
from tests.rows import Connection, one, value
from tests.web_batches import answer, make_batch
from worker import scores as module
from worker.db import one_connection
from worker.run.fit import Ruled
from worker.run.models import newest_scores

pytestmark = pytest.mark.usefixtures("database_url")

SURE = {"outcome": "sure", "code": "labelled", "about": None, "span": None, "page": None}


@pytest.fixture(autouse=True)
def _no_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("OLLAMA_HOST", "http://gpu:11434")


def answered(db: Connection, documents: int = 1, total: str = "42.50", **check: Any) -> list[int]:
    """Extractions of a total from documents that say "Total: 42.50"; their jobs."""
    batch = make_batch(db, [f"{number}.txt" for number in range(documents)])
    db.execute("UPDATE chunks SET text = 'Total: 42.50'")
    db.execute("UPDATE documents SET sha256 = sha256(id::text::bytea)")
    return answer(db, batch, "extraction", {"total": total}, fields={"total": {**SURE, **check}})


def ruled() -> list[Ruled]:
    with one_connection() as connection:
        return list(module.ruled(connection))


def test_a_value_is_right_that_was_confirmed_and_wrong_that_was_made_another(
    db: Connection,
) -> None:
    [right] = answered(db)
    [wrong] = answered(db, total="43.00")
    answered(db)  # nobody ruled on it
    review.correct(right, {}, "Asha", confirm=True)
    review.correct(wrong, {"total": "42.50"}, "Asha")
    review.correct(wrong, {"total": None}, "Ravi")  # what stands there now is right
    found = ruled()
    assert [each.right for each in found] == [True, False]
    assert [each.features[1] for each in found] == ["sure", "wrong"]


def test_an_answer_counts_when_each_of_its_checked_values_was_ruled_on(db: Connection) -> None:
    batch = make_batch(db, ["a.txt"])
    db.execute("UPDATE chunks SET text = 'Total: 42.50, Vendor: Ash Ltd'")
    db.execute("UPDATE asks SET json_schema = NULL")
    [job] = answer(db, batch, "extraction", {"total": "42.50", "vendor": "Ash Ltd"})
    review.correct(job, {"total": "43.00"}, "Asha")
    assert ruled() == []
    review.correct(job, {}, "Asha", confirm=True)
    assert sorted(each.right for each in ruled()) == [False, True]


def test_a_list_that_was_made_another_says_nothing_of_its_values(db: Connection) -> None:
    batch = make_batch(db, ["a.txt"])
    db.execute("UPDATE asks SET json_schema = NULL")
    [job, kept] = answer(db, batch, "extraction", {"items": [{"n": "7"}]}) + answered(db)
    review.correct(job, {"items": '[{"n": "9"}]'}, "Asha")
    review.correct(kept, {}, "Asha", confirm=True)
    assert len(ruled()) == 1


def test_with_too_little_ruled_on_nothing_is_fitted_and_a_report_says_so(
    db: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    assert module.report() == 0
    said = capsys.readouterr().out
    assert f"the product's scores {shipped().version}, which count" in said
    assert "nothing to measure on" in said
    [job] = answered(db)
    review.correct(job, {}, "Asha", confirm=True)
    assert module.train() == 1
    assert "1 values are ruled on" in capsys.readouterr().out
    assert value(db, "SELECT count(*) FROM score_models") == 0


def test_scores_that_were_fitted_count_are_reported_and_accept_by_what_was_ruled(
    db: Connection, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "FEWEST", 40)
    monkeypatch.setattr(module, "BLOCK", 7)
    for job in answered(db, 20):
        review.correct(job, {}, "Asha", confirm=True)
    for job in answered(db, 20, total="99.00"):
        review.correct(job, {"total": "42.50"}, "Asha")
    assert module.train() == 0
    assert "they count from now on" in capsys.readouterr().out
    version, model, report = one(db, "SELECT version, model, report FROM score_models")
    with one_connection() as connection:
        assert newest_scores(connection).version == version == opened(model).version
    assert (report["values"], report["auroc"]) == (40, 1.0)
    held = sum(each["right"] + each["wrong"] for each in model["bins"])
    assert 0 < held < 40
    assert module.report() == 0
    said = capsys.readouterr().out
    assert f"your own scores {version}, which count" in said
    assert "they do not rank errors: no confidence is shown" in said  # two different scores
    assert "the product's scores on your 40 ruled values" in said


def test_a_model_that_cannot_be_read_gives_way_to_the_products_own(db: Connection) -> None:
    db.execute(
        "INSERT INTO score_models (version, model, report) VALUES ('v', '{\"revision\": 0}', '{}')"
    )
    with one_connection() as connection:
        assert newest_scores(connection) is shipped()


def test_a_batch_says_what_it_accepts_and_what_to_expect_for_review(db: Connection) -> None:
    own = made({}, (Bin(0.9, 199, 0), Bin(0.1, 0, 201)), {})
    db.execute(
        "INSERT INTO score_models (version, model, report) VALUES (%s, %s, '{}')",
        (own.version, Jsonb(own.as_json())),
    )
    spec = make_spec({"asks": [{"ask": "Which total?"}], "accept": {"error": 0.02}}, "spec")
    stored = submit(spec, [Accepted("a.txt", "text/plain", b"Total: 42.50")])
    expected = {"error": 0.02, "least": 0.9, "review_share": 0.502, "scores": own.version}
    assert stored.as_json()["accept"] == expected
    assert stored.batch is not None
    found = query.status(stored.batch)
    assert found["accept"] == acceptance(own, 0.02)
    assert query.status_json(found)["accept"] == expected
    assert value(db, "SELECT accept_error FROM batches WHERE id = %s", stored.batch) == 0.02


def test_results_say_accepted_or_for_review_and_a_review_begins_with_the_least_likely(
    db: Connection,
) -> None:
    batch = make_batch(db, ["a.txt"])
    checks = {
        "kept": {**SURE, "confidence": 0.97, "accepted": True},
        "first": {**SURE, "confidence": 0.2, "accepted": False},
        "then": {**SURE, "outcome": "check", "confidence": 0.7, "accepted": False},
    }
    [job] = answer(db, batch, "extraction", dict.fromkeys(checks, "x"), fields=checks)
    [good] = answered(db, confidence=0.97, accepted=True, outcome="check")
    harm = value(db, "SELECT harm FROM reviews WHERE job_id = %s", job)
    assert harm == pytest.approx(0.8 + 0.3)
    assert value(db, "SELECT count(*) FROM reviews WHERE job_id = %s", good) == 0
    [waiting] = review.waiting(batch, 10)
    assert [each["field"] for each in waiting["open"]] == ["first", "then"]
    [row] = query.results(batch, task="extraction")
    assert row["accepted"] is False
    assert value(db, "SELECT accepted FROM results WHERE job = %s", good) is True
    assert value(db, "SELECT accepted FROM results WHERE state <> 'done' LIMIT 1") is None
