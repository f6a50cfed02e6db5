"""Corrections in Postgres: whoever makes them, results show them, and two reviewers never meet."""

import csv
import io
import json
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from psycopg.types.json import Jsonb
from typer.testing import CliRunner

from models.errors import Changed, InputError, NotFound
from models.words import Ruling
from producer import export, gold, query, review
from producer.cli.app import app
from producer.corrected_file import import_file
from tests.rows import column, one, rows, value
from tests.web_batches import Connection, answer, fail, make_batch

VALUE = {"total": "42.50"}
WRONG = {"outcome": "wrong", "code": "not_in_text", "about": None, "span": None, "page": None}
CHECK = {**WRONG, "outcome": "check", "code": "unlabelled"}


@pytest.fixture(autouse=True)
def _no_redis(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")


def answered(db: Connection, documents: int = 1, fields: Any = None) -> tuple[int, list[int]]:
    """A batch whose totals are extracted, each with these checks; its jobs."""
    batch = make_batch(db, [f"{number}.txt" for number in range(documents)])
    checks = {"total": WRONG} if fields is None else fields
    return batch, answer(db, batch, "extraction", VALUE, fields=checks)


def result(batch: int) -> dict[str, Any]:
    return next(query.results(batch, task="extraction"))


def test_results_show_the_corrected_value_and_say_by_whom_and_what_was_answered(
    db: Connection,
) -> None:
    batch, [job] = answered(db)
    before = result(batch)
    assert (before["value"], before["corrected"], before["answered"]) == (VALUE, None, None)
    review.correct(job, {"total": "43.00"}, "Asha")
    review.correct(job, {"total": "null"}, "Ravi")
    after = result(batch)
    assert after["value"] == {"total": None}
    assert after["answered"] == VALUE
    assert after["corrected"]["total"]["ruling"] == Ruling.ABSENT
    assert after["corrected"]["total"]["by"] == "Ravi"
    assert value(db, "SELECT value FROM answers WHERE job_id = %s", job) == VALUE
    made = rows(db, "SELECT old, new, ruling, reviewer, call_id FROM corrections ORDER BY id")
    call = value(db, "SELECT call_id FROM answers WHERE job_id = %s", job)
    assert made == [
        ("42.50", "43.00", "corrected", "Asha", call),
        ("43.00", None, "absent", "Ravi", call),
    ]
    assert [each["new"] for each in review.history(job)] == ["43.00", None]


def test_an_item_of_a_list_and_a_list_as_a_whole_are_corrected_in_their_order(
    db: Connection,
) -> None:
    batch = make_batch(db, ["a.txt"])
    db.execute("UPDATE asks SET json_schema = NULL")
    [job] = answer(db, batch, "extraction", {"items": [{"n": 1}, {"n": 2}]})
    review.correct(job, {"items.1.n": "3"}, "Asha")
    assert result(batch)["value"] == {"items": [{"n": 1}, {"n": 3}]}
    review.correct(job, {"items": '[{"n": 9}]'}, "Asha")
    review.correct(job, {"items.0.n": "8"}, "Asha")
    assert result(batch)["value"] == {"items": [{"n": 8}]}
    with pytest.raises(InputError, match=r"no field 'items\.1\.n'"):
        review.correct(job, {"items.1.n": "3"}, "Asha")


def test_only_what_has_an_answer_is_corrected(db: Connection) -> None:
    batch = make_batch(db, ["a.txt"])
    fail(db, batch, "extraction", "bad_answer")
    [failed] = column(db, "SELECT id FROM jobs WHERE state = 'failed'")
    with pytest.raises(InputError, match="is failed; only the answer of a done job"):
        review.correct(failed, {"total": "1"}, "Asha")
    with pytest.raises(NotFound, match="there is no job 424242"):
        review.correct(424242, {"total": "1"}, "Asha")


def test_the_worst_answers_wait_first_and_leave_the_line_when_all_is_ruled_on(
    db: Connection,
) -> None:
    batch, jobs = answered(db, 4, fields=None)
    db.execute("DELETE FROM reviews")
    harms = [{"total": CHECK}, {"total": WRONG}, {"total": {**CHECK, "code": "conflict"}}, {}]
    for job, checks in zip(jobs, harms, strict=True):
        db.execute("UPDATE answers SET fields = %s WHERE job_id = %s", (Jsonb(checks), job))
        db.execute(
            "INSERT INTO reviews SELECT job_id, %s, docmill_harm(job_id, fields) FROM answers "
            "WHERE job_id = %s AND docmill_harm(job_id, fields) > 0",
            (batch, job),
        )
    found = review.waiting(batch, 10)
    assert [row["job"] for row in found] == [jobs[1], jobs[2], jobs[0]]
    assert found[0]["open"] == [{"field": "total", "value": "42.50", **WRONG}]
    review.correct(jobs[1], {"total": "43"}, "Asha")
    review.correct(jobs[2], {}, "Asha", confirm=True)
    assert [row["job"] for row in review.waiting(batch, 10)] == [jobs[0]]


def test_an_answer_waits_for_a_review_from_the_moment_it_is_stored_while_values_are_open(
    db: Connection,
) -> None:
    checks = {"total": WRONG, "vendor": CHECK, "date": {**WRONG, "outcome": "sure"}}
    batch = make_batch(db, ["a.txt"])
    db.execute("UPDATE asks SET json_schema = NULL")
    answers = {"total": "1", "vendor": "x", "date": "y"}
    [job] = answer(db, batch, "extraction", answers, fields=checks)
    assert one(db, "SELECT job_id, batch_id, harm FROM reviews") == (job, batch, 1.3)
    review.correct(job, {"total": "2"}, "Asha")
    assert one(db, "SELECT harm FROM reviews") == (0.3,)
    review.correct(job, {"vendor": "x"}, "Asha")
    assert rows(db, "SELECT FROM reviews") == []


def test_who_accepts_a_list_says_nothing_of_its_items_and_who_confirms_all_ends_the_review(
    db: Connection,
) -> None:
    checks = {"items": CHECK, "items.1.n": {**CHECK, "code": "conflict"}, "date": WRONG}
    batch = make_batch(db, ["a.txt"])
    schema = {"type": "object", "properties": {"items": {}, "date": {"type": "string"}}}
    db.execute("UPDATE asks SET json_schema = %s", (Jsonb(schema),))
    [job] = answer(db, batch, "extraction", {"items": [{"n": 1}, {"n": 2}]}, fields=checks)
    [row] = review.waiting(batch, 10)  # a field that the answer leaves out breaks no look
    assert [each["field"] for each in row["open"]] == ["date", "items", "items.1.n"]
    assert "schema" not in row
    review.correct(job, {"items": None}, "Asha")
    assert one(db, "SELECT harm FROM reviews") == (1.5,)
    assert gold.add_batch("bills", batch, "Asha").unsettled == 1
    review.correct(job, {}, "Asha", confirm=True)
    assert rows(db, "SELECT FROM reviews") == []
    assert review.correct(job, {}, "Asha", confirm=True) == []
    assert gold.add_batch("bills", batch, "Asha").fresh == 1


def test_reviewers_at_once_never_get_the_same_answer(db: Connection) -> None:
    batch, jobs = answered(db, 60)
    claimed: dict[str, list[int]] = {}
    start = Barrier(4)

    def take(name: str) -> None:
        start.wait()
        for _ in range(5):
            claimed.setdefault(name, []).extend(review.claim(batch, name, most=3))
            for job in claimed[name][-3:]:
                review.correct(job, {"total": "null"}, name)

    threads = [Thread(target=take, args=(f"r{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = [job for jobs_of in claimed.values() for job in jobs_of]
    assert sorted(taken) == sorted(jobs)
    assert value(db, "SELECT count(*) FROM corrections") == 60


def test_what_somebody_is_at_nobody_else_corrects_until_it_is_free_again(db: Connection) -> None:
    batch, [job] = answered(db)
    assert review.claim(batch, "Asha") == [job]
    assert review.claim(batch, "Ravi") == []
    assert review.claim(batch, "Asha") == [job]
    assert not review.renew(job, "Ravi")
    with pytest.raises(Changed, match="is being reviewed by Asha"):
        review.correct(job, {"total": "1"}, "Ravi")
    assert review.release(batch, "Asha") == 1
    assert review.claim(batch, "Ravi") == [job]
    db.execute("UPDATE reviews SET until = now()")
    assert review.claim(batch, "Asha") == [job]


def test_what_is_put_off_comes_back_after_all_others(db: Connection) -> None:
    batch, [first, second] = answered(db, 2)
    assert review.claim(batch, "Asha") == [first]
    review.skip(first, "Asha")
    assert review.claim(batch, "Asha") == [second]
    assert review.claim(batch, "Asha", most=2) == [second, first]


def test_a_correction_of_what_was_corrected_meanwhile_is_refused(db: Connection) -> None:
    _, [job] = answered(db)
    seen = review.answer_of(job).last
    review.correct(job, {"total": "1"}, "Asha", seen=seen)
    with pytest.raises(Changed, match="somebody corrected job"):
        review.correct(job, {"total": "2"}, "Ravi", seen=seen)


def exported(batch: int, path: Path) -> list[dict[str, str]]:
    with path.open("w", encoding="utf-8", newline="") as file:
        export.write_csv(query.results(batch), file, query.answer_keys(batch))
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def rewrite(path: Path, lines: list[dict[str, str]], **dialect: Any) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(lines[0]), **dialect)
    writer.writeheader()
    writer.writerows(lines)
    path.write_text(text.getvalue(), "utf-8-sig", newline="")


def test_a_corrected_csv_is_imported_and_what_it_left_alone_is_not_touched(
    db: Connection, tmp_path: Path
) -> None:
    batch, jobs = answered(db, 3)
    lines = exported(batch, path := tmp_path / "answers.csv")
    cells = {str(jobs[0]): "'=1+1", str(jobs[1]): ""}
    for line in lines:
        line["value.total"] = cells.get(line["job"], line["value.total"])
    rewrite(path, lines, delimiter=";")
    assert len(import_file(path, "Asha", confirm=False, dry_run=True)) == 2
    assert value(db, "SELECT count(*) FROM corrections") == 0
    import_file(path, "Asha", confirm=False)
    found = rows(db, "SELECT job_id, new, ruling FROM corrections ORDER BY job_id")
    assert found == [(jobs[0], "=1+1", "corrected"), (jobs[1], None, "absent")]
    with pytest.raises(InputError, match="was corrected after this file was exported"):
        import_file(path, "Asha", confirm=True)
    exported(batch, path)
    import_file(path, "Asha", confirm=True)
    assert value(db, "SELECT count(*) FROM corrections WHERE ruling = 'confirmed'") == 1


def test_json_lines_are_imported_too(db: Connection, tmp_path: Path) -> None:
    batch, jobs = answered(db, 2)
    path = tmp_path / "answers.jsonl"
    with path.open("w") as file:
        export.write_jsonl(query.results(batch), file)
    path.write_text(path.read_text().replace('"42.50"', '"43.00"', 1))
    [(changed, [made])] = import_file(path, "Asha", confirm=False)
    assert (changed.job, made.old, made.new) == (jobs[0], "42.50", "43.00")


def test_a_file_with_a_line_that_cannot_be_used_changes_nothing_and_names_it(
    db: Connection, tmp_path: Path
) -> None:
    batch, jobs = answered(db, 5)
    review.claim(batch, "Ravi")
    path = tmp_path / "a.csv"
    lines = [line for line in exported(batch, path) if line["value"]]
    changes = [
        {"value.total": "1"},
        {"value.total": "1", "job": "424242"},
        {"value": '{"total": "1"}'},
        {"job": "x"},
        {"value.total": "5", "corrected": '{"total": 1}'},
    ]
    for line, change in zip(lines, changes, strict=True):
        line.update(change)
    rewrite(path, [*lines, lines[2]])
    with pytest.raises(InputError) as error:
        import_file(path, "Asha", confirm=False)
    said = str(error.value).splitlines()
    assert said[0].endswith("a.csv: nothing was imported, for these lines:")
    for number, words in (
        (2, f"job {jobs[0]} is being reviewed by Ravi"),
        (3, "job 424242 has no answer"),
        (4, "change the columns value.FIELD"),
        (5, "job must be a number, found 'x'"),
        (6, "was corrected after this file"),
        (7, f"job {jobs[2]} stands in line 4 already"),
    ):
        assert any(line.startswith(f"  line {number}: ") and words in line for line in said), words
    assert value(db, "SELECT count(*) FROM corrections") == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "needs the columns job and value.FIELD"),
        ("", "needs the columns"),
        ('{"job": true, "value": {}}\n', 'line 1: needs "job" and "value"'),
        ('{"job": 1', "line 1: not JSON"),
        ('job,value.a\n1,"x', "cannot be read"),
        ("job,value.a\n1\n", "line 2: has more or fewer cells"),
    ],
)
def test_a_file_that_is_no_export_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (path := tmp_path / "a.csv").write_text(text)
    with pytest.raises(InputError, match=said):
        import_file(path, "Asha", confirm=False)


