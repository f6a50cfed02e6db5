"""What the checks of a value come to."""

from dataclasses import dataclass

from models.reasons import FieldCode, FieldOutcome


@dataclass(frozen=True, slots=True)
class FieldCheck:
    """What a value is worth, and why. `about`: the words of the text that say so, or the user's
    check; `span`: where the value stands, in characters of the document's text; `page`: from 1;
    `normalised`: the value in the format that the user gave for its field."""

    outcome: FieldOutcome
    code: FieldCode
    about: str | None = None
    span: list[int] | None = None
    page: int | None = None
    normalised: str | None = None
