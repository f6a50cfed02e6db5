"""What the checks of a value come to."""

from dataclasses import dataclass

from models.reasons import FieldCode, FieldOutcome


@dataclass(frozen=True, slots=True)
class FieldCheck:
    """What a value is worth, and why. `about`: the words of the text that say so; `span`: where the
    value stands, in characters of the document's text; `page`: from 1; `by`: ENGINE/MODEL that it
    is from."""

    outcome: FieldOutcome
    code: FieldCode
    about: str | None = None
    span: list[int] | None = None
    page: int | None = None
    by: str | None = None
