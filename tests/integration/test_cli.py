"""The command line as a process: what it says of numbers, names and Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from models.errors import NotFound
from models.words import Policy
from producer.cli.app import app
from tests.commands import Docmill
from tests.integration.test_database import backends
from tests.waiting import wait_until
from tests.web_batches import Connection

ASK = ("--ask", "What does it say?", "--task", "extraction", "--policy", Policy.LOCAL_ONLY)


@pytest.fixture
def docmill(database_url: str, redis_url: str, tmp_path: Path) -> Docmill:
    return Docmill(tmp_path, {"DATABASE_URL": database_url, "REDIS_URL": redis_url})


STEERS = ("pause", "resume", "cancel", "retry")
TAKE_A_BATCH = ("watch", "status", "receipt", "results", "costs", *STEERS)


@pytest.mark.usefixtures("database_url")
def test_a_number_that_is_no_batch_is_said_by_every_command() -> None:
    runner = CliRunner()
    for number in (424242, 2**63, 10**40):
        calls = [[command, str(number)] for command in TAKE_A_BATCH]
        for words in (*calls, ["priority", str(number), "1"], ["watch", str(number), "--json"]):
            done = runner.invoke(app, words)
            assert isinstance(done.exception, NotFound), words
            assert f"there is no batch {number};" in str(done.exception)
            assert done.output == ""


def test_the_command_says_it_in_one_line(docmill: Docmill) -> None:
    said = docmill.run("costs", "9223372036854775808", code=1)
    assert said.startswith("docmill: there is no batch 9223372036854775808; ")
    assert len(said.splitlines()) == 1


def test_a_number_that_is_too_large_for_its_option_is_wrong_usage(docmill: Docmill) -> None:
    assert "from 0 to 1000000000" in docmill.run("resume", "1", "--max-cost", "1e30", code=2)
    assert "1000000" in docmill.run("priority", "1", "1000001", code=2)
    said = docmill.run("submit", "-", *ASK, "--priority", "1000001", stdin="x", code=1)
    assert said.startswith("docmill: options: priority: ")


def test_a_deadline_that_is_none_or_has_passed_is_said_with_the_way_out(docmill: Docmill) -> None:
    said = docmill.run("submit", "-", *ASK, "--deadline", "soon", stdin="x", code=1)
    assert said.startswith("docmill: options: deadline: must be 18:00 (a time of today), 6h, ")
    (docmill.folder / "spec.yaml").write_text("{deadline: 2026-01-01T09:00, asks: [{ask: a}]}")
    said = docmill.run("submit", "-", "--spec", "spec.yaml", stdin="x", code=1)
    assert said.startswith("docmill: spec.yaml: deadline: 2026-01-01T09:00 has passed, it is ")
    said = docmill.run("submit", "-", "--resume", "1", "--deadline", "6h", stdin="x", code=2)
    assert "--resume takes paths alone" in said


def test_a_name_that_is_no_text_is_printed_stored_and_found(docmill: Docmill) -> None:
    folder = docmill.folder / "in"
    folder.mkdir()
    (folder / os.fsdecode(b"a\xe9.txt")).write_text("text")
    (folder / os.fsdecode(b"b\xe9.txt")).write_bytes(b"")
    docmill.environment["PYTHONIOENCODING"] = "utf-8:strict"
    made = json.loads(docmill.run("submit", "in", *ASK, "--json"))
    assert made["documents"] == 1
    assert [refused["path"] for refused in made["refused"]] == ["in/b\\xe9.txt"]
    name = os.fsdecode(b"in/a\xe9.txt")
    docmill.run("results", str(made["batch"]), "--document", name, "--format", "jsonl")
    assert "not text in UTF-8" in docmill.run("results", "--ask", name, code=2)


def test_a_spec_with_a_nul_is_refused_in_one_line_that_names_the_key(docmill: Docmill) -> None:
    (docmill.folder / "spec.yaml").write_text('asks: [{ask: "nul\\0byte"}]')
    said = docmill.run("submit", "-", "--spec", "spec.yaml", stdin="x", code=1)
    assert said.startswith(r"docmill: spec.yaml: asks.0.ask: holds '\x00', which cannot be stored")
    assert len(said.splitlines()) == 1


def test_ctrl_c_ends_a_submit_with_one_line_and_stores_nothing(
    docmill: Docmill, db: Connection
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "producer", "submit", "-", *ASK],
        cwd=docmill.folder,
        env=docmill._environment(),
        stdin=subprocess.PIPE,  # it waits for its end
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        wait_until(lambda: backends(db), timeout=60, what="it has begun")
        # An interrupt in the middle of an import may be swallowed by the import itself.
        wait_until(lambda: reads_input(process.pid), timeout=60, what="it reads its input")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130  # before its input is closed, which ends it, too
        assert process.communicate() == ("", "docmill: interrupted\n")
    assert db.execute("SELECT count(*) FROM batches").fetchone() == (0,)


def reads_input(pid: int) -> bool:
    """Whether it is in the call read(0, ...): number 0 on x86-64, 63 on arm64 (proc(5))."""
    number, descriptor, *_ = [*Path(f"/proc/{pid}/syscall").read_text().split(), "", ""]
    return number in ("0", "63") and descriptor == "0x0"
