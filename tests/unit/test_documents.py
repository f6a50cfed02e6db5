"""What the documents name exists: files, links, commands, options and keys."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main
import yaml

from models.config_file import checked_config
from models.spec import make_spec
from producer.cli.app import app

ROOT = Path(__file__).parents[2]
DOCUMENTS = (
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "benchmarks/README.md",
)
TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in DOCUMENTS}
EVERY = pytest.mark.parametrize("name", TEXTS)

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
FILE = re.compile(r"[\w./-]+\.(?:py|sql|lua|toml|yml|md)")

FOLDERS = ("benchmarks", "docs", "migrations", "models", "producer", "samples", "tests", "worker")
FILES = {
    *(path.name for path in ROOT.iterdir()),
    *(
        path.relative_to(ROOT).as_posix()
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.*")
    ),
}
USERS = ("docmill.toml",)


def exists(name: str) -> bool:
    """A file of the repository, by its path or the end of it; or one of the user's."""
    return name in USERS or any(f"/{file}".endswith(f"/{name}") for file in FILES)


def prose(name: str) -> str:
    return BLOCK.sub("", TEXTS[name])


def blocks(name: str, *languages: str) -> list[str]:
    return [text for language, text in BLOCK.findall(TEXTS[name]) if language in languages]


def anchors(text: str) -> set[str]:
    heads = HEADING.findall(BLOCK.sub("", text))
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


def commands(name: str) -> Iterator[list[str]]:
    """The words of every `docmill ...` that a document shows."""
    shown = [line for text in blocks(name, "sh") for line in text.replace("\\\n", " ").splitlines()]
    for line in [*shown, *CODE.findall(prose(name))]:
        if found := re.match(r"(?:\.venv/bin/)?docmill (?!COMMAND)(.+)", line):
            yield shlex.split(found[1], comments=True)


@EVERY
def test_every_file_that_is_named_is_there(name):
    if name == "CHANGELOG.md":
        return  # it also tells of what was
    named = [code for code in CODE.findall(prose(name)) if FILE.fullmatch(code)]
    assert [file for file in named if "ROOM" not in file and not exists(file)] == []


def test_the_architecture_names_every_floor_and_every_library():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    layers = project["tool"]["importlinter"]["contracts"][1]["layers"]
    named = set(CODE.findall(prose("ARCHITECTURE.md")))
    assert {room for floor in layers for room in floor.split(" | ")} <= named
    extras = project["project"]["optional-dependencies"].values()
    listed = (
        project["project"]["dependencies"],
        *extras,
        project["dependency-groups"]["dev"],
    )
    libraries = {re.split(r"[\[<>=]", one)[0] for group in listed for one in group}
    text = TEXTS["ARCHITECTURE.md"].partition("## Libraries")[2].partition("\n## ")[0]
    assert libraries - set(re.findall(r"[\w-]+", text)) == set()


@EVERY
def test_every_link_leads_somewhere(name):
    for link in LINK.findall(prose(name)):
        if link.startswith("http"):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / name).parent / path if path else ROOT / name
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.read_text("utf-8")), link


@EVERY
def test_every_command_and_option_exists(name):
    for words in commands(name):
        command = typer.main.get_command(app)
        path = [word for word in words if not word.startswith("-")]
        while path and path[0] in getattr(command, "commands", {}):
            command = command.commands[path.pop(0)]
        alone = getattr(command, "invoke_without_command", False)  # as eval, with its options
        assert not hasattr(command, "commands") or alone or not path, words
        known = {option for each in command.params for option in each.opts} | {"--help"}
        given = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert given <= known, words


def test_every_command_is_said_in_the_manual():
    manual = " ".join(text for name, text in TEXTS.items() if name.startswith(("docs/", "README")))
    for command in typer.main.get_command(app).commands:
        assert f"docmill {command}" in manual


@EVERY
def test_every_docmill_toml_and_spec_is_valid(name):
    for text in blocks(name, "toml"):
        raw = tomllib.loads(text)
        raw.setdefault("engines", {})
        for place in raw.get("tasks", {}).values():  # engines that another block names
            for step in place.get("escalate", ()):
                raw["engines"].setdefault(step.partition("/")[0], {})
        checked_config(raw, name)
    for text in blocks(name, "yaml"):
        make_spec(yaml.safe_load(text), name)
