"""What the checks of a value come to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from models.reasons import FieldCode, FieldOutcome

_MOST_ABOUT = 60
"""Characters of a text, or of other values, that an outcome quotes."""


def quoted(text: str) -> str:
    """What an outcome quotes of some words: as one line, and not too long."""
    return " ".join(text.split())[:_MOST_ABOUT].strip()


@dataclass(frozen=True, slots=True)
class FieldCheck:
    """What a value is worth, and why. `about`: the words of the text that say so, or the user's
    check; `span`: where the value stands, in characters of the document's text; `page`: from 1;
    `by`: ENGINE/MODEL that it is from; `normalised`: the value in the format that the user gave for
    its field. The last two are added by worker/run/score.py."""

    outcome: FieldOutcome
    code: FieldCode
    about: str | None = None
    span: list[int] | None = None
    page: int | None = None
    by: str | None = None
    normalised: str | None = None
    confidence: float | None = None
    """How likely it is right, 0 to 1; None: its score does not rank errors."""
    accepted: bool | None = None
    """Whether it is taken without a look at the error that was stated; None: none was."""

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """The same from a row of `answers`, where outcome and code are texts."""
        outcome, code = FieldOutcome(stored["outcome"]), FieldCode(stored["code"])
        return cls(**{**stored, "outcome": outcome, "code": code})
