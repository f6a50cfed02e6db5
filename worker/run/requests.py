"""What a job asks its model, and how much of its window that leaves for the text. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from models.engines import EngineConfig
from models.words import TaskType
from worker.calls.answer import Invalid
from worker.calls.prepare import added, room
from worker.llm.engine import Completion, Message, Request
from worker.llm.grammar import bounded, grammar, limited
from worker.llm.probe import Traits
from worker.prompts import prompt_units, reading_messages, repair_messages, task_messages
from worker.run.job import Job, Reading
from worker.run.wide import groups, pieced
from worker.tokens import Script, priced

SECOND_TRY_TEMPERATURE = 0.4
"""At temperature 0 the same prompt would bring the same bad answer again."""

SAY_AGAIN = frozenset({"loop", "empty"})
"""Answers that hold nothing to mend: the same is asked with other draws."""

SPARE_TOKENS = 64


@dataclass(frozen=True)
class Requests:
    """The requests of one job at one engine."""

    job: Job
    engine: EngineConfig

    @cached_property
    def schemas(self) -> tuple[Mapping[str, Any], ...]:
        """What its answer is asked for in: more than one where it has more fields than fit."""
        job = self.job
        if job.task is not TaskType.EXTRACTION:
            return (job.answer_schema,)
        schema = pieced(job.answer_schema) if job.is_part else job.answer_schema
        return groups(schema, job.max_tokens)

    def first(self, text: str) -> Request:
        """The first request about a text."""
        reading = self.job.reading
        return self.second(reading, text) if reading else self.about(self.schemas[0], text)

    def about(self, schema: Mapping[str, Any], text: str) -> Request:
        """For the fields of a schema."""
        job = self.job
        request = self._saying(task_messages(job.task, job.ask, text, schema, job.manner), schema)
        weighs = job.task is TaskType.CLASSIFICATION and self.engine.weighing(job.place.model)
        return replace(request, text=text.strip()) if weighs else request

    def second(self, reading: Reading, text: str) -> Request:
        """For the fields that are read a second time."""
        job, schema = self.job, self.job.asked_schema
        messages = reading_messages(job.ask, text, schema, reading.asked, job.manner)
        return self._saying(messages, schema)

    def repair(
        self, request: Request, completion: Completion, wrong: Invalid, schema: Mapping[str, Any]
    ) -> Request:
        """For a better answer than this one."""
        if wrong.category == "truncated":
            most = 2 * request.max_tokens
            return replace(request, max_tokens=most, schema=self._grammar(schema, most))
        if wrong.category in SAY_AGAIN:
            seed = request.seed + 1
            return replace(request, temperature=SECOND_TRY_TEMPERATURE, seed=seed, text="")
        messages = repair_messages(request.messages, completion.text, wrong.problem, schema)
        return replace(request, messages=messages, text="")

    def room(self, traits: Traits, rates: Mapping[Script, float]) -> int:
        """Tokens left for text once the fixed part and the answer have theirs. `traits` and
        `rates`: of its model."""
        job = self.job
        schemas = self.schemas if job.reading is None else (job.asked_schema,)
        fixed = max(
            priced(prompt_units(job.manner, job.ask, schema), rates)
            + (0 if traits.holds_schema else added(self._grammar(schema), traits))
            for schema in schemas
        )
        left = room(self.engine.context_tokens, traits) - fixed
        return max(left - job.max_tokens - SPARE_TOKENS, 1)

    def _saying(self, messages: tuple[Message, ...], schema: Mapping[str, Any]) -> Request:
        job = self.job
        chosen = job.manner.chosen
        return Request(
            model_name=job.place.model,
            messages=messages,
            max_tokens=job.max_tokens,
            context_tokens=self.engine.context_tokens,
            schema=self._grammar(schema),
            temperature=0.0 if job.attempts == 0 else SECOND_TRY_TEMPERATURE,
            seed=2 * job.attempts,
            fixed=len(messages) - 1 - chosen,
            chosen=chosen,
        )

    def _grammar(
        self, schema: Mapping[str, Any], certain_within: int | None = None
    ) -> Mapping[str, Any]:
        """What the engine gets of a schema. `certain_within`: tokens within which the answer of a
        model that rambles ends, whatever it is made of."""
        plain = limited(grammar(schema).schema, self.job.max_tokens)
        if not self.engine.short_answers:
            return plain
        most = certain_within or self.job.max_tokens
        return bounded(plain, most, even=certain_within is not None)
