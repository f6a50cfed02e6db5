"""A claimed job with everything that running it takes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID

from models.checks import OwnChecks
from models.config import Config
from models.failure import Failure
from models.scores import Scores, shipped
from models.words import TaskType
from worker.calls.ledger import KnownAnswer
from worker.prompts import manner
from worker.prompts.files import SECOND_READING, task_schema
from worker.prompts.manner import Manner, Shown
from worker.route import Facts, Place, Route, route
from worker.run.ground import Source
from worker.run.merge import Checks, Spans
from worker.run.narrow import narrowed


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
class Reading:
    """An answer that was given elsewhere, of which some fields are read a second time."""

    value: Mapping[str, Any]
    call_id: UUID
    """That gave it."""
    asked: tuple[str, ...]
    """The top-level fields in question."""
    by: Mapping[str, str]
    """ENGINE/MODEL that each top-level field is from."""
    short_of: str | None = None
    """The budget that does not cover it, as run/reserve says it; None: it may be asked."""
    fields: Checks = field(default_factory=dict)
    """What the checks said of it."""


@dataclass(frozen=True)  # no slots: how its model is asked is worked out once
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
    own: OwnChecks | None = None
    """What the user checks in its answer beyond the schema."""
    is_part: bool = False
    beside: tuple[Source, ...] = ()
    """Of a part of an extraction: the pieces right before and behind it."""
    level: int = 0
    found: tuple[Found, ...] = ()
    """What the parts said that it puts together."""
    broken: Failure | None = None
    """Why one of them could not be answered."""
    scores: Scores = field(default_factory=shipped)
    """What says how likely its values are right."""
    accept_error: float | None = None
    """The share of accepted values that may be wrong; None: nothing is to be accepted."""
    important: tuple[str, ...] = ()
    """The fields that are read again where they are to be checked, too."""
    reading: Reading | None = None
    """What is read a second time; None: the whole is asked about."""
    prompt: int | None = None
    """The version of its task's prompt; None: the configuration says."""
    shown: Shown | None = None
    """The examples of its ask that its model is shown; None: the prompt's own."""

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
        return self.schema or task_schema(self.task)

    @property
    def asked_alone(self) -> Mapping[str, Any] | None:
        """The schema of the fields that are read again; None: the whole is asked about."""
        return narrowed(self.answer_schema, self.reading.asked) if self.reading else None

    @property
    def asked_schema(self) -> Mapping[str, Any]:
        """That of what is asked now."""
        return self.asked_alone or self.answer_schema

    @property
    def accepted_schema(self) -> Mapping[str, Any]:
        """What an answer must be. One that says more than a second reading asked is as good."""
        alone = self.asked_alone
        if alone is None:
            return self.answer_schema
        return {word: said for word, said in alone.items() if word != "additionalProperties"}

    @cached_property
    def manner(self) -> Manner:
        """How its model is asked."""
        if self.reading is not None:
            return self.second_manner(self.place)
        number = self.prompt or self.config.prompts.get(self.task)
        return self._manner(self.task, self.place, number)

    def second_manner(self, place: Place) -> Manner:
        """How a model is asked that reads fields a second time."""
        return self._manner(SECOND_READING, place, None)

    def _manner(self, name: str, place: Place, number: int | None) -> Manner:
        return manner(
            name,
            place.model,
            self.facts.language,
            self.shown,
            number,
            examples=self.config.engines[place.engine].carries_examples(place.model),
        )

    @property
    def route(self) -> Route:
        """All its places, in order."""
        return route(self.facts, self.config)

    @property
    def max_tokens(self) -> int:
        """What its answer may take, in tokens."""
        return self.config.task(self.task).max_tokens
