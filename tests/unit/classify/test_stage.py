"""The classify stage: which pairs are asked about, and what becomes of them and of their jobs."""

import asyncio
from contextlib import nullcontext
from dataclasses import fields
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.config import Config
from models.failure import Failure
from models.resolve import as_json
from models.sql import load_sql
from models.words import Finder, Queue, Stage, TaskType
from tests.factories import CALL, OWNER, a_config, a_learned, an_access
from tests.fakes import FakeDatabase, FakeJournal
from tests.stubs.fake import FakeEngine
from worker.calls.access import EngineAccess
from worker.calls.retry import GiveUp, Retry, Wait
from worker.classify import stage as stage_module
from worker.classify.cascade import Verdict, confidence
from worker.classify.stage import (
    MAX_TOKENS,
    ClassifyStage,
    JobRow,
    Pair,
    PairRow,
    Sorted,
    job_row,
    pair_row,
)
from worker.configs import Configs
from worker.flow.stage import Held, Lease
from worker.llm.engine import Completion, EngineError, Finish, Trouble
from worker.prompts import prompt
from worker.route import Facts, route
from worker.settings import TWIN_S

CLAIM, KEY = UUID(int=1), UUID(int=9)
QUEUE = Queue(Stage.CLASSIFY, "local", "phi4-mini")
CONFIG = a_config(
    languages={"hi": {"model": "gemma3:4b"}},
    classifier={"fallback": "summary"},
)
ASK = {
    "id": 5,
    "text": "Find the total.",
    "json_schema": None,
    "place": None,
    "examples": None,
    "prompt": None,
}
FAILURE = Failure("timeout", "classify", True, "no answer")


def a_row(**more: Any) -> dict[str, Any]:
    """As classify/claim.sql brings it: a pair that is to be asked about."""
    row = {
        "id": 7,
        "batch_id": 3,
        "key": KEY,
        "ask_id": 5,
        "chunk_id": 11,
        "document_id": 2,
        "language": "en",
        "tokens": 40,
        "model": "phi4-mini",
        "local_only": False,
        "allow_provider_batch": False,
        "pinned": False,
        "line_id": 4,
        "configuration_id": 1,
        "task": None,
        "found_by": None,
        "found_version": None,
        "confidence": None,
        "to_ask": True,
        "attempts": 0,
        "waits": 0,
        "deaths": 0,
        "call_id": CALL,
        "learned_model": 0,
    }
    return {**row, **more}


def a_pair(config: Config = CONFIG, **more: Any) -> Pair:
    return Pair(a_row(**more), ASK, config, a_learned())


def known(**more: Any) -> dict[str, Any]:
    """A pair whose verdict is known."""
    return a_row(
        task="extraction", found_by="model", to_ask=False, call_id=None, attempts=None, **more
    )


def twin(**more: Any) -> dict[str, Any]:
    """A pair that another worker is at."""
    return a_row(to_ask=False, call_id=None, attempts=None, **more)


class Rig:
    """The stage over a database in memory; its engine answers as scripted."""

    def __init__(self, *script: Any, rows: list[dict[str, Any]] | None = None) -> None:
        claimed = rows if rows is not None else [a_row()]
        self.db = FakeDatabase(
            flow__take=[{"item_id": row["id"], "line_id": 4} for row in claimed],
            classify__claim=claimed,
            calls__asks=[ASK],
            flow__configuration=lambda params: [
                {"id": params["number"], "settings": as_json(CONFIG)}
            ],
        )
        self.engine = FakeEngine(models=("phi4-mini",))
        self.engine.script.extend(script)
        self.journal = FakeJournal()
        self.access: EngineAccess = an_access(self.engine, journal=self.journal)
        configs = Configs(self.db, 1, CONFIG)  # type: ignore[arg-type]
        self.stage = ClassifyStage(self.db, self.access, configs, OWNER)  # type: ignore[arg-type]

    async def work(self, pair: Pair) -> Sorted:
        lease = Lease(Stage.CLASSIFY, pair.row["id"], CLAIM)
        return await self.stage.work(Held(lease, 4, pair), nullcontext())

    def rows(self, name: str) -> list[Any]:
        return [row for params in self.all_given(name) for row in params["rows"].obj]

    def all_given(self, name: str) -> list[dict[str, Any]]:
        return [params for each in self.db.transactions for n, params in each if n == name]


# --- claiming -------------------------------------------------------------------------------------


async def test_pairs_that_nobody_has_asked_about_are_held_and_the_others_are_not():
    rows = [a_row(id=1), known(id=2), twin(id=3)]
    r = Rig(rows=rows)
    claimed = await r.stage.claim(QUEUE, CLAIM, 32)
    assert claimed.taken == 3
    assert [(held.lease, held.line) for held in claimed.held] == [
        (Lease(Stage.CLASSIFY, 1, CLAIM), 4)
    ]


