"""Files of lines that people hand in: each line is used, or named with what is wrong with it."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, AnyStr, TextIO

from models.errors import InputError

MOST_PROBLEMS = 20
"""Lines that are named before the rest of a file is given up."""

MOST_LINE = 10_000_000
"""Characters of a line."""

MOST_LEVELS = 100
"""Of objects and lists in a JSON value: whoever walks one may do so by calling himself."""


def read_json(text: str) -> Any:
    """A JSON value that somebody handed in. Raises ValueError for what is none or too deep."""
    try:
        value = json.loads(text)
        is_too_deep = _is_deeper(value, MOST_LEVELS)
    except ValueError as exc:
        raise ValueError(f"not JSON ({exc})") from exc
    except RecursionError:
        is_too_deep = True
    if is_too_deep:
        raise ValueError(f"nested more than {MOST_LEVELS} levels deep")
    return value


def _is_deeper(value: Any, most: int) -> bool:
    level = [value]
    for _ in range(most + 1):
        level = [item for each in level for item in _inside(each)]
        if not level:
            return False
    return True


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


@dataclass
class Problems:
    """What is wrong with a file, line by line."""

    path: Path
    found: list[str] = field(default_factory=list)

    def add(self, line: int, what: object) -> None:
        """Something is wrong with a line."""
        self.found.append(f"line {line}: {what}")

    @property
    def are_enough(self) -> bool:
        """Whether there is no use in reading on."""
        return len(self.found) >= MOST_PROBLEMS

    def refuse(self) -> None:
        """Raises InputError that names the lines, if there are any."""
        if self.found:
            named = "\n".join(f"  {problem}" for problem in self.found[:MOST_PROBLEMS])
            raise InputError(f"{self.path}: nothing was imported, for these lines:\n{named}")


def lines_within(file: IO[AnyStr], most: int) -> Iterator[AnyStr]:
    """Lines as they come. Of one that is longer than `most` only its beginning, which is longer
    too, since all of it would fill the memory: the rest of it is passed over."""
    while line := file.readline(most + 1):
        yield line
        while len(line) > most and ord(line[-1:]) != ord("\n"):
            line = file.readline(most + 1)


def json_lines(file: TextIO, problems: Problems) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a file of JSON lines, with their numbers from 1; empty lines are none."""
    for number, text in enumerate(lines_within(file, MOST_LINE), start=1):
        if not text.strip():
            continue
        try:
            row = _json_line(text)
        except ValueError as exc:
            problems.add(number, exc)
            continue
        if isinstance(row, dict):
            yield number, row
        else:
            problems.add(number, "not a JSON object")


def _json_line(text: str) -> Any:
    """Raises ValueError."""
    if len(text) > MOST_LINE:
        raise ValueError(f"longer than {MOST_LINE:,} characters")
    return read_json(text)
