"""Which examples of its ask a text's prompt shows. Pure."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from models.examples import Example, Own
from worker.prompts.leaks import Asked
from worker.prompts.manner import Shown
from worker.prompts.nearest import GoldRow
from worker.tokens import estimate

GOLD_TOKENS = 1_500
"""What the nearest rows of a gold set may take of a prompt, all together, as estimated."""

_PASSED_OVER = 10
"""Rows that are looked at beyond those that are shown."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What examples may take of a prompt, in tokens. `turn`: what each takes beside its text and
    its answer, for the ask and its form stand in each."""

    tokens: int
    turn: int = 0


def own(examples: Own, text: str, budget: Budget) -> Shown:
    """The ask's own examples, but for those that give the answer about the text away."""
    return _chosen(enumerate(examples.examples, start=1), text, len(examples.examples), budget)


def nearest(
    gold: str, rows: Sequence[GoldRow], text: str, most: int, budget: Budget, document: str
) -> Shown:
    """The first `most` of rows, which stand in the order of their nearness; never one of the same
    document (SHA-256 in hex), nor one that gives the answer about the text away. The nearest comes
    last, next to the request."""
    same = tuple(row.id for row in rows if row.document == document)
    others = ((row.id, row.example) for row in rows if row.document != document)
    tokens = min(budget.tokens, GOLD_TOKENS)
    found = _chosen(others, text, most, replace(budget, tokens=tokens))
    return replace(
        found,
        examples=found.examples[::-1],
        numbers=found.numbers[::-1],
        gold=gold,
        leaks=(*same, *found.leaks),
    )


def looked_at(most: int) -> int:
    """How many of the nearest rows are looked at to show so many: some may be left out."""
    return most + _PASSED_OVER


def _chosen(examples: Iterable[tuple[int, Example]], text: str, most: int, budget: Budget) -> Shown:
    asked, left = Asked(text), budget.tokens
    shown: dict[int, Example] = {}
    leaks, no_room = [], []
    for number, example in examples:
        if len(shown) == most:
            break
        if (size := _size(example) + budget.turn) > left:
            no_room.append(number)
        elif asked.is_given_away_by(example):
            leaks.append(number)
        else:
            left -= size
            shown[number] = example
    return Shown(tuple(shown.values()), tuple(shown), leaks=tuple(leaks), no_room=tuple(no_room))


def _size(example: Example) -> int:
    return estimate(example.text) + estimate(json.dumps(example.answer, ensure_ascii=False))
