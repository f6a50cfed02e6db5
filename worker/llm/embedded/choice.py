"""Which of some labels fits a text: what a small model is asked, so that it can be told. Pure.

Asked outright it leans to some labels for their own sake, and to words that it met in training. So
each label is weighed: how likely it is as the answer, and how likely the bare model goes on with it
after the text. What a label weighs for ordinary texts is taken off (Zhao et al. 2021,
arXiv:2102.09690; Holtzman et al. 2021, arXiv:2104.08315). docs/adapter.md says what that is worth.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import takewhile
from typing import Any

from models.engines import is_tuned
from worker.llm.embedded.chat import rendered
from worker.llm.engine import Message, Request

MOST_LABELS, MOST_CHARACTERS = 8, 320
"""Each label costs the time of its tokens: among more, or longer ones, the model chooses itself.
The characters are those of all labels together."""

ANSWER, SENTENCES = 1.0, 0.5
"""The weights of a label as the answer, and of the sentences that go on with it together."""

BARE, TUNED = 0.0, 1.0
"""How strong the adapter is."""

ORDINARY = (
    "The parcel came a week late and one corner was crushed. Please send somebody to fetch it.",
    "Could you let me know whether the library is open on the first Monday of the month?",
    "Thank you for the flowers and the card. The whole ward was glad of them.",
    "Please put four folding tables on our account and bring them to the side entrance.",
    "The meeting has been moved to Tuesday. The papers are on the shared drive.",
    "From next month the fee rises by two per cent. You need not do anything.",
)
"""Texts of no special kind, for which no label ought to weigh more than another."""


@dataclass(frozen=True, slots=True)
class View:
    """One way to weigh the labels."""

    read: str
    """What the model has read."""
    endings: tuple[str, ...]
    """How it would go on with each label."""
    strength: float
    """Of the adapter."""
    weight: float


@dataclass(frozen=True, slots=True)
class Choice:
    """A question whose answer is one of some labels, without the text that it is asked about."""

    key: str
    """The field of the answer."""
    labels: tuple[str, ...]
    messages: tuple[Message, ...]
    """The last one ends where the text begins."""

    def views(self, text: str) -> tuple[View, ...]:
        """The question as it stands, and two ways in which the bare model may name a text."""
        *before, last = self.messages
        asked = (*before, replace(last, content=last.content + text))
        answers = tuple(map(self.answer, self.labels))
        words = tuple(f" {spoken(label)}" for label in self.labels)
        named = f'"{text}"\n\nIn other words, the {spoken(self.key)}:'
        about = f'"{text}"\n\nThis text is about'
        return (
            View(rendered(map(asdict, asked)), answers, TUNED, ANSWER),
            View(named, words, BARE, SENTENCES / 2),
            View(about, words, BARE, SENTENCES / 2),
        )

    def answer(self, label: str) -> str:
        """The answer that a label is."""
        return json.dumps({self.key: label}, ensure_ascii=False)


def choice(request: Request) -> Choice | None:
    """The choice that a request leaves to a tuned model; None: it asks for something else, with
    examples chosen for its text alone, or for more than is weighed."""
    last, fields = request.messages[-1], (request.schema or {}).get("properties") or {}
    if not request.text or request.chosen or not is_tuned(request.model_name) or len(fields) != 1:
        return None
    ((key, field),) = fields.items()
    labels = tuple(field.get("enum", ()))
    if not _can_be_weighed(labels) or not last.content.endswith(request.text):
        return None
    opened = replace(last, content=last.content.removesuffix(request.text))
    return Choice(key, labels, (*request.messages[:-1], opened))


def _can_be_weighed(labels: tuple[Any, ...]) -> bool:
    words = [label for label in labels if isinstance(label, str) and label.strip()]
    few = len(labels) == len(words) and 2 <= len(labels) <= MOST_LABELS
    return few and sum(map(len, words)) <= MOST_CHARACTERS


def spoken(name: str) -> str:
    """A label or a field as it would stand in a sentence."""
    return name.replace("_", " ").strip()


def in_common(endings: Iterable[Sequence[int]]) -> list[int]:
    """The tokens that all endings begin with, but for the last of each."""
    columns = zip(*(ids[:-1] for ids in endings), strict=False)
    return [column[0] for column in takewhile(lambda each: len(set(each)) == 1, columns)]


def heaviest(weights: Sequence[float], usual: Sequence[float]) -> int:
    """The place of the label that weighs most above what it usually weighs; the first of equals."""
    above = [weight - mean for weight, mean in zip(weights, usual, strict=True)]
    return above.index(max(above))