async def test_a_job_whose_pair_is_known_is_routed_at_the_claim_without_a_call():
    r = Rig(rows=[known(id=2, confidence=0.7, found_version="p1")])
    await r.stage.claim(QUEUE, CLAIM, 32)
    [row] = r.rows("classify/finish")
    assert (row.job_id, row.state, row.task, row.found_by) == (2, "ready", "extraction", "model")
    assert (row.engine, row.model, row.confidence) == ("local", "phi4-mini", 0.7)
    assert row.found_version == "p1"
    assert "classify/verdicts" not in r.db.ran
    assert r.engine.requests == []


async def test_a_job_whose_pair_somebody_else_is_at_looks_again_in_a_moment():
    r = Rig(rows=[twin(id=3), twin(id=4)])
    await r.stage.claim(QUEUE, CLAIM, 32)
    assert r.db.given("flow/release") == {
        "stages": [Stage.CLASSIFY, Stage.CLASSIFY],
        "items": [3, 4],
        "owner": OWNER,
        "delay_s": TWIN_S,
    }


async def test_the_claim_says_who_would_be_asked():
    r = Rig()
    await r.stage.claim(QUEUE, CLAIM, 8)
    take, reserve = r.db.given("flow/take"), r.db.given("classify/claim")
    assert (take["queue"], take["stage"], take["most"], take["claim"]) == (
        "classify:local/phi4-mini",
        "classify",
        8,
        CLAIM,
    )
    assert (reserve["engine"], reserve["kind"], reserve["host"], reserve["model"]) == (
        "local",
        "ollama",
        "gpu:11434",
        "phi4-mini",
    )


async def test_asks_are_read_once():
    r = Rig()
    for _ in range(3):
        await r.stage.claim(QUEUE, CLAIM, 8)
    assert r.db.ran.count("calls/asks") == 1


async def test_each_job_goes_by_its_batchs_configuration():
    r = Rig(rows=[a_row(configuration_id=8)])
    claimed = await r.stage.claim(QUEUE, CLAIM, 8)
    assert claimed.held[0].payload.config == CONFIG
    assert r.db.given("flow/configuration") == {"number": 8}


# --- asking ---------------------------------------------------------------------------------------


async def test_the_model_says_which_task_it_is():
    r = Rig('{"task": "reasoning"}')
    result = await r.work(a_pair())
    likely = confidence(TaskType.REASONING, a_learned().probabilities("", None))
    version = prompt("classify").version
    assert result.result == Verdict(TaskType.REASONING, Finder.MODEL, likely, version)
    assert [(call.id, call.state) for call in result.calls] == [(CALL, "settled")]
    assert result.unused == []
    [request] = r.engine.requests
    assert (request.model_name, request.max_tokens) == ("phi4-mini", MAX_TOKENS)
    assert request.messages[-1].content == "Request: Find the total."


@pytest.mark.parametrize(
    "answer",
    [
        '{"task": "poetry"}',
        "extraction",
        "",
        Completion("", Finish.CONTENT_FILTER, 1),
        Completion('{"ta', Finish.LENGTH, 1),
    ],
)
async def test_an_answer_that_is_no_task_is_an_attempt_of_the_pair(answer):
    r = Rig(answer)
    result = await r.work(a_pair())
    assert isinstance(result.result, Retry)
    assert len(r.engine.requests) == 1
    assert pair_row(result) == PairRow(KEY, 7, attempts=1)
    assert job_row(result) is None


async def test_after_the_last_attempt_it_is_the_configured_task_and_says_so():
    r = Rig('{"task": "poetry"}')
    result = await r.work(a_pair(attempts=4))
    assert result.result == Verdict(TaskType.SUMMARY, Finder.FALLBACK)
    row = job_row(result)
    assert (row.task, row.found_by, row.zone) == ("summary", "fallback", "frontier")
    assert pair_row(result) == PairRow(KEY, 7, "summary", "fallback")


@pytest.mark.parametrize("trouble", [Trouble.CONTEXT_EXCEEDED, Trouble.BAD_REQUEST])
async def test_a_pair_that_can_never_be_asked_is_the_configured_task_at_once(trouble):
    r = Rig(EngineError(trouble, "no"))
    result = await r.work(a_pair())
    assert result.result == Verdict(TaskType.SUMMARY, Finder.FALLBACK)


@pytest.mark.parametrize(
    "trouble",
    [Trouble.UNAVAILABLE, Trouble.SERVER_ERROR, Trouble.TIMEOUT, Trouble.MODEL_NOT_FOUND],
)
async def test_an_engine_in_trouble_costs_a_pair_no_attempt_and_shuts_its_gate(trouble):
    r = Rig(EngineError(trouble, "no"))
    result = await r.work(a_pair(attempts=4))
    assert isinstance(result.result, Wait)
    assert pair_row(result) == PairRow(KEY, 7, waits=1)
    assert [model for model, _ in r.access.shut()] == ["phi4-mini"]
    await r.access.close()