def test_purge_takes_corrections_with_it(db: Connection) -> None:
    batch, [job] = answered(db)
    review.correct(job, {"total": "secret"}, "Asha")
    db.execute("UPDATE batches SET state = 'purged'")
    while value(db, "SELECT docmill_purge(%s, 10)", batch):
        pass
    assert rows(db, "SELECT FROM corrections") == rows(db, "SELECT FROM reviews") == []


def test_the_commands_review_and_correct(db: Connection) -> None:
    batch, [job, other] = answered(db, 2)
    run = CliRunner(env={"COLUMNS": "160"}).invoke

    def said(*words: object) -> str:
        done = run(app, [*map(str, words)], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return " ".join(done.output.split())

    assert "2 answers to review, somebody is at 0" in said("review", batch)
    assert f"{job} 0.txt total ! 42.50 It does not stand in the text." in said("review", batch)
    claimed = json.loads(said("review", batch, "--claim", 1, "--by", "Asha", "--json"))
    assert (claimed["job"], claimed["claimed_by"]) == (job, "Asha")
    assert "total: 42.50 → 43.00" in said("correct", job, "total=43.00", "--by", "Asha")
    assert "total confirmed: 42.50" in said("correct", other, "--confirm")
    assert "Asha total corrected 42.50 43.00" in said("correct", job)
    assert "nothing to review" in said("review", batch)
    assert "✎ 43.00" in said("results", batch)
    assert run(app, ["correct", str(job), "total"]).exit_code == 2
    assert run(app, ["correct"]).exit_code == 2
