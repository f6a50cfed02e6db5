"""Gold in Postgres: what gets in, what stays when its batch goes, what comes out."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from models.errors import InputError, NotFound
from models.words import Split, split_of
from producer import gold, review
from producer.cli.app import app
from producer.gold import Defaults
from tests.rows import column, one, rows, value
from tests.web_batches import TEXT, Connection, answer, make_batch

VALUE = {"total": "42.50"}
WRONG = {"outcome": "wrong", "code": "not_in_text", "about": None, "span": None, "page": None}
DEFAULTS = Defaults(ask="Which total?", source="public", licence="CC0-1.0")


@pytest.fixture(autouse=True)
def _no_redis(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")


def reviewed(db: Connection, **spec: Any) -> tuple[int, int]:
    """A batch with one corrected total; its job."""
    batch = make_batch(db, ["a.txt"], **spec)
    [job] = answer(db, batch, "extraction", VALUE, fields={"total": WRONG})
    review.correct(job, {"total": "43.00"}, "Asha")
    return batch, job


def purge(db: Connection, batch: int) -> None:
    db.execute("UPDATE batches SET state = 'purged' WHERE id = %s", (batch,))
    while value(db, "SELECT docmill_purge(%s, 10)", batch):
        pass


def test_a_corrected_answer_becomes_gold_with_its_text_and_where_it_comes_from(
    db: Connection,
) -> None:
    batch, job = reviewed(db, policy="local-only")
    added = gold.add_batch("invoices", batch, "Asha")
    assert (added.fresh, added.replaced, added.unsettled) == (1, 0, 0)
    [row] = gold.rows_of("invoices")
    assert (row["text"], row["fields"]) == (TEXT, {"total": "43.00"})
    assert (row["ask"], row["licence"], row["local_only"]) == ("Extract the total", "own", True)
    assert (row["source"], row["model"]) == (f"batch {batch}, job {job}", "local/phi4-mini")
    assert list(row["schema"]["properties"]) == ["total"]
    digest = value(db, "SELECT encode(sha256, 'hex') FROM documents")
    assert (row["document"], row["split"]) == (digest, split_of(digest))


def test_a_later_correction_replaces_the_answer_of_the_same_row(db: Connection) -> None:
    batch, job = reviewed(db)
    gold.add_batch("invoices", batch, "Asha")
    review.correct(job, {"total": "44.00"}, "Ravi")
    added = gold.add_batch("invoices", batch, "Ravi")
    assert (added.fresh, added.replaced) == (0, 1)
    assert [row["fields"] for row in gold.rows_of("invoices")] == [{"total": "44.00"}]


def test_an_answer_of_which_nobody_vouches_for_all_is_left_out_and_counted(
    db: Connection,
) -> None:
    batch = make_batch(db, ["a.txt"])
    db.execute("UPDATE asks SET json_schema = NULL")
    both = {"total": "1", "vendor": "x"}
    [job] = answer(db, batch, "extraction", both, fields={"total": WRONG, "vendor": WRONG})
    review.correct(job, {"total": "2"}, "Asha")
    added = gold.add_batch("invoices", batch, "Asha")
    assert (added.fresh, added.unsettled, added.first_unsettled) == (0, 1, job)
    review.correct(job, {}, "Asha", confirm=True)
    assert gold.add_batch("invoices", batch, "Asha").fresh == 1


def test_the_text_of_an_ask_about_a_whole_document_is_what_its_prompt_holds(
    db: Connection,
) -> None:
    batch, job = reviewed(db)
    db.execute("UPDATE jobs SET chunk_id = NULL WHERE id = %s", (job,))
    db.execute(
        "INSERT INTO chunks (document_id, ordinal, page_from, page_to, char_start, char_end, "
        "tokens, sha256, text, blank) SELECT id, n, n, n, n, n, 9, '', 'chunk ' || n, b "
        "FROM documents, (VALUES (2, NULL), (3, 'no letters'), (4, NULL)) AS k (n, b)"
    )
    gold.add_batch("invoices", batch, "Asha")
    assert [row["text"] for row in gold.rows_of("invoices")] == [f"{TEXT}\n\nchunk 2\n\nchunk 4"]


def test_gold_goes_with_its_batch_unless_it_was_added_to_stay(db: Connection) -> None:
    batch, _ = reviewed(db)
    gold.add_batch("going", batch, "Asha")
    gold.add_batch("staying", batch, "Asha", keep=True)
    gold.add_batch("staying", batch, "Asha")  # once kept, it stays so
    purge(db, batch)
    assert [row["name"] for row in gold.sets()] == ["staying"]
    assert one(db, "SELECT job_id, text FROM gold") == (None, TEXT)
    assert gold.remove("staying") == 1
    with pytest.raises(NotFound, match="there is no gold set staying"):
        gold.remove("staying")


def lines(path: Path, *found: dict[str, Any]) -> Path:
    path.write_text("\n".join(map(json.dumps, found)))
    return path


def test_labelled_lines_are_imported_exported_and_imported_again_as_they_were(
    db: Connection, tmp_path: Path
) -> None:
    found = [{"text": f"Total: {n}", "fields": {"total": str(n)}} for n in range(300)]
    path = lines(tmp_path / "open.jsonl", *found, {"text": "angry", "label": "complaint"})
    assert gold.import_file("open", path, "Asha", DEFAULTS).fresh == 301
    out = list(gold.rows_of("open"))
    assert column(db, "SELECT DISTINCT local_only FROM gold") == [False]
    held = [row for row in out if row["split"] == "held"]
    assert list(gold.rows_of("open", Split.HELD)) == held
    assert 70 < len(held) < 130
    again = lines(tmp_path / "again.jsonl", *out)
    assert gold.import_file("again", again, "Asha", Defaults()).fresh == 301
    assert list(gold.rows_of("again")) == out
    assert gold.import_file("open", path, "Asha", DEFAULTS).replaced == 301


def test_a_file_with_a_line_that_cannot_be_used_adds_nothing_and_names_it(
    db: Connection, tmp_path: Path
) -> None:
    good = {"text": "a", "fields": {"total": "1"}}
    wrong = [{"text": "a"}, {**good, "fields": {"total": "2"}}, good, {**good, "split": "x"}]
    path = lines(tmp_path / "open.jsonl", good, *wrong)
    with pytest.raises(InputError) as error:
        gold.import_file("open", path, "Asha", DEFAULTS)
    said = str(error.value).splitlines()
    assert said[0].endswith("nothing was imported, for these lines:")
    assert [line.split(":")[0].strip() for line in said[1:]] == ["line 2", "line 3", "line 5"]
    assert "asks the same as line 1, with another answer" in said[2]
    assert rows(db, "SELECT FROM gold") == []


def test_the_commands_add_list_export_import_and_remove(db: Connection, tmp_path: Path) -> None:
    batch, _ = reviewed(db)
    run = CliRunner(env={"COLUMNS": "160"}).invoke

    def said(*words: object) -> str:
        done = run(app, ["gold", *map(str, words)], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return " ".join(done.output.split())

    assert "no gold yet" in said("list")
    assert "1 row added to mine, 0 replaced" in said("add", "mine", batch)
    path = tmp_path / "mine.jsonl"
    said("export", "mine", "--out", path)
    assert "1 row added to other, 0 replaced" in said("import", "other", path)
    listed = json.loads(said("list", "--json"))
    assert [(row["name"], row["rows"], row["kept"]) for row in listed] == [
        ("mine", 1, 0),
        ("other", 1, 1),
    ]
    assert "extraction own" in said("list")
    assert "1 rows of mine are gone" in said("remove", "mine")
