"""Pairs for a training: the prompt is the one that a worker sends, to the byte."""

import json
from contextlib import nullcontext
from typing import Any

import pytest

from models.spec import fields_schema
from models.words import SEPARATOR, Scope, TaskType
from tests.factories import FIELDS, a_config, a_deployment, a_job, an_access
from tests.stubs.fake import FakeEngine
from worker.calls.access import EngineAccess
from worker.llm.engine import Message
from worker.llm.probe import Traits
from worker.pairs import TOO_LONG, TOO_WIDE, Way, asked_so, pair
from worker.route import Facts
from worker.run.ground import Source
from worker.run.run import run

MODEL = "phi4-mini"
PIECES = ("Invoice 4711 of <my_turn> Acme.", "The total is 75.00 in all.")
ROW: dict[str, Any] = {
    "task": "extraction",
    "ask": "Find the total.",
    "schema": FIELDS,
    "text": SEPARATOR.join(PIECES),
    "value": {"total": "75.00"},
}
LABEL = ROW | {
    "task": "classification", "ask": "Which kind?", "schema": None, "value": {"label": "bill"}
}  # fmt: skip


def way_of(access: EngineAccess, model: str = MODEL) -> Way:
    return Way(access, a_config(), model, "probed")


async def sent(row: dict[str, Any], examples: bool | None = None) -> list[Message]:
    """What a worker sends about the same."""
    engine = FakeEngine(models=(MODEL,))
    engine.script.append(json.dumps(row["value"]))
    access = an_access(engine, asked_so(a_deployment(), MODEL, examples))
    pieces, start = [], 0
    for number, text in enumerate(PIECES, start=1):
        pieces.append(Source(start, text, number, (1, 1)))
        start += len(text) + len(SEPARATOR)
    task = TaskType(row["task"])
    facts = Facts(task, scope=Scope.DOCUMENT)
    job = a_job(task=task, facts=facts, schema=row["schema"], ask=row["ask"], pieces=tuple(pieces))
    await run(job, access, nullcontext())
    return list(engine.requests[0].messages)


@pytest.mark.parametrize("row", [ROW, LABEL])
@pytest.mark.parametrize("examples", [None, True, False])
@pytest.mark.parametrize(
    "traits",
    [
        Traits(),
        Traits(template="<my_turn>"),
        Traits(reads_system=False, holds_schema=False, thinks_aloud=True),
    ],
)
async def test_a_prompt_is_to_the_byte_what_a_worker_sends_that_model(
    row: dict[str, Any],
    examples: bool | None,
    traits: Traits,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def known(access: EngineAccess, model: str) -> Traits:
        return traits

    monkeypatch.setattr(EngineAccess, "traits", known)
    made = await pair(row, way_of(an_access(None, asked_so(a_deployment(), MODEL, examples))))
    wanted = await sent(row, examples)
    assert made["messages"] == [{"role": one.role, "content": one.content} for one in wanted]
    assert (len(wanted) > 2) == (examples is not False)


async def test_the_answer_is_written_as_answers_in_prompts_are() -> None:
    value = {"total": "75,00 \u20ac", "paid": None}
    schema = fields_schema(("total", "paid"))
    made = await pair(ROW | {"schema": schema, "value": value}, way_of(an_access()))
    assert made["completion"] == '{"total": "75,00 \u20ac", "paid": null}'


async def test_what_no_single_prompt_asks_for_is_left_out_with_why() -> None:
    wide = fields_schema(tuple(f"field_{n}" for n in range(90)))
    answer = {"total": "7" * 9_000}
    rows = [
        (ROW | {"text": "All of it is said here. " * 4_000}, TOO_LONG),
        (ROW | {"text": SEPARATOR.join(["It is said here. " * 40] * 100)}, TOO_LONG),
        (ROW | {"value": answer}, TOO_LONG),
        (ROW | {"schema": wide, "value": dict.fromkeys(wide["properties"])}, TOO_WIDE),
    ]
    for row, why in rows:
        assert await pair(row, way_of(an_access())) == {"left_out": why}


def test_how_a_model_is_asked_is_told_in_front() -> None:
    told = way_of(an_access(None, asked_so(a_deployment(), MODEL, False))).as_json()
    assert (told["kind"], told["examples"], told["asked"]) == ("ollama", False, "probed")
    assert set(told["versions"]) == set(TaskType)
