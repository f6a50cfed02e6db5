"""A text that an engine finds too long is asked about in smaller parts, by itself."""

import json
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest

from models.words import Scope, TaskType
from tests.factories import a_deployment, a_job, an_access
from tests.stubs.fake import FakeEngine
from worker.calls.access import EngineAccess
from worker.ingest.chunk import chunk
from worker.llm.engine import Completion, EngineError, Message, Request, Trouble, Usage
from worker.rates import RateBook, guessed, units_of
from worker.read.kinds import Text
from worker.route import Facts
from worker.run.ground import Source
from worker.run.job import Job
from worker.run.outcome import Done, Split, Turn
from worker.run.run import run
from worker.tokens import Script, priced

TAMIL = "மனிதப் பிறவியினர் சகலரும் சுதந்திரமாகவே பிறக்கின்றனர்; அவர்கள் மதிப்பிலும் உரிமைகளிலும் சமமானவர்கள். "
DEAR = dict.fromkeys(Script, 3.3)
WINDOW = 4096


class CountingEngine(FakeEngine):
    """Counts prompts as a model with such rates, and refuses those that are longer than the
    window."""

    def __init__(self, rates: dict[Script, float]) -> None:
        super().__init__(models=("phi4-mini",))
        self.rates = rates
        self.refused = 0

    async def complete(self, request: Request) -> Completion:
        tokens = sum(self.count(message) for message in request.messages)
        if tokens + request.max_tokens > request.context_tokens:
            self.refused += 1
            raise EngineError(Trouble.CONTEXT_EXCEEDED, f"{tokens} tokens")
        answer = await super().complete(request)
        return replace(answer, usage=Usage(tokens, answer.usage.output_tokens))

    def count(self, message: Message) -> int:
        return priced(units_of([message.content]), self.rates) + 5


def reached(engine: CountingEngine, *, knows: float | None = None) -> EngineAccess:
    """`knows`: what the model is wrongly thought to take of every script."""
    access = an_access(engine, a_deployment(context_tokens=WINDOW))
    if knows is not None:
        access.rates = RateBook()
        access.rates.of("phi4-mini").of |= {script: guessed(knows, 0.01) for script in Script}
        access.rates.of("phi4-mini").told({})
    return access


def document(task: TaskType, text: str, **more: Any) -> Job:
    """A job about a whole document, as its chunks are."""
    pieces = tuple(
        Source(piece.char_start, piece.text, piece.ordinal) for piece in chunk(Text.of([text]), 300)
    )
    facts = Facts(task, scope=Scope.DOCUMENT, local_only=True)
    return a_job(task=task, facts=facts, pieces=pieces, **more)


def parts_of(job: Job, turn: Turn) -> list[Job]:
    assert isinstance(turn.outcome, Split)
    return [
        replace(
            job,
            is_part=True,
            level=part.level,
            pieces=tuple(p for p in job.pieces if part.first <= p.ordinal <= part.last),
        )
        for part in turn.outcome.parts
    ]


async def turn_of(job: Job, access: EngineAccess) -> Turn:
    return await run(job, access, nullcontext())


@pytest.mark.parametrize("task", [TaskType.SUMMARY, TaskType.CLASSIFICATION, TaskType.EXTRACTION])
async def test_a_document_that_was_thought_to_fit_is_parted_and_its_parts_fit(task):
    schema = {"properties": {"kind": {"enum": ["a", "b"]}}, "required": ["kind"]}
    engine = CountingEngine(DEAR)
    access = reached(engine, knows=0.5)
    job = document(task, TAMIL * 60, schema=schema if task is TaskType.CLASSIFICATION else None)
    parts = parts_of(job, await turn_of(job, access))
    assert engine.refused == 1
    assert {p.ordinal for part in parts for p in part.pieces} == {p.ordinal for p in job.pieces}
    for part in parts:
        assert isinstance((await turn_of(part, access)).outcome, Done)


@pytest.mark.parametrize("task", [TaskType.SUMMARY, TaskType.CLASSIFICATION, TaskType.EXTRACTION])
async def test_a_part_that_is_too_long_is_asked_about_in_halves_in_the_same_turn(task):
    schema = {"properties": {"kind": {"enum": ["a", "b"]}}, "required": ["kind"]}
    engine = CountingEngine(DEAR)
    job = document(task, TAMIL * 30, schema=schema if task is TaskType.CLASSIFICATION else None)
    turn = await turn_of(replace(job, is_part=True, level=1), reached(engine, knows=0.5))
    assert isinstance(turn.outcome, Done)
    assert engine.refused >= 1
    said = " ".join(r.messages[-1].content for r in engine.requests)
    assert all(piece.text[:40] in said and piece.text[-40:] in said for piece in job.pieces)
    assert [call.state for call in turn.calls].count("refused") == engine.refused
    json.dumps(turn.outcome.value)


async def test_an_engine_that_finds_everything_too_long_is_asked_a_few_times_only():
    engine = CountingEngine(dict.fromkeys(Script, 10_000.0))
    job = replace(document(TaskType.SUMMARY, TAMIL * 30), is_part=True, level=1)
    turn = await turn_of(job, reached(engine, knows=0.5))
    assert not isinstance(turn.outcome, Done | Split)
    assert engine.refused <= 12


async def test_before_anything_is_known_no_prompt_is_too_long_for_the_dearest_of_vocabularies():
    llama = dict.fromkeys(Script, 0.8) | {Script.TAMIL: 2.53, Script.DEVANAGARI: 0.98}
    engine = CountingEngine(llama)
    access = reached(engine)
    for size in range(10, 200, 10):
        job = document(TaskType.SUMMARY, TAMIL * size)
        turn = await turn_of(job, access)
        for part in parts_of(job, turn) if isinstance(turn.outcome, Split) else ():
            await turn_of(part, access)
    assert engine.refused == 0
