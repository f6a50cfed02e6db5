import subprocess
import sys

import pytest
from typer.testing import CliRunner

from producer.cli import app, database_commands
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
@pytest.mark.parametrize(("words", "commands"), [([], app), (["db"], database_commands)])
def test_the_list_of_commands_says_all_of_each(words, commands, columns):
    runner = CliRunner(env={"COLUMNS": str(columns)})
    printed = "".join(runner.invoke(app, [*words, "--help"]).output.split())
    for command in commands.registered_commands:
        assert "".join(command.callback.__doc__.split()) in printed
