"""What becomes of each document is told, and what helps: nothing ends without a word."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import traces
from tests.commands import Docmill
from tests.pdfs import LETTER, break_page, made, picture
from tests.rows import Connection, column
from tests.stubs.process import stub_process
from tests.waiting import wait_until

ASK = ("--ask", "What is it about?", "--task", "extraction", "--fields", "subject")
PASSWORD = "word-that-opens-it"
FILES = {
    "a-letter.txt": LETTER.encode(),
    "b-broken.pdf": b"%PDF-1.4 nothing",
    "c-empty.pdf": made(""),
    "d-locked.pdf": made(LETTER, password=PASSWORD, owner="owner"),
    "e-partly.pdf": picture(210, 150, text=LETTER, pages=3),
    "f-scan.pdf": picture(210, 250),
    "g-two.pdf": break_page(made(LETTER, "Second."), 2),
}
ENDS = {
    "a-letter.txt": "done",
    "b-broken.pdf": "failed",
    "c-empty.pdf": "skipped",
    "d-locked.pdf": "needs_password",
    "e-partly.pdf": "partly",
    "f-scan.pdf": "needs_ocr",
    "g-two.pdf": "partly",
}


@pytest.fixture
def docmill(tmp_path: Path, database_url: str, redis_url: str) -> Iterator[Docmill]:
    (tmp_path / "in").mkdir()
    for name, data in FILES.items():
        (tmp_path / "in" / name).write_bytes(data)
    (tmp_path / "docmill.toml").write_text('[reading]\nocr = "off"\n')
    with stub_process("ollama", "--models", "phi4-mini") as ollama:
        yield Docmill.in_the_building(tmp_path, database_url, redis_url, ollama.url)


def test_each_document_has_its_fate_and_bytes_stay_for_what_can_still_be_read(
    docmill: Docmill, db: Connection
) -> None:
    batch = str(docmill.json("submit", "in", *ASK)["batch"])
    with docmill.worker("all"):
        status = docmill.until_over(int(batch))
        assert status["documents"] == {
            "done": 1, "failed": 1, "skipped": 1, "needs_password": 1, "partly": 2, "needs_ocr": 1,
        }  # fmt: skip
        rows = docmill.json("documents", batch)
        assert {row["document"].removeprefix("in/"): row["state"] for row in rows} == ENDS
        assert [row["reason"] for row in rows if row["state"] == "skipped"] == ["no_text"]
        assert [row["missing"] for row in rows if row["state"] == "partly"] == [
            [{"why": "needs_ocr", "pages": "2-3"}],
            [{"why": "unreadable", "pages": "2"}],
        ]
        assert [row["jobs_finished"] for row in rows if row["missing"]] == [2, 2]
        assert _kept(db) == [
            "b-broken.pdf",
            "d-locked.pdf",
            "e-partly.pdf",
            "f-scan.pdf",
            "g-two.pdf",
        ]

        said = " ".join(docmill.run("status", batch).split())
        for state in ("needs_ocr", "needs_password", "partly", "skipped"):
            assert f"{state}: " in said
            assert f"docmill documents {batch} --state {state}" in said
        assert f"docmill retry {batch} --password-file FILE" in said
        assert "`pip install 'docmill[ocr]'` where documents are read, then" in said
        assert f"`docmill retry {batch} --reason needs_ocr`" in said
        assert "f-scan.pdf" in docmill.run("documents", batch, "--state", "needs_ocr")
        assert "a-letter.txt" not in docmill.run("documents", batch, "--state", "needs_ocr")

        told = docmill.rows(batch, "--with-documents")
        assert {
            row["document"].removeprefix("in/"): row["state"] for row in told if not row["ask"]
        } == {name: end for name, end in ENDS.items() if end != "done"}
        assert all(row["error"]["message"] for row in told if not row["ask"])
        assert "pages 2-3 (needs_ocr)" in docmill.run("results", batch, "--with-documents")

        assert "0 jobs and 1 documents are back" in docmill.run(
            "retry", batch, "--reason", "needs_ocr"
        )
        assert docmill.until_over(int(batch))["documents"]["needs_ocr"] == 1

        before = docmill.rows(batch)
        assert "0 jobs and 2 documents are back" in docmill.run(
            "retry", batch, "--reason", "partly"
        )
        docmill.until_over(int(batch))
        # the leader's next turn: then what was read again has the place of what was read before
        wait_until(
            lambda: docmill.json("status", batch)["documents"]["partly"] == 2,
            every=0.5,
            what="two documents are left of four",
        )
        after = docmill.rows(batch)
        assert [_said(row) for row in after] == [_said(row) for row in before]
        made = column(db, "SELECT state FROM calls WHERE job_id IS NOT NULL AND purpose = 'run'")
        assert sorted(set(made)) == ["reused", "settled"]


def _said(row: dict[str, object]) -> tuple[object, ...]:
    return row["document"], row["pages"], row["state"], row["value"], row["spans"]


def _kept(db: Connection) -> list[str]:
    names = column(
        db,
        "SELECT d.path FROM documents d JOIN document_contents c ON c.document_id = d.id "
        "ORDER BY d.id",
    )
    return [name.removeprefix("in/") for name in names]


def test_a_password_opens_a_document_at_the_door_and_later_and_is_kept_nowhere(
    docmill: Docmill, database_url: str
) -> None:
    (docmill.folder / "passwords").write_text(f"wrong\n{PASSWORD}\n")
    path = "in/d-locked.pdf"
    said = docmill.run("submit", path, *ASK, "--password", "wrong")
    assert "batch 1: 1 document submitted" in said
    docmill.run("submit", path, *ASK, "--password-file", "passwords")
    with docmill.worker("all"):
        assert docmill.until_over(2)["documents"] == {"done": 1}
        assert docmill.until_over(1)["documents"] == {"needs_password": 1}
        assert "1 were opened by no password" in docmill.run("retry", "1", "--password", "other")
        assert docmill.json("status", "1")["state"] == "finished"
        again = docmill.run("retry", "1", "--password-file", "passwords")
        assert again.startswith("1 documents are back in line; 0 were")
        assert docmill.until_over(1)["documents"] == {"done": 1}
    [row] = docmill.rows("1")
    assert row["pages"] == [1, 1]
    kept = {**traces.tables(database_url), **traces.files(docmill.folder / ".docmill")}
    logs = {file.name: file.read_text() for file in docmill.folder.glob("*.log")}
    assert [where for where, text in {**kept, **logs}.items() if PASSWORD in text] == []


def test_a_plan_names_what_it_cannot_read_and_opens_what_it_can(docmill: Docmill) -> None:
    said = " ".join(docmill.run("submit", "in", *ASK, "--plan").split())
    for name in ("b-broken.pdf", "d-locked.pdf", "f-scan.pdf"):
        assert name in said
    planned = json.loads(
        docmill.run("submit", "in", *ASK, "--plan", "--json", "--password", PASSWORD)
    )
    assert {row["category"] for row in planned["unreadable"]} == {"damaged", "needs_ocr"}


def test_a_submit_of_which_all_is_refused_says_so_and_exits_with_1(docmill: Docmill) -> None:
    folder = docmill.folder / "refused"
    folder.mkdir()
    for number in range(30):
        (folder / f"{number:02}.txt").write_text("")
    said = docmill.run("submit", "refused", *ASK, code=1)
    assert "nothing was submitted: all of 30 were refused" in said
    assert "... and 10 more refused (10 empty); --json names all" in said
