"""What `docmill prompts` says of the versions that there are."""

import difflib
import json
from collections.abc import Iterator, Mapping

from models.words import TaskType
from worker.prompts.files import current, numbers, prompt, words_of


def known() -> str:
    """The versions of each task's prompt, as JSON."""
    return json.dumps({task: numbers(task) for task in TaskType}) + "\n"


def listed(named: Mapping[TaskType, int]) -> str:
    """A line for each version of each prompt. `named`: those that docmill.toml names."""
    return "".join(_lines(named))


def _lines(named: Mapping[TaskType, int]) -> Iterator[str]:
    for name, ships in current().items():
        counts = {str(task): number for task, number in named.items()}.get(name, ships)
        for number in numbers(name):
            chosen = prompt(name, number)
            why = "docmill.toml names it" if name in named else "as it ships"
            said = f"  counts: {why}" if number == counts else ""
            yield f"{chosen.label:<18}{chosen.version}{said}\n"


def difference(name: str, old: int | None, new: int | None, named: Mapping[TaskType, int]) -> str:
    """How two versions differ, as a unified diff. Raises ConfigError where there is no such one."""
    one = old or {str(task): number for task, number in named.items()}.get(name, current()[name])
    other = new or numbers(name)[-1]
    lines = difflib.unified_diff(
        words_of(name, one).splitlines(keepends=True),
        words_of(name, other).splitlines(keepends=True),
        f"{name}/{one}",
        f"{name}/{other}",
    )
    return "".join(lines) or f"{name}/{one} and {name}/{other} say the same\n"