async def test_a_fault_of_ours_is_an_attempt_and_its_call_is_on_the_bill(monkeypatch):
    def broken(*_: object) -> None:
        raise KeyError("ours")

    monkeypatch.setattr(stage_module, "check", broken)
    result = await Rig('{"task": "reasoning"}').work(a_pair())
    assert isinstance(result.result, Retry)
    assert result.result.failure.category == "internal_error"
    assert [call.state for call in result.calls] == ["settled"]


async def test_another_attempt_is_another_question():
    keys = set()
    for attempts in (0, 1):
        result = await Rig('{"task": "reasoning"}').work(a_pair(attempts=attempts))
        keys.add(result.calls[0].request_key)
    assert len(keys) == 2


async def test_the_classifier_never_leaves_the_building_whatever_the_policy():
    assert a_config().engines[CONFIG.classifier.engine].zone == "local"


# --- routing --------------------------------------------------------------------------------------


@given(
    task=st.sampled_from(TaskType),
    found_by=st.sampled_from(Finder),
    likely=st.one_of(st.none(), st.floats(0, 1)),
    language=st.sampled_from([None, "en", "hi"]),
    tokens=st.integers(0, 10**6),
    chunk=st.sampled_from([None, 11]),
    local_only=st.booleans(),
    pinned=st.booleans(),
)
def test_a_job_is_routed_by_all_of_its_own_facts(
    task, found_by, likely, language, tokens, chunk, local_only, pinned
):
    pair = a_pair(
        language=language, tokens=tokens, chunk_id=chunk, local_only=local_only, pinned=pinned
    )
    row = job_row(Sorted(pair, Verdict(task, found_by, likely)))
    scope = "chunk" if chunk else "document"
    facts = Facts(task, found_by, likely, language, tokens, scope, local_only, pinned)
    way = route(facts, CONFIG)
    place = way.first
    assert row.escalation_reason == way.reason
    assert (row.zone, row.engine, row.model) == (place.zone, place.engine, place.model)
    assert (row.task, row.found_by, row.confidence) == (task, found_by, likely)
    assert row.fixed_tokens > 0
    if local_only or pinned:
        assert row.zone == "local"


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (
            Verdict(TaskType.SUMMARY, Finder.MODEL, 0.5, "p1"),
            PairRow(KEY, 7, "summary", "model", "p1", 0.5),
        ),
        (Wait(FAILURE, 1.0), PairRow(KEY, 7, waits=1)),
        (Retry(FAILURE, 1.0), PairRow(KEY, 7, attempts=1)),
        (GiveUp(FAILURE), PairRow(KEY, 7, attempts=1)),
    ],
)
def test_what_is_remembered_of_a_pair(result, expected):
    assert pair_row(Sorted(a_pair(), result)) == expected


@pytest.mark.parametrize(("row", "statement"), [(JobRow, "finish"), (PairRow, "verdicts")])
def test_each_field_of_a_row_is_a_column_that_the_statement_reads(row, statement):
    text = load_sql("worker", f"classify/{statement}")
    columns = text[text.index("AS g (") + len("AS g (") :].partition(")\n")[0]
    names = {column.split()[0] for column in columns.split(",")}
    assert {field.name for field in fields(row)} == names


# --- writing --------------------------------------------------------------------------------------


async def test_a_verdict_its_call_and_its_job_are_written_in_one_transaction_and_the_journal_last():
    r = Rig('{"task": "reasoning"}')
    await r.stage.finish(await r.work(a_pair()))
    [transaction] = r.db.transactions
    assert [name for name, _ in transaction] == [
        "calls/settle",
        "classify/verdicts",
        "classify/finish",
    ]
    assert r.journal.settled_ids == [CALL]


async def test_a_job_that_has_to_wait_is_back_in_line_after_its_delay():
    r = Rig()
    for result, delay_s in ((Wait(FAILURE, 0.25), 0.25), (Retry(FAILURE, 3.0), 3.0)):
        await r.stage.finish(Sorted(a_pair(), result))
        assert r.all_given("flow/release")[-1]["delay_s"] == delay_s
    assert "classify/finish" not in r.db.ran


async def test_what_ends_at_the_same_time_is_written_together():
    r = Rig()
    results = [
        Sorted(a_pair(id=n), Verdict(TaskType.SUMMARY, Finder.MODEL), unused=[UUID(int=n)])
        for n in range(10)
    ]
    await asyncio.gather(*map(r.stage.finish, results))
    assert len(r.db.transactions) == 1
    assert len(r.rows("classify/finish")) == 10
    assert r.db.given("calls/drop") == {"ids": [UUID(int=n) for n in range(10)]}
