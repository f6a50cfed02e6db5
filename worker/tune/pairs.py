"""Pairs of prompt and completion: a JSONL file that any trainer reads.

A prompt is a string, taken as it stands, or a list of messages that the model's chat template puts
together. A completion is a string, or a list of one message.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.errors import InputError


@dataclass(frozen=True, slots=True)
class Pair:
    """What is sent, and what the right answer is."""

    prompt: str | tuple[Mapping[str, str], ...]
    completion: str


@dataclass(frozen=True, slots=True)
class Tokens:
    """A pair as a model sees it."""

    ids: tuple[int, ...]
    prompt: int
    """So many of the ids are the prompt's: nothing is learned from them."""

    @property
    def answer(self) -> int:
        """Tokens that are learned from."""
        return len(self.ids) - self.prompt


def read_pairs(path: Path) -> list[Pair]:
    """All pairs of a file. Raises InputError with the line of what is no pair."""
    try:
        with path.open(encoding="utf-8") as lines:
            pairs = list(_pairs(path, lines))
    except (OSError, UnicodeDecodeError) as exc:
        raise InputError(f"{path}: {exc}") from exc
    if not pairs:
        raise InputError(f"{path} holds no pairs; each line is a prompt and a completion as JSON")
    return pairs


def _pairs(path: Path, lines: Iterator[str]) -> Iterator[Pair]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield _pair(json.loads(line))
        except ValueError as exc:
            raise InputError(f"{path}, line {number}: {exc}") from exc


def _pair(row: Any) -> Pair:
    if not isinstance(row, dict) or not {"prompt", "completion"} <= row.keys():
        raise ValueError('a pair is {"prompt": ..., "completion": ...}')
    completion = _completion(row["completion"])
    if not completion.strip():
        raise ValueError("the completion is empty: nothing can be learned from it")
    return Pair(_prompt(row["prompt"]), completion)


def _prompt(said: Any) -> str | tuple[Mapping[str, str], ...]:
    if isinstance(said, str):
        return said
    return tuple(_messages(said))


def _completion(said: Any) -> str:
    if isinstance(said, str):
        return said
    messages = list(_messages(said))
    if len(messages) != 1:
        raise ValueError("a completion is one message")
    return messages[0]["content"]


def _messages(said: Any) -> Iterator[Mapping[str, str]]:
    if not isinstance(said, list) or not said:
        raise ValueError("a prompt is a string or a list of messages")
    for each in said:
        match each:
            case {"role": str(role), "content": str(content)}:
                yield {"role": role, "content": content}
            case _:
                raise ValueError('a message is {"role": "...", "content": "..."}')


def usable(rows: Sequence[Tokens], longest: int) -> list[Tokens]:
    """The rows that a model can learn from. Raises InputError where there is none: a training in
    which every label is masked runs as well as any, and learns nothing."""
    kept = [row for row in rows if row.answer > 0 and len(row.ids) <= longest]
    if not kept:
        shortest = min(len(row.ids) for row in rows)
        raise InputError(
            f"none of the {len(rows)} pairs can be learned from: no answer ends within {longest} "
            f"tokens (the shortest pair has {shortest}); raise --longest or cut the texts"
        )
    return kept
