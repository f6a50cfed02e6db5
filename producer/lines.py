"""Files of lines that people hand in: each line is used, or named with what is wrong with it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from models.errors import InputError

MOST_PROBLEMS = 20
"""Lines that are named before the rest of a file is given up."""

MOST_LINE = 10_000_000
"""Characters of a line."""


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


def json_lines(file: TextIO, problems: Problems) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a file of JSON lines, with their numbers from 1; empty lines are none."""
    number = 0
    while text := file.readline(MOST_LINE):
        number += 1
        if not text.strip():
            continue
        try:
            row = json.loads(text)
        except (ValueError, RecursionError) as exc:
            problems.add(number, f"not JSON ({exc})")
            continue
        if isinstance(row, dict):
            yield number, row
        else:
            problems.add(number, "not a JSON object")
