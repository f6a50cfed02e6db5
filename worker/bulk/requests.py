"""Requests as a bulk keeps them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from worker.jsonb import dumps
from worker.llm.batches import Item
from worker.llm.engine import Message, Request

ENVELOPE_BYTES = 512
"""What a provider's batch puts around a request, in bytes, rounded up."""


@dataclass(frozen=True, slots=True)
class Handed:
    """A job as it is put into a bulk: a row for bulk/hand_over.sql."""

    job_id: int
    call_id: UUID
    request: Request
    request_key: UUID
    bytes: int


@dataclass(frozen=True, slots=True)
class Kept:
    """A job that stands in a bulk."""

    job_id: int
    call_id: UUID
    request: Request
    request_key: UUID

    @property
    def item(self) -> Item:
        """As its provider is handed it."""
        return Item(str(self.call_id), self.request)


def size(request: Request) -> int:
    """How many bytes a request takes there, at most."""
    return len(dumps(request)) + ENVELOPE_BYTES


def kept(row: Mapping[str, Any]) -> Kept:
    """A row of bulk/items.sql."""
    stored = row["request"]
    messages = tuple(Message(one["role"], one["content"]) for one in stored["messages"])
    request = Request(**{**stored, "messages": messages})
    return Kept(row["job_id"], row["call_id"], request, row["request_key"])
