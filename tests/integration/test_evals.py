"""Evals in Postgres: who is asked what, what comes of it, and what becomes of the copies."""

import json
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from io import StringIO
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from psycopg.types.json import Jsonb
from rich.console import Console
from typer.testing import CliRunner

from models.errors import InputError, NotFound
from models.shares import Share
from models.words import EvalKind, Split
from producer import gold, render, review
from producer.cli.app import app
from producer.evaluate import run
from producer.evaluate.candidates import Candidate, candidate, candidates
from producer.evaluate.figures import THEN
from producer.evaluate.report import changes, listed, report
from producer.render import evaluation
from tests.rows import Connection, column, one, rows, value
from tests.web_batches import TestClient, answer, make_batch, open_page, see
from worker.db import fetch, one_connection

SMALL, LARGE, OUTSIDE = "local/gemma3:1b", "local/gemma3:12b", "frontier/big"
DEFAULTS = gold.Defaults(ask="Which total?", source="public", licence="CC0-1.0")
HELD = run.Source(EvalKind.GOLD, "bills", Split.HELD)
ALL = run.Source(EvalKind.GOLD, "bills")


@pytest.fixture(autouse=True)
def _no_redis(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("OLLAMA_HOST", "http://gpu:11434")
    monkeypatch.setenv("FRONTIER_BASE_URL", "http://gateway/v1")


def plainly(*places: str) -> list[Candidate]:
    """Models as they are asked where nothing else is said."""
    return list(candidates(places, (), ()))


def lines(path: Path, number: int = 30) -> Path:
    found = [{"text": f"Total: {n}.00", "fields": {"total": f"{n}.00"}} for n in range(number)]
    found.append({"text": "angry", "label": "complaint", "ask": "Which kind?", "language": "en"})
    path.write_text("\n".join(map(json.dumps, found)))
    return path


@pytest.fixture
def bills(tmp_path: Path) -> None:
    """A gold set of thirty totals and a label."""
    gold.import_file("bills", lines(tmp_path / "bills.jsonl"), "Asha", DEFAULTS)


def read(db: Connection, batch: int) -> None:
    """What ingest makes of a batch's documents: a job for each ask that concerns one, where the ask
    says."""
    db.execute("DELETE FROM waiting")
    db.execute(
        "INSERT INTO chunks (document_id, ordinal, page_from, page_to, char_start, char_end, "
        "tokens, text, sha256) SELECT id, 1, 1, 1, 0, 9, 9, "
        "convert_from(data, 'UTF8'), sha256(data) FROM documents JOIN document_contents "
        "ON document_id = id WHERE batch_id = %s",
        (batch,),
    )
    db.execute("DELETE FROM document_contents")
    db.execute(
        "UPDATE documents SET state = 'ready', pages = 1, jobs_total = 1 WHERE batch_id = %s",
        (batch,),
    )
    db.execute(
        "INSERT INTO jobs (batch_id, local_only, document_id, ask_id, state, task, found_by, zone, "
        "engine, model, tokens) SELECT d.batch_id, b.local_only, d.id, a.id, 'ready', a.task, "
        "'user', CASE WHEN a.place LIKE 'frontier/%%' THEN 'frontier' ELSE 'local' END, "
        "split_part(a.place, '/', 1), split_part(a.place, '/', 2), 9 "
        "FROM documents d JOIN batches b ON b.id = d.batch_id JOIN asks a ON a.batch_id = b.id "
        "WHERE b.id = %s AND d.path LIKE replace(a.documents[1], '*', '%%')",
        (batch,),
    )


def answered(
    db: Connection, batch: int, place: str, said: str, usd: str | None = "0.001", where: str = ""
) -> None:
    """Every job at a place says this (SQL of the text `t`), and each took a call."""
    found = rows(
        db,
        f"SELECT j.id, k.text, {said} FROM jobs j JOIN chunks k ON k.document_id = j.document_id "
        "CROSS JOIN LATERAL (SELECT split_part(k.text, ': ', 2) AS t) s "
        f"WHERE j.batch_id = %s AND j.engine || '/' || j.model = %s AND j.state = 'ready' {where}",
        batch,
        place,
    )
    for job, _, total in found:
        db.execute("UPDATE jobs SET state = 'done', finished_at = now() WHERE id = %s", (job,))
        call = value(
            db,
            "INSERT INTO calls (id, job_id, batch_id, local_only, purpose, task, zone, engine, "
            "kind, host, stand_in, model_asked, owner, attempt, state, cost_usd, latency_ms, "
            "output_tokens) SELECT docmill_call_id(now()), id, batch_id, local_only, 'run', task, "
            "zone, engine, 'ollama', 'h:1', false, model, gen_random_uuid(), 1, 'settled', %s, "
            "500, 10 FROM jobs WHERE id = %s RETURNING id",
            usd,
            job,
        )
        fields = {"total": {"outcome": "sure", "code": "labelled"}}
        db.execute(
            "INSERT INTO answers (job_id, value, fields, call_id) VALUES (%s, %s, %s, %s)",
            (job, Jsonb({"total": total}), Jsonb(fields), call),
        )
    db.execute("DELETE FROM waiting")


def end(db: Connection, batch: int) -> None:
    """What is not done has failed, and the batch is over."""
    db.execute(
        "UPDATE jobs SET state = 'failed', error = '{}' WHERE batch_id = %s AND state = 'ready'",
        (batch,),
    )
    db.execute("DELETE FROM waiting")
    db.execute("UPDATE documents SET state = 'done' WHERE batch_id = %s", (batch,))
    db.execute("SELECT docmill_close_batches(%s)", ([batch],))


def measured(db: Connection, source: run.Source = ALL) -> run.Begun:
    """An eval that is over: the small model is wrong about a third of the totals."""
    begun = run.begin(source, plainly(SMALL, LARGE), 1_000)
    read(db, begun.batch)
    answered(db, begun.batch, SMALL, "CASE WHEN t < '2' THEN 'x' ELSE t END", None)
    answered(db, begun.batch, LARGE, "'RM ' || t")
    end(db, begun.batch)
    return begun


@pytest.mark.usefixtures("bills")
def test_an_eval_is_a_batch_that_asks_each_text_of_each_model(db: Connection) -> None:
    begun = run.begin(ALL, plainly(SMALL, OUTSIDE), 1_000, max_cost=Decimal("2.5"))
    assert begun.texts == 31
    assert one(db, "SELECT name, local_only, max_cost_usd FROM batches") == (
        "eval of gold bills", False, Decimal("2.5"),
    )  # fmt: skip
    asks = rows(db, "SELECT label, text, task, scope, documents, place FROM asks ORDER BY ordinal")
    assert {ask[5] for ask in asks} == {SMALL, OUTSIDE}
    assert [ask[0] for ask in asks] == [
        f"{n} {place}" for n in (1, 2) for place in (SMALL, OUTSIDE)
    ]
    assert {(ask[2], ask[3]) for ask in asks} == {
        ("extraction", "document"), ("classification", "document"),
    }  # fmt: skip
    read(db, begun.batch)
    assert value(db, "SELECT count(*) FROM jobs") == 2 * 31
    assert value(db, "SELECT count(*) FROM eval_rows WHERE gold_id IS NOT NULL") == 31
    [listing] = listed()
    assert (listing["batch"], listing["ready"], listing["scored_at"]) == (begun.batch, False, None)
    with pytest.raises(InputError, match=f"eval {begun.eval} is not over; `docmill watch"):
        report(begun.eval)


@pytest.mark.usefixtures("bills")
def test_what_is_held_is_measured_on_and_of_a_large_set_a_part_that_is_always_the_same(
    db: Connection,
) -> None:
    held = value(db, "SELECT count(*) FROM gold WHERE split = 'held'")
    assert run.begin(HELD, plainly(SMALL), 1_000).texts == held
    first, second = (run.begin(ALL, plainly(SMALL), 7) for _ in range(2))
    keys = [
        column(db, "SELECT key FROM eval_rows WHERE eval_id = %s ORDER BY key", begun.eval)
        for begun in (first, second)
    ]
    assert keys[0] == keys[1] == column(db, "SELECT key FROM gold ORDER BY key LIMIT 7")
    assert value(db, "SELECT bool_and(local_only) FROM batches")  # no model of it is outside


@pytest.mark.usefixtures("bills")
def test_figures_follow_from_the_answers_and_say_which_model_is_enough(db: Connection) -> None:
    begun = measured(db)
    made = report(begun.eval)
    small, large = (one for one in made.figures if one.task == "extraction")
    assert (small.place, small.right) == (SMALL, Share(18, 30))
    assert (large.place, large.right) == (LARGE, Share(30, 30))  # a currency is no difference
    assert (small.cost_usd, large.cost_usd) == (None, Decimal("0.030"))
    assert (large.p50_ms, large.tokens_per_s, large.sure) == (500, 20, 30)
    failed = [one for one in made.figures if one.task == "classification"]
    assert [one.right for one in failed] == [Share(0, 1), Share(0, 1)]
    assert failed[0].languages == {"en": Share(0, 1)}
    table = tomllib.loads(made.table)
    assert table["tasks"]["extraction"] == {"engine": "local", "model": "gemma3:12b"}
    assert column(db, "SELECT count(*) FROM eval_scores") == [62]
    assert report(begun.eval).figures == made.figures
    assert made.escalations == []  # the checks call nothing wrong


@pytest.mark.usefixtures("bills")
def test_an_eval_says_what_escalation_would_bring_within_its_cap(
    db: Connection, monkeypatch: pytest.MonkeyPatch, client: TestClient
) -> None:
    """Twelve of thirty small answers are wrong, and the checks see it; a fifth may be asked
    again."""
    begun = measured(db)
    wrong = {"total": {"outcome": "wrong", "code": "not_in_text"}}
    db.execute("UPDATE answers SET fields = %s WHERE value->>'total' = 'x'", (Jsonb(wrong),))
    made = report(begun.eval)
    found = next(one for one in made.escalations if one.task == "extraction")
    assert (found.first, found.onward, found.escalated) == (SMALL, LARGE, Share(6, 30))
    assert (found.before, found.after) == (Share(18, 30), Share(24, 30))
    assert (found.usd_per_right, found.usd_per_gained) == (None, Decimal("0.001"))
    printed = next(one for one in made.as_json() if one["task"] == found.task)
    assert (printed["model"], printed["escalation"][0]["right_after"]) == (SMALL, 24)
    out = StringIO()
    monkeypatch.setattr(evaluation, "console", Console(file=out, width=200))
    render.eval_report(made)
    assert "asked again where a value is wrong by its checks" in out.getvalue()
    assert "0.800 [0.627, 0.905]" in out.getvalue()
    page = see(client, f"/evals/{begun.eval}")
    _, shown = page.split("Asked again where a value is wrong by its checks", 1)
    for cell in (LARGE, "0.200", "0.600", '0.800 <span class="note">0.627–0.905', "$0.0010"):
        assert cell in shown, cell


@pytest.mark.usefixtures("bills")
def test_an_answer_that_was_taken_again_counts_with_what_it_took(db: Connection) -> None:
    measured(db)
    begun = run.begin(ALL, plainly(LARGE), 1_000)
    read(db, begun.batch)
    answered(db, begun.batch, LARGE, "t", "0")
    db.execute(
        "UPDATE calls c SET state = 'reused', latency_ms = NULL, output_tokens = NULL, "
        "reused_from = (SELECT g.id FROM calls g JOIN jobs j ON j.id = g.job_id "
        "JOIN chunks k ON k.document_id = j.document_id WHERE g.batch_id <> %(b)s "
        "AND g.model_asked = c.model_asked AND k.text = (SELECT text FROM chunks "
        "JOIN jobs m USING (document_id) WHERE m.id = c.job_id)) WHERE batch_id = %(b)s",
        {"b": begun.batch},
    )
    end(db, begun.batch)
    [found] = (one for one in report(begun.eval).figures if one.task == "extraction")
    assert (found.cost_usd, found.p50_ms, found.tokens_per_s) == (Decimal("0.030"), 500, 20)


@pytest.mark.usefixtures("bills")
def test_a_model_that_answered_nothing_is_named_and_none_is_chosen(db: Connection) -> None:
    begun = run.begin(ALL, plainly(SMALL, LARGE), 1_000)
    read(db, begun.batch)
    answered(db, begun.batch, SMALL, "t")
    db.execute("UPDATE jobs SET state = 'skipped' WHERE state = 'ready'")  # as good as cancelled
    end(db, begun.batch)
    made = report(begun.eval)
    assert {choice.task: (choice.chosen, choice.unanswered) for choice in made.choices} == {
        "extraction": (None, [LARGE]), "classification": (None, [LARGE]),
    }  # fmt: skip
    assert tomllib.loads(made.table) == {}
    assert f"no choice, for these answered nothing: {LARGE}" in invoked("eval", "show", "1")


def replayed(db: Connection) -> int:
    """A batch of three totals, one of them corrected."""
    batch = make_batch(db, ["a.txt", "b.txt", "c.txt"])
    jobs = answer(db, batch, "extraction", {"total": "42.50"}, cost_usd=Decimal("0.01"))
    for n, job in enumerate(jobs):
        db.execute(
            "UPDATE chunks SET text = %s WHERE id = (SELECT chunk_id FROM jobs WHERE id = %s)",
            (f"Total: {n}", job),
        )
    review.correct(jobs[0], {"total": "43.00"}, "Asha")
    return batch


def test_a_replay_compares_with_what_was_answered_then_or_its_correction(db: Connection) -> None:
    batch = replayed(db)
    begun = run.begin(run.Source(EvalKind.REPLAY, str(batch)), plainly(SMALL), 100)
    assert begun.texts == 3
    read(db, begun.batch)
    answered(db, begun.batch, SMALL, "CASE t WHEN '0' THEN '43' ELSE '42.5' END")
    end(db, begun.batch)
    made = report(begun.eval)
    found = {one.place: one for one in made.figures}
    assert (found[SMALL].right, found[THEN].right) == (Share(3, 3), Share(2, 3))
    assert found[THEN].cost_usd == Decimal("0.03")
    [choice] = made.choices
    assert (choice.best.place, choice.chosen and choice.chosen.place) == (SMALL, SMALL)


def test_only_the_last_answers_are_asked_again_and_equal_ones_once(db: Connection) -> None:
    batch = replayed(db)
    source = run.Source(EvalKind.REPLAY, str(batch))
    assert run.begin(source, plainly(SMALL), 2).texts == 2
    db.execute("UPDATE chunks SET text = 'Total: 1'")
    assert run.begin(source, plainly(SMALL), 100).texts == 1


@pytest.mark.usefixtures("bills")
def test_what_may_not_leave_the_building_is_not_asked_outside(db: Connection) -> None:
    db.execute("UPDATE gold SET local_only = true WHERE text < 'Total: 2'")
    kept = value(db, "SELECT count(*) FROM gold WHERE NOT local_only")
    assert run.begin(ALL, plainly(SMALL, OUTSIDE), 1_000).texts == kept
    assert run.begin(ALL, plainly(SMALL), 1_000).texts == 31
    db.execute("UPDATE gold SET local_only = true")
    with pytest.raises(InputError, match="classification that may leave the building"):
        run.begin(ALL, plainly(OUTSIDE), 1_000)


@pytest.mark.usefixtures("bills")
def test_an_answer_from_another_place_than_was_asked_is_no_measure(db: Connection) -> None:
    """A text that was pinned since runs in the building: that model was not to be measured."""
    begun = run.begin(ALL, plainly(SMALL, OUTSIDE), 1_000)
    read(db, begun.batch)
    db.execute(
        "UPDATE jobs SET zone = 'local', engine = 'local', model = 'other' "
        "WHERE engine = 'frontier' AND document_id % 2 = 0"
    )
    answered(db, begun.batch, SMALL, "t")
    answered(db, begun.batch, OUTSIDE, "t")
    answered(db, begun.batch, "local/other", "'x'")
    end(db, begun.batch)
    made = report(begun.eval)
    asked = {one.right.n for one in made.figures if one.task == "extraction"}
    assert len(asked) == 1
    assert made.left_out + sum(one.right.n for one in made.figures if one.place == SMALL) == 31
    assert 10 < made.left_out < 20


@pytest.mark.usefixtures("bills")
def test_what_changed_between_two_evals_is_said_over_the_texts_of_both(db: Connection) -> None:
    first = measured(db)
    second = run.begin(ALL, plainly(SMALL), 25)
    read(db, second.batch)
    answered(db, second.batch, SMALL, "t")
    end(db, second.batch)
    found = {row.task: row for row in changes(first.eval, second.eval)}
    change = found["extraction"]
    both = change.paired.n
    assert (change.before, change.after) == (Share(18, 30), Share(both, both))
    assert change.paired.lost == 0 < change.paired.gained
    alone = run.begin(ALL, plainly("local/other"), 25)
    read(db, alone.batch)
    end(db, alone.batch)
    with pytest.raises(InputError, match="no model was measured at the same task"):
        changes(first.eval, alone.eval)


def test_what_people_make_of_an_evals_answers_trains_nothing(db: Connection) -> None:
    """Its documents are copies: by their own hashes a held text would be one to train on."""
    batch = replayed(db)
    begun = run.begin(run.Source(EvalKind.REPLAY, str(batch)), plainly(SMALL), 100)
    read(db, begun.batch)
    answered(db, begun.batch, SMALL, "t")
    copies = column(db, "SELECT id FROM jobs WHERE batch_id = %s", begun.batch)
    for job in [*copies, value(db, "SELECT max(job_id) FROM answers WHERE job_id < %s", copies[0])]:
        review.correct(job, {}, "Asha", confirm=True)
    with pytest.raises(
        InputError, match=f"is eval {begun.eval}.* copies of texts of batch {batch}"
    ):
        gold.add_batch("train", begun.batch, "Asha")
    with one_connection() as connection:  # one answer a block: none that is left out ends it
        ruled = fetch(connection, "scores/ruled", after=0, most=1)
        ruled += fetch(connection, "scores/ruled", after=ruled[0]["id"], most=100)
    assert [row["id"] for row in ruled] == column(
        db, "SELECT DISTINCT job_id FROM corrections WHERE NOT job_id = ANY (%s) ORDER BY 1", copies
    )


@pytest.mark.usefixtures("bills")
def test_two_looks_at_once_at_an_eval_that_is_over_both_find_its_figures(
    db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, both = measured(db), Barrier(2)
    piped = run.piped_through_worker

    def compared_at_once(*given: Any, **more: Any) -> Iterator[str]:
        found = list(piped(*given, **more))
        both.wait()
        return iter(found)

    monkeypatch.setattr(run, "piped_through_worker", compared_at_once)
    with ThreadPoolExecutor(2) as pool:
        assert [len(each) for each in pool.map(run.scores, [begun.eval] * 2)] == [62, 62]
    assert column(db, "SELECT count(*) FROM eval_scores") == [62]
    assert [row["texts"] for row in listed()] == [31]


def purge_due(db: Connection) -> list[int]:
    """What the leader would purge now."""
    return column(
        db,
        "SELECT id FROM batches WHERE purge_at <= now() AND state IN ('finished', 'cancelled') "
        "ORDER BY id",
    )


@pytest.mark.usefixtures("bills")
def test_copies_of_texts_go_when_what_they_were_copied_from_goes(db: Connection) -> None:
    over, begun = measured(db), run.begin(ALL, plainly(SMALL), 1_000)
    assert purge_due(db) == []
    report(over.eval)
    gold.remove("bills")
    assert purge_due(db) == [over.batch]
    read(db, begun.batch)
    end(db, begun.batch)
    assert purge_due(db) == [over.batch, begun.batch]
    assert len(report(over.eval).figures) == 4  # figures hold no word of the texts
    with pytest.raises(InputError, match="its texts were purged"):
        report(begun.eval)


def test_a_replayed_batch_takes_its_copies_along_when_it_is_purged(db: Connection) -> None:
    batch = replayed(db)
    begun = run.begin(run.Source(EvalKind.REPLAY, str(batch)), plainly(SMALL), 100)
    read(db, begun.batch)
    end(db, begun.batch)
    db.execute("UPDATE batches SET state = 'purged' WHERE id = %s", (batch,))
    while value(db, "SELECT docmill_purge(%s, 10)", batch):
        pass
    assert purge_due(db) == [begun.batch]


@pytest.mark.usefixtures("bills")
def test_an_eval_that_is_purged_keeps_its_figures_and_one_that_is_deleted_too(
    db: Connection,
) -> None:
    begun = measured(db)
    before = report(begun.eval).figures
    db.execute("UPDATE batches SET state = 'purged', purge_at = now() WHERE state = 'finished'")
    while value(db, "SELECT docmill_purge(%s, 10)", begun.batch):
        pass
    assert value(db, "SELECT count(*) FROM eval_rows") == 0
    db.execute("DELETE FROM batches WHERE id = %s", (begun.batch,))
    assert report(begun.eval).figures == before
    assert listed()[0]["batch"] is None


@pytest.mark.usefixtures("bills")
def test_what_cannot_be_asked_is_said_before_anything_is_stored(db: Connection) -> None:
    for places, said in [
        (["gpu9/x"], "there is no engine 'gpu9'; there are: frontier, local"),
        ([SMALL, SMALL], "is named twice"),
        (["local/gpt-oss:120b-cloud"], "runs on the maker's servers"),
        ([f"local/m{n}" for n in range(60)], "2 different asks for 60 models are 120"),
    ]:
        with pytest.raises(InputError, match=said):
            run.begin(ALL, plainly(*places), 1_000)
    with pytest.raises(NotFound, match="there is no gold set nothing"):
        run.begin(run.Source(EvalKind.GOLD, "nothing"), plainly(SMALL), 1)
    with pytest.raises(NotFound, match="there is no batch 99"):
        run.begin(run.Source(EvalKind.REPLAY, "99"), plainly(SMALL), 1)
    with pytest.raises(NotFound, match="there is no eval 99"):
        report(99)
    assert value(db, "SELECT count(*) FROM batches") == 0


def invoked(*words: str, code: int = 0) -> str:
    done = CliRunner(env={"COLUMNS": "160"}).invoke(app, words)
    assert done.exit_code == code, (done.output, done.exception)
    return done.output


@pytest.mark.usefixtures("bills")
def test_the_commands_print_what_was_measured_and_write_the_table(
    db: Connection, tmp_path: Path
) -> None:
    assert "no evals yet" in invoked("eval", "list")
    begun = measured(db)
    said = invoked("eval", "show", str(begun.eval), "--write", str(tmp_path / "tasks.toml"))
    for words in (SMALL, "0.600 [0.423, 0.754]", "1.000 [0.886, 1.000]",
                  "is good enough", "[tasks.extraction]", "total"):  # fmt: skip
        assert words in said, said
    assert tomllib.loads((tmp_path / "tasks.toml").read_text())["tasks"]["extraction"]["model"]
    printed = json.loads(invoked("eval", "show", str(begun.eval), "--json"))
    assert {row["model"] for row in printed} == {SMALL, LARGE}
    assert "gold bills" in invoked("eval", "list")
    both = (str(begun.eval), str(begun.eval))
    assert "eval 1 and eval 1" in invoked("eval", "compare", *both)
    changed = json.loads(invoked("eval", "compare", *both, "--json"))
    assert {row["n_both"] for row in changed} == {1, 30}  # of two tasks
    invoked("eval", "--gold", "bills", code=2)
    invoked("replay", "1", code=2)


@pytest.mark.usefixtures("bills")
def test_a_tuned_model_is_measured_beside_its_base_and_others_and_kept_with_the_verdict(
    db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(batch: int, quietly: bool) -> None:
        read(db, batch)
        answered(db, batch, SMALL, "'x'")
        for place in (LARGE, OUTSIDE):
            answered(db, batch, place, "t")
        end(db, batch)

    monkeypatch.setattr("producer.cli.evaluate._wait", work)
    said = invoked(
        "tune", "eval", "--gold", "bills", "--base", SMALL, "--tuned", LARGE, "--model", OUTSIDE
    )  # fmt: skip
    assert "model 1 of the registry: better than its base" in said
    [row] = json.loads(invoked("models", "--json"))
    asked = {place: one["right"] for place, one in row["scores"]["extraction"].items()}
    held = value(db, "SELECT count(*) FROM gold WHERE split = 'held' AND task = 'extraction'")
    assert asked == {SMALL: 0, LARGE: held, OUTSIDE: held}
    assert (row["place"], row["base"], row["better"], row["eval"]) == (LARGE, SMALL, True, 1)
    again = ("tune", "eval", "--gold", "bills", "--base", LARGE, "--tuned", SMALL)
    assert "model 2 of the registry: not better than its base" in invoked(*again)


def test_a_file_of_labelled_lines_is_a_set_all_of_which_is_measured_on(
    db: Connection, tmp_path: Path
) -> None:
    path = tmp_path / "my bills.jsonl"
    path.write_text(lines(tmp_path / "x.jsonl").read_text().replace(
        '"fields"', '"ask": "Which total?", "fields"'
    ))  # fmt: skip
    source, again = run.imported(path, "Asha"), run.imported(path, "Asha")
    assert source == again
    assert source.name.startswith("my-bills-")
    assert (
        run.begin(source, plainly(SMALL), 1_000).texts
        == value(db, "SELECT count(*) FROM gold")
        == 31
    )


@pytest.fixture
def client() -> Iterator[TestClient]:
    with open_page() as client:
        yield client


@pytest.mark.usefixtures("bills")
def test_the_page_shows_evals_and_draws_cost_against_quality(
    db: Connection, client: TestClient
) -> None:
    assert "No evals yet" in see(client, "/evals")
    begun = measured(db)
    assert f'href="/evals/{begun.eval}"' in see(client, "/evals")
    seen = see(client, f"/evals/{begun.eval}")
    assert seen.count("<circle") == 2  # at two tasks; what the small model costs is not known
    assert "Not drawn, for what they cost is not known: local/gemma3:1b" in seen
    for words in ("is good enough", "[tasks.extraction]", "0.600", "the best"):
        assert words in seen, words
    assert "Asked again" not in seen  # the checks call nothing wrong
    open_one = run.begin(ALL, plainly(SMALL), 1)
    assert "It is not over" in see(client, f"/evals/{open_one.eval}")
    assert client.get("/evals/999").status_code == 404


def test_work_of_evals_is_no_volume(db: Connection) -> None:
    batch = replayed(db)
    begun = run.begin(run.Source(EvalKind.REPLAY, str(batch)), plainly(SMALL), 100)
    read(db, begun.batch)
    answered(db, begun.batch, SMALL, "t")
    volume = run.volumes()["extraction"]
    assert (volume.jobs, volume.days, volume.cost_usd) == (3, 1, Decimal("0.03"))
    db.execute("UPDATE batches SET created_at = now() - interval '20 days' WHERE id = %s", (batch,))
    assert round(run.volumes()["extraction"].days) == 20  # whenever in them it was asked
    db.execute("UPDATE batches SET created_at = now() - interval '90 days' WHERE id = %s", (batch,))
    assert run.volumes()["extraction"].days == 30
    db.execute("UPDATE calls SET job_id = NULL WHERE batch_id = %s", (batch,))
    db.execute("UPDATE calls SET attempt = 2 WHERE job_id IS NULL AND id = (SELECT id FROM calls "
               "WHERE job_id IS NULL LIMIT 1)")  # fmt: skip
    assert run.volumes()["extraction"].jobs == 2  # a purged job's later calls are no further jobs
    db.execute("UPDATE calls SET batch_id = NULL")
    assert run.volumes() == {}  # nobody can tell whether it was work


def test_the_same_model_with_and_without_examples_stands_side_by_side(
    db: Connection, tmp_path: Path
) -> None:
    found = [{"text": f"Bill {n} of a shop: {n}.00", "fields": {"total": "1"}} for n in range(30)]
    (tmp_path / "x.jsonl").write_text("\n".join(map(json.dumps, found)))
    gold.import_file("bills", tmp_path / "x.jsonl", "Asha", DEFAULTS)
    ways = list(candidates([SMALL], [1], [0, 3]))
    begun = run.begin(HELD, ways, 1_000)
    assert rows(db, "SELECT examples, prompt FROM asks ORDER BY ordinal") == [
        (None, 1),
        ({"gold": "bills", "most": 3}, 1),
    ]
    read(db, begun.batch)
    answered(db, begun.batch, SMALL, "'1'")
    end(db, begun.batch)
    scored = {score.place for score in run.scores(begun.eval)}
    assert scored == {each.label for each in ways}
    made = report(begun.eval)
    assert {candidate(one.place).examples for one in made.figures} == {0, 3}
    assert made.choices[0].chosen is not None
    assert made.choices[0].chosen.place == f"{SMALL} prompt 1"
    assert 'model = "gemma3:1b"' in made.table
    assert "prompts promote extraction 1" in made.table


def test_a_version_that_no_prompt_has_is_refused_before_anything_is_stored(
    db: Connection, bills: None
) -> None:
    with pytest.raises(InputError, match=r"the prompt of \w+ has no version 99; there are 1"):
        run.begin(ALL, list(candidates([SMALL], [99], [])), 1_000)
    assert value(db, "SELECT count(*) FROM evals") == 0
