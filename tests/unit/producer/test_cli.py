import subprocess
import sys
from importlib.metadata import version

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from models.words import TaskType
from producer.cli.app import COMMANDS, DATABASE_COMMANDS, app
from producer.cli.options import task
from tests.commands import ROOT

RUN = """
import sys
before = set(sys.modules)
from producer.cli import main
try:
    main()
finally:
    print(*sorted(set(sys.modules) - before), file=sys.stderr)
"""
LIGHT = {"models", "producer", "typer", "annotated_doc", "shellingham"}


def packages_imported_by(*words: str) -> set[str]:
    """What `docmill` with these words imports beyond the standard library."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, *words], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    modules = done.stderr.splitlines()[-1].split()
    return {name.partition(".")[0] for name in modules} - sys.stdlib_module_names


@pytest.mark.parametrize(
    "words",
    [("--help",), ("submit", "--help"), ("db", "--help"), ("db", "upgrade", "--help"), ("typo",)],
    ids=" ".join,
)
def test_help_imports_nothing_heavy(words):
    packages = packages_imported_by(*words)
    assert {"producer", "typer"} <= packages
    assert packages <= LIGHT


@pytest.mark.parametrize("words", [("submit",), ("status", "x")], ids=" ".join)
def test_wrong_usage_is_explained_without_rich(words):
    packages = packages_imported_by(*words)
    assert "typer" in packages
    assert "rich" not in packages


@pytest.mark.parametrize("columns", [50, 80])
@pytest.mark.parametrize(("words", "commands"), [([], COMMANDS), (["db"], DATABASE_COMMANDS)])
def test_the_list_of_commands_says_all_of_each(words, commands, columns):
    runner = CliRunner(env={"COLUMNS": str(columns)})
    printed = "".join(runner.invoke(app, [*words, "--help"]).output.split())
    for command in commands.values():
        assert "".join(command.__doc__.split()) in printed


def every_command(group=None, path=()):
    """Each command with the words that call it."""
    for name, command in (group or get_command(app)).commands.items():
        yield (*path, name), command
        if hasattr(command, "commands"):
            yield from every_command(command, (*path, name))


def test_every_command_argument_and_option_says_what_it_is():
    runner = CliRunner(env={"COLUMNS": "80"})
    found = dict(every_command())
    assert {("submit",), ("db", "upgrade")} <= found.keys()
    for words, command in found.items():
        printed = "".join(runner.invoke(app, [*words, "--help"]).output.split())
        for said in (command.help, *(parameter.help for parameter in command.params)):
            assert said, words
            assert "".join(said.split()) in printed


def test_every_task_type_can_be_chosen_and_auto():
    for choice in (*TaskType, "auto"):
        assert task(choice) == choice
    with pytest.raises(typer.BadParameter, match="'poetry' is not one of auto, extraction"):
        task("poetry")


def docmill(*words):
    return subprocess.run(
        [sys.executable, "-m", "producer", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_version_is_that_of_the_package():
    assert docmill("--version").stdout == f"docmill {version('docmill')}\n"


def test_an_error_is_one_line_that_steers_no_terminal():
    done = docmill("submit", "-", "--spec", "\x1b[2J\x9b.yaml")
    assert done.returncode == 1
    assert done.stderr.startswith(r"docmill: \x1b[2J\x9b.yaml: ")
    assert len(done.stderr.splitlines()) == 1
    done = docmill("costs", "1", "\x1b[2J")
    assert done.returncode == 2
    assert "\x1b" not in done.stderr


def test_tune_train_hands_on_what_was_said_and_nothing_else(monkeypatch):
    from producer import processes

    heard = []
    monkeypatch.setattr(processes, "run_worker_module", lambda *words: heard.append(words) or 0)
    words = ["tune", "train", "pairs.jsonl", "--out", "tuned", "--minutes", "5", "--base", "m.gguf"]
    words += ["--adapter", "shipped"]
    assert CliRunner().invoke(app, words).exit_code == 0
    said = ("--out=tuned", "--base=m.gguf", "--adapter=shipped", "--minutes=5.0")
    assert heard == [("tune", "pairs.jsonl", *said)]
