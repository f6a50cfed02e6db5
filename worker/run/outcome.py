"""How a job's turn at a worker ended, as a value; persist.py turns each into a row, once."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any
from uuid import UUID

from models.config import EscalationConfig
from models.failure import Failure
from models.reasons import HoldCode
from worker.calls.ledger import CallRow, bare
from worker.calls.retry import INTERNAL, GiveUp, Retry, Wait, unwritable
from worker.route import Place
from worker.run.verify.check import FieldCheck


@dataclass(frozen=True, slots=True)
class Done:
    """A valid answer, from the call `call_id`."""

    value: dict[str, Any]
    grounded: bool | None
    spans: dict[str, list[int]] | None
    call_id: UUID
    fields: dict[str, FieldCheck] | None = None
    """What each value is worth, by its path; None: not checked."""
    scored_by: str | None = None
    """Version of the scores in `fields`."""
    by: Mapping[str, str] = field(default_factory=dict)
    """ENGINE/MODEL of the top-level fields that others gave than the place where it ended."""
    mended: int = 0
    """Fields that are sure since their second reading."""
    unread: str | None = None
    """Why there was no second reading of fields in question."""


@dataclass(frozen=True, slots=True)
class Escalate:
    """The answer was not good enough here; the next place of the chain gets the job."""

    place: Place
    step: int
    left: Place
    failure: Failure


@dataclass(frozen=True, slots=True)
class Reread:
    """Fields of an answer are to be read a second time at the next place of the chain. Where the
    batch's cap does not allow it, the answer stands as it is."""

    answer: Done
    place: Place
    step: int
    left: Place
    asked: tuple[str, ...]
    """The top-level fields in question."""
    reason: str
    most_usd: Decimal | None
    """What it may cost; None: the price is not known."""
    cap: EscalationConfig


@dataclass(frozen=True, slots=True)
class Part:
    """A part that a document is asked in: chunks `first` to `last` at level 1, parts of the level
    before by their first ones above it."""

    level: int
    first: int
    last: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Split:
    """Too long for one prompt: it is asked in parts, and comes back when they have ended."""

    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Suspect:
    """The engine went down in the middle of its call, and maybe because of it: back in line without
    an attempt spent, to be asked alone."""

    failure: Failure
    delay_s: float


@dataclass(frozen=True, slots=True)
class HoldRow:
    """A row for run/hold.sql: what a budget does not cover. `batch_id` None: the day's budget;
    `delay_s`: it is let be for so long, None: until somebody does something or the day ends."""

    batch_id: int | None
    code: HoldCode
    about: dict[str, Any]
    model: str | None = None
    delay_s: float | None = None


@dataclass(frozen=True, slots=True)
class OverBudget:
    """A budget does not cover its next call: what that concerns is held, and the job waits."""

    hold: HoldRow
    failure: Failure


Outcome = Done | Escalate | Reread | Split | Wait | Suspect | Retry | OverBudget | GiveUp


@dataclass(frozen=True, slots=True)
class Turn:
    """A job's outcome with the calls that it took."""

    job_id: int
    batch_id: int
    outcome: Outcome
    calls: list[CallRow] = field(default_factory=list)
    unused: list[UUID] = field(default_factory=list)
    """Reserved calls that were never made."""
    is_reading: bool = False
    """Whether it was a second reading, which counts against its batch's cap."""
    prompt: Mapping[str, Any] = field(default_factory=dict)
    """How its model was asked, as prompts/manner.py tells it."""


def refused(turn: Turn, exc: Exception) -> Turn:
    """In place of a turn that Postgres refuses: the job has failed, with its calls as they were;
    and where that is refused, too, with the bare calls."""
    failed = GiveUp(unwritable(exc, "run"))
    tried = isinstance(turn.outcome, GiveUp) and turn.outcome.failure.category == INTERNAL
    calls = [bare(call) for call in turn.calls] if tried else turn.calls
    return replace(turn, outcome=failed, calls=calls)
