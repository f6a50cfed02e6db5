"""How a job's turn at a worker ended, as a value; persist.py turns each into a row, once."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from models.failure import Failure
from worker.calls.ledger import CallRow
from worker.calls.retry import GiveUp, Hold, Retry, Wait
from worker.route import Route


@dataclass(frozen=True, slots=True)
class Done:
    """A valid answer, from the call `call_id`."""

    value: dict[str, Any]
    grounded: bool | None
    spans: dict[str, list[int]] | None
    call_id: UUID


@dataclass(frozen=True, slots=True)
class Escalate:
    """The answer was not good enough here; another engine gets the job."""

    route: Route
    from_model: str
    failure: Failure


Outcome = Done | Escalate | Wait | Retry | Hold | GiveUp


@dataclass(frozen=True, slots=True)
class Turn:
    """A job's outcome with the calls that it took."""

    job_id: int
    outcome: Outcome
    calls: list[CallRow] = field(default_factory=list)
    unused: list[UUID] = field(default_factory=list)
    """Reserved calls that were never made."""
