"""What a Message Batch is told and what it says. Pure.

https://platform.claude.com/docs/en/api/creating-message-batches
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from worker.llm.anthropic.dialect import Dialect
from worker.llm.anthropic.errors import error_in_batch
from worker.llm.anthropic.replies import completion_in
from worker.llm.batches import Order, Progress
from worker.llm.bodies import broken, encoded, object_in
from worker.llm.counts import count
from worker.llm.engine import Completion, EngineError, Trouble

_ENDED = ("succeeded", "errored", "canceled", "expired")
"""What may have become of a request, as `request_counts` and results name it."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch, as the API describes it."""

    id: str
    ended: bool
    requests: int
    done: int
    created: datetime | None
    """None: it does not say, or not in a way that can be read."""

    @property
    def progress(self) -> Progress:
        """How far it has come."""
        return Progress(ended=self.ended, done=self.done)


@dataclass(frozen=True, slots=True)
class Page:
    """A part of the list of batches, the newest first."""

    batches: tuple[Batch, ...]
    next: str | None
    """After which one the next part begins; None: there is no more."""


def requests_of(order: Order, dialect: Dialect, where: str) -> bytes:
    """The body that begins a batch: every request as it would be sent at once. Raises EngineError
    where a text cannot be encoded."""
    requests = (
        encoded({"custom_id": item.name, "params": dialect.body(item.request)}, where)
        for item in order.items
    )
    return b'{"requests":[' + b",".join(requests) + b"]}"


def batch_in(content: bytes, where: str, secret: str = "") -> Batch:
    """The batch that an answer describes. Raises EngineError where it describes none."""
    return _batch(object_in(content, where, secret), where)


def page_in(content: bytes, where: str, secret: str = "") -> Page:
    """A part of the list. Raises EngineError where it is none."""
    page = object_in(content, where, secret)
    listed = page.get("data")
    if not isinstance(listed, list):
        raise broken("the answer lists no batches", where)
    batches = tuple(_batch(each, where) for each in listed)
    more = page.get("has_more") is True and batches
    return Page(batches, batches[-1].id if more else None)


def answer_in(line: Mapping[str, Any], where: str, secret: str = "") -> Completion:
    """The Completion that a line of the results holds. Raises EngineError where it holds none."""
    result = _object(line.get("result"))
    match result.get("type"):
        case "errored":
            raise error_in_batch(result.get("error"), where, secret)
        case "canceled" | "expired" as why:
            said = f"{where}: the batch ended before it came to this request ({why})"
            raise EngineError(Trouble.UNAVAILABLE, said)
        case _:
            return completion_in(_object(result.get("message")), {}, 0, where, secret)


def _batch(value: object, where: str) -> Batch:
    found = _object(value)
    name, status = found.get("id"), found.get("processing_status")
    if not isinstance(name, str) or not name or not isinstance(status, str):
        raise broken("the answer describes no batch", where)
    counts = _object(found.get("request_counts"))
    done = sum(count(counts.get(each)) or 0 for each in _ENDED)
    requests = done + (count(counts.get("processing")) or 0)
    return Batch(name, status == "ended", requests, done, _moment(found.get("created_at")))


def _moment(value: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found is not None and found.tzinfo is None else found


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
