import ast
import re
from pathlib import Path

import pytest

from models.sql import load_sql

ROOT = Path(__file__).parents[3]
PACKAGES = ("worker", "producer")
RUNNERS = {"run", "run_once", "run_all", "append", "load_sql", "_all", "_one", "_run"}
RUNNERS |= {"one", "every"}
RUNNERS |= {"fetch", "execute"}
WORD = re.compile(r"([a-z]+/)?[a-z]+(_[a-z]+)*")


def files(package: str) -> list[str]:
    """The names of a package's statements: their paths, without what every one of them has."""
    folder = ROOT / package / "sql"
    return sorted(str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.sql"))


def trees(package: str) -> list[ast.Module]:
    return [ast.parse(path.read_text("utf-8")) for path in (ROOT / package).rglob("*.py")]


def words(package: str) -> set[str]:
    """Every string in a package's program, and what its f-strings come to."""
    nodes = [node for tree in trees(package) for node in ast.walk(tree)]
    found = {node.value for node in nodes if isinstance(node, ast.Constant)}
    return {word for word in found if isinstance(word, str)}


def name_of(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def statements(argument: ast.AST) -> set[str]:
    """Names of statements: a string, or the first of a pair with its parameters."""
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        return {argument.value}
    if isinstance(argument, ast.List):
        return set().union(*map(statements, argument.elts))
    if isinstance(argument, ast.Tuple) and len(argument.elts) == 2:
        return statements(argument.elts[0])
    return set()


def named(package: str) -> set[str]:
    """What a package's program passes to something that runs a statement."""
    calls = [n for tree in trees(package) for n in ast.walk(tree) if isinstance(n, ast.Call)]
    found: set[str] = set()
    for call in calls:
        if name_of(call) in RUNNERS:
            given = call.args[:2] if name_of(call) in ("load_sql", "fetch") else call.args[:1]
            found |= set().union(*map(statements, given))
    rooms = package == "worker"
    return {
        name for name in found - set(PACKAGES) if WORD.fullmatch(name) and ("/" in name) == rooms
    }


@pytest.mark.parametrize("package", PACKAGES)
def test_every_statement_is_used_somewhere(package):
    assert set(files(package)) <= words(package)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_statement_that_is_named_exists(package):
    assert len(named(package)) > 10
    assert named(package) <= set(files(package))


@pytest.mark.parametrize(
    ("package", "name"),
    [(package, name) for package in PACKAGES for name in files(package)],
)
def test_every_statement_can_be_loaded_and_is_one_statement(package, name):
    sql = re.sub(r"--.*|'[^']*'", "", load_sql(package, name))
    assert sql.strip()
    assert ";" not in sql
    assert sql.count("(") == sql.count(")")


@pytest.mark.parametrize(
    ("package", "name"),
    [(package, name) for package in PACKAGES for name in files(package)],
)
def test_every_statement_takes_its_parameters_by_name(package, name):
    sql = load_sql(package, name)
    assert re.sub(r"%\([a-z_]+\)s|%%", "", sql).count("%") == 0
