"""A claimed job with everything that running it takes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from models.config import Config
from models.failure import Failure
from models.words import TaskType
from worker.calls.ledger import KnownAnswer
from worker.prompts import prompt
from worker.route import Facts, Place, Route, route
from worker.run.ground import Source
from worker.run.merge import Checks, Spans


@dataclass(frozen=True, slots=True)
class Found:
    """What a part of a document came to."""

    part: int
    value: Mapping[str, Any]
    call_id: UUID
    fields: Checks = field(default_factory=dict)
    spans: Spans = field(default_factory=dict)
    """Of an extraction: what its text says of its values, and where they stand."""


@dataclass(frozen=True, slots=True)
class Job:
    """One question about one text, at one place."""

    id: int
    batch_id: int
    facts: Facts
    place: Place
    step: int
    """Of the chain that its facts and its batch's configuration make."""
    config: Config
    """Its batch's."""
    ask_id: int
    ask: str
    schema: Mapping[str, Any] | None
    pieces: tuple[Source, ...]
    """The text: a chunk, a run of chunks, or none where parts are summed up."""
    attempts: int
    """Tries of its own that ended badly, before this one."""
    call_id: UUID
    earlier: dict[str, dict[str, Any]]
    deaths: int = 0
    """How often its engine went down in the middle of its call."""
    known: KnownAnswer | None = None
    is_answered: bool = False
    """Its call was reserved for an answer that is there, and so at no cost."""
    is_part: bool = False
    beside: tuple[Source, ...] = ()
    """Of a part of an extraction: the pieces right before and behind it."""
    level: int = 0
    found: tuple[Found, ...] = ()
    """What the parts said that it puts together."""
    broken: Failure | None = None
    """Why one of them could not be answered."""

    @property
    def task(self) -> TaskType:
        """What kind of work it is."""
        return self.facts.task

    @property
    def attempt(self) -> int:
        """The number of this try, from 1."""
        return self.attempts + 1

    @property
    def answer_schema(self) -> Mapping[str, Any]:
        """The user's schema, or the task type's own."""
        schema = self.schema or prompt(self.task).schema
        assert schema is not None
        return schema

    @property
    def route(self) -> Route:
        """All its places, in order."""
        return route(self.facts, self.config)

    @property
    def max_tokens(self) -> int:
        """What its answer may take, in tokens."""
        return self.config.task(self.task).max_tokens
