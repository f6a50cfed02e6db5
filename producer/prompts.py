"""Which versions of prompts there are, and which of them docmill.toml names."""

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

from models.errors import InputError
from models.words import TaskType
from producer.processes import piped_through_worker

_TABLE = re.compile(r"^\[prompts\][^\S\n]*(?:#.*)?\n", re.MULTILINE)

_ANY_TABLE = re.compile(r"^\[", re.MULTILINE)


def known_prompts() -> Mapping[str, list[int]]:
    """The versions of each task's prompt, the oldest first."""
    [line] = piped_through_worker("prompts", "known", lines=())
    found: Mapping[str, list[int]] = json.loads(line)
    return found


def refuse_prompts(asked: Iterable[tuple[str | None, int | None]]) -> None:
    """Raises InputError where a task's prompt has no such version; None: the one that counts."""
    named = [(task, number) for task, number in asked if task is not None and number is not None]
    known = known_prompts() if named else {}
    for task, number in named:
        if number not in known[task]:
            there_are = ", ".join(map(str, known[task]))
            raise InputError(f"the prompt of {task} has no version {number}; there are {there_are}")


def promote(file: Path, task: TaskType, number: int) -> None:
    """Have docmill.toml name a version of a task's prompt. Raises InputError where there is no such
    version, or the file cannot be changed for sure."""
    refuse_prompts([(task, number)])
    before = file.read_text("utf-8") if file.exists() else ""
    after = promoted(before, task, number)
    if after is None:
        raise InputError(
            f"{file}: cannot be changed without a risk; write `{task} = {number}` into its "
            "[prompts] yourself, and then `docmill config apply`"
        )
    file.write_text(after, "utf-8")


def promoted(text: str, task: TaskType, number: int) -> str | None:
    """The text of docmill.toml with the version in it, and all else as it stands; None: it says it
    in a way that this cannot change."""
    line = f"{task} = {number}\n"
    own = re.compile(rf"^{task}[^\S\n]*=.*(?:\n|\Z)", re.MULTILINE)
    table = _TABLE.search(text)
    if table is None:
        gap = "" if not text else "\n" if text.endswith("\n") else "\n\n"
        changed = f"{text}{gap}[prompts]\n{line}"
    else:
        start = table.end()
        following = _ANY_TABLE.search(text, start)
        end = following.start() if following else len(text)
        body = text[start:end]
        said = own.sub(line, body, count=1) if own.search(body) else line + body
        changed = text[:start] + said + text[end:]
    return changed if _is_that_change(text, changed, task, number) else None


def _is_that_change(before: str, after: str, task: TaskType, number: int) -> bool:
    try:
        said, says = tomllib.loads(before), tomllib.loads(after)
    except tomllib.TOMLDecodeError:
        return False
    return says == {**said, "prompts": {**said.get("prompts", {}), str(task): number}}
