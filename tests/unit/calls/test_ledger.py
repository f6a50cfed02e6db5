import json
import time
from dataclasses import fields, replace
from decimal import Decimal
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.reasons import CostReason
from models.sql import load_sql
from models.states import CallState
from tests.factories import PRICED, a_config, a_deployment, the_frontier
from worker.calls.ledger import (
    CallRow,
    KnownAnswer,
    Ledger,
    machine_cost,
    new_call_id,
    request_key,
)
from worker.calls.prices import PriceBook
from worker.jsonb import dumps
from worker.llm.engine import Completion, EngineError, Finish, Message, Request, Trouble, Usage

CONFIG = a_config(prices=PRICED)
MESSAGES = (Message("system", "be brief"), Message("user", "what is it?"))
REQUEST = Request("big", MESSAGES, max_tokens=100, context_tokens=8192, schema={"type": "object"})
USAGE = Usage(input_tokens=1_000, cached_tokens=400, output_tokens=10, reasoning_tokens=3)
COMPLETION = Completion(
    "the answer", Finish.STOP, 120, USAGE, model_answered="big-2026", engine_seconds=2.0
)
CALL, KEY = UUID(int=1), UUID(int=2)

FRONTIER = Ledger(the_frontier(), PriceBook(CONFIG), "big", lambda: 1)
LOCAL = Ledger(a_deployment(), PriceBook(CONFIG), "big", lambda: 1)
STAND_IN = Ledger(the_frontier(kind="embedded"), PriceBook(CONFIG), "big", lambda: 1)


def hourly(usd_per_hour: str, slots: int = 4) -> Ledger:
    """An engine in the building whose machine has a price."""
    engine = a_deployment(usd_per_hour=usd_per_hour)
    return Ledger(engine, PriceBook(CONFIG), "big", lambda: slots)


def by_the_second(usd_per_second: str | None = "0.001525") -> Ledger:
    """Models elsewhere whose seconds are billed."""
    engine = the_frontier(kind="replicate", usd_per_second=usd_per_second, timeout_s=100)
    return Ledger(engine, PriceBook(CONFIG), "big", lambda: 1)


def settled(
    made: Ledger = FRONTIER, completion: Completion = COMPLETION, request: Request = REQUEST
) -> CallRow:
    return made.settled(CALL, request, KEY, completion)


def failed(made: Ledger = FRONTIER, trouble: Trouble = Trouble.SERVER_ERROR, **more) -> CallRow:
    return made.failed(CALL, REQUEST, EngineError(trouble, "no answer", **more), 70)


# --- request_key ----------------------------------------------------------------------------------


def test_the_key_of_equal_requests_is_equal_also_in_another_process():
    assert request_key(REQUEST, "v1") == request_key(replace(REQUEST), "v1")
    small = Request("m", (Message("user", "t"),), max_tokens=1, context_tokens=1)
    assert request_key(small, "v") == UUID("75bb352c-13bc-4d27-46e7-65229c043fb7")


@pytest.mark.parametrize(
    "change",
    [
        {"model_name": "other"},
        {"messages": MESSAGES[:1]},
        {"messages": MESSAGES[::-1]},
        {"messages": (MESSAGES[0], Message("user", "what is it? "))},
        {"messages": (MESSAGES[0], Message("assistant", "what is it?"))},
        {"messages": (Message("system", "be brief what is it?"),)},
        {"messages": (MESSAGES[0], replace(MESSAGES[1], images=(b"a picture",)))},
        {"schema": None},
        {"schema": {"type": "array"}},
        {"schema": {}},
        {"max_tokens": 200},
        {"temperature": 0.4},
        {"text": "is it?"},  # then its labels are weighed
    ],
)
def test_the_key_changes_with_everything_that_the_engine_sees(change):
    assert request_key(replace(REQUEST, **change), "v1") != request_key(REQUEST, "v1")


def test_the_key_changes_with_the_version_of_the_prompt():
    assert request_key(REQUEST, "v1") != request_key(REQUEST, "v2")


@pytest.mark.parametrize("change", [{"context_tokens": 4096}, {"idempotency_key": "abc"}])
def test_the_key_does_not_change_with_what_makes_no_other_answer(change):
    assert request_key(replace(REQUEST, **change), "v1") == request_key(REQUEST, "v1")


def test_the_key_does_not_depend_on_the_order_in_which_postgres_returns_a_schema():
    one = replace(REQUEST, schema={"type": "object", "required": ["a"]})
    other = replace(REQUEST, schema={"required": ["a"], "type": "object"})
    assert request_key(one, "v") == request_key(other, "v")


@given(st.text(), st.text(), st.text())
def test_different_texts_have_different_keys(one, other, version):
    keys = {
        request_key(replace(REQUEST, messages=(Message("user", text),)), version)
        for text in (one, other)
    }
    assert len(keys) == len({one, other})


# --- settled --------------------------------------------------------------------------------------


def test_an_answer_is_settled_at_the_price_of_its_tokens():
    row = settled()
    cost = (600 * Decimal(3) + 400 * Decimal("0.3") + 10 * Decimal(15)) / 1_000_000
    assert row.cost_usd == row.would_have_cost_usd == cost
    assert row.cost_reason is None
    assert row.price_source == "config"
    assert (row.input_usd_per_mtok, row.cached_usd_per_mtok, row.output_usd_per_mtok) == (
        Decimal(3),
        Decimal("0.3"),
        Decimal(15),
    )


def test_what_a_call_wrote_into_a_cache_is_in_its_price_so_that_its_cost_can_be_recomputed():
    price = {"input_per_mtok": "3", "output_per_mtok": "15", "cache_write_per_mtok": "3.75"}
    made = Ledger(the_frontier(), PriceBook(a_config(prices={"big": price})), "big", lambda: 1)
    usage = Usage(1_000, 0, 10, cache_written_tokens=700)
    row = settled(made, replace(COMPLETION, usage=usage))
    assert row.cost_usd == (300 * Decimal(3) + 700 * Decimal("3.75") + 150) / 1_000_000
    assert row.cost_usd == (1_000 * row.input_usd_per_mtok + 150) / 1_000_000


def test_a_settled_row_holds_all_that_the_engine_reported():
    row = settled()
    assert (row.id, row.request_key, row.state) == (CALL, KEY, CallState.SETTLED)
    assert (row.input_tokens, row.cached_tokens) == (1_000, 400)
    assert (row.output_tokens, row.reasoning_tokens) == (10, 3)
    assert (row.engine_seconds, row.latency_ms) == (2.0, 120)
    assert (row.answer, row.finish) == ("the answer", "stop")
    assert row.model_answered == "big-2026"


def test_an_answer_whose_seconds_are_billed_is_settled_at_their_price():
    row = settled(by_the_second())
    assert (row.cost_usd, row.price_source) == (Decimal("0.00305"), "engine seconds")
    assert row.input_usd_per_mtok is None
    assert row.would_have_cost_usd == settled().cost_usd


def test_where_no_second_has_a_price_tokens_have_theirs():
    row = settled(by_the_second(None))
    assert (row.cost_usd, row.price_source) == (settled().cost_usd, "config")


def test_a_cost_that_the_provider_states_goes_before_our_own_sum():
    row = settled(completion=replace(COMPLETION, reported_cost_usd=Decimal("0.5")))
    assert (row.cost_usd, row.price_source) == (Decimal("0.5"), "provider")


@pytest.mark.parametrize(
    ("made", "change", "model_name", "reason"),
    [
        (FRONTIER, {"usage": Usage()}, "big", CostReason.NO_TOKENS),
        (FRONTIER, {"usage": Usage(input_tokens=5)}, "big", CostReason.NO_TOKENS),
        (FRONTIER, {}, "nobody/knows-this", CostReason.NO_PRICE),
        (STAND_IN, {}, "big", CostReason.STAND_IN),
        (LOCAL, {}, "big", CostReason.NO_MACHINE_PRICE),
        (hourly(usd_per_hour="2"), {"engine_seconds": None}, "big", CostReason.NO_ENGINE_TIME),
        (by_the_second(), {"engine_seconds": None}, "big", CostReason.NO_ENGINE_TIME),
        (by_the_second(None), {}, "nobody/knows-this", CostReason.NO_PRICE),
    ],
)
def test_a_cost_that_is_not_known_is_unknown_with_its_reason_and_never_0(
    made, change, model_name, reason
):
    row = settled(made, replace(COMPLETION, **change), replace(REQUEST, model_name=model_name))
    assert row.cost_usd is None
    assert row.cost_reason is reason


def test_tokens_that_were_not_reported_stay_unknown():
    row = settled(completion=replace(COMPLETION, usage=Usage()))
    assert row.input_tokens is row.output_tokens is row.cached_tokens is None
    assert row.would_have_cost_usd is None


def test_a_local_call_says_what_the_frontier_would_have_cost():
    row = settled(LOCAL, replace(COMPLETION, usage=Usage(1_000_000, None, 1_000_000)))
    assert row.would_have_cost_usd == Decimal(18)


def test_an_answer_that_was_known_costs_nothing_and_says_whose_it_is_and_what_it_saved():
    row = FRONTIER.reused(CALL, KnownAnswer(UUID(int=9), {"total": "1"}, Decimal("0.5")))
    assert (row.state, row.reused_from, row.cost_usd) == (CallState.REUSED, UUID(int=9), 0)
    assert (row.input_tokens, row.output_tokens, row.latency_ms) == (0, 0, 0)
    assert row.would_have_cost_usd == Decimal("0.5")


# --- failed ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", Trouble)
@pytest.mark.parametrize("maybe_billed", [False, True])
def test_a_call_without_an_answer_is_refused_or_lost(trouble, maybe_billed):
    row = failed(trouble=trouble, maybe_billed=maybe_billed)
    assert row.state is (CallState.LOST if maybe_billed else CallState.REFUSED)
    assert row.latency_ms == 70
    assert (row.error["category"], row.error["message"]) == (trouble, "no answer")
    if maybe_billed:  # what was reserved is its cost: calls/settle.sql knows it
        assert (row.cost_usd, row.cost_reason) == (None, CostReason.LOST)
    else:
        assert row.cost_usd == 0


@pytest.mark.parametrize("maybe_billed", [False, True])
def test_a_refusal_costs_what_the_provider_says_it_took(maybe_billed):
    row = failed(maybe_billed=maybe_billed, usage=USAGE)
    assert row.state is CallState.REFUSED
    assert row.cost_usd == settled().cost_usd > 0
    assert (row.input_tokens, row.output_tokens) == (1_000, 10)
    assert row.price_source == "config"


def test_a_price_that_comes_with_a_refusal_goes_before_our_own_sum():
    row = failed(usage=USAGE, reported_cost_usd=Decimal("0.5"))
    assert (row.cost_usd, row.price_source) == (Decimal("0.5"), "provider")


def test_a_refusal_after_work_on_a_machine_costs_its_time():
    row = failed(hourly(usd_per_hour="3600", slots=1), usage=USAGE, engine_seconds=2.0)
    assert (row.cost_usd, row.engine_seconds) == (Decimal(2), 2.0)


def test_a_failure_whose_seconds_are_billed_costs_them():
    row = failed(by_the_second(), maybe_billed=True, engine_seconds=2.0)
    assert (row.state, row.cost_usd) == (CallState.REFUSED, Decimal("0.00305"))
    assert failed(by_the_second(), maybe_billed=True).state is CallState.LOST
    assert failed(by_the_second(None), maybe_billed=True, engine_seconds=2.0).cost_usd is None


@pytest.mark.parametrize("made", [FRONTIER, hourly(usd_per_hour="1"), by_the_second()])
def test_every_row_can_be_journaled_and_stored(made):
    lost = failed(made, Trouble.TIMEOUT, maybe_billed=True)
    known = made.reused(CALL, KnownAnswer(UUID(int=9), {}, None))
    for row in (settled(made), lost, failed(made, usage=USAGE), known):
        again = json.loads(dumps(row))
        assert set(again) == {field.name for field in fields(row)}
        assert UUID(again["id"]) == row.id


def test_each_field_of_a_row_is_a_column_that_the_statement_reads():
    statement = load_sql("worker", "calls/settle")
    columns = statement[statement.index("AS s (") :].partition("error jsonb")[0]
    names = {word.strip(" (") for word in columns.replace("AS s", "").split()}
    assert {field.name for field in fields(CallRow)} - {"error"} <= names


# --- upper bounds ---------------------------------------------------------------------------------


@given(st.integers(0, 10**5), st.integers(0, 100), st.floats(0, 1))
def test_no_call_within_its_limits_costs_more_than_its_upper_bound(tokens, output, share):
    usage = Usage(tokens, int(tokens * share), output)
    cost = settled(completion=replace(COMPLETION, usage=usage)).cost_usd
    assert cost <= FRONTIER.upper_bound(REQUEST, tokens)


@pytest.mark.parametrize("made", [LOCAL, STAND_IN])
def test_nothing_is_reserved_where_tokens_cost_nothing(made):
    assert made.upper_bound(REQUEST, 1000) is None
    assert made.price("big") is None


def test_where_seconds_are_billed_all_that_a_call_may_run_is_reserved():
    unknown = replace(REQUEST, model_name="nobody/knows-this")
    assert by_the_second().upper_bound(unknown, 1000) == Decimal("0.1525")
    assert by_the_second(None).upper_bound(REQUEST, 0) == FRONTIER.upper_bound(REQUEST, 0)


def test_nothing_is_reserved_at_an_unknown_price():
    unknown = replace(REQUEST, model_name="nobody/knows-this")
    assert FRONTIER.upper_bound(unknown, 1000) is None
    assert FRONTIER.price("nobody/knows-this") is None


# --- machine cost ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("usd_per_hour", "slots", "seconds", "cost"),
    [
        ("3600", 1, 2.0, "2"),
        ("3600", 4, 2.0, "0.5"),
        ("1.95", 4, 10.0, "0.0013541667"),
        ("0", 1, 5.0, "0"),
        ("2", 1, 0.0, "0"),
    ],
)
def test_a_local_call_costs_its_slots_share_of_the_machine(usd_per_hour, slots, seconds, cost):
    found = machine_cost(Decimal(usd_per_hour), slots, seconds)
    assert found.cost_usd == Decimal(cost)
    assert found.price_source == "machine hours"


@given(st.lists(st.floats(0, 100), min_size=4, max_size=4))
def test_a_full_machine_costs_what_it_costs(seconds):
    """Four slots at work side by side are paid for like the longest, and never more."""
    total = sum(machine_cost(Decimal(3600), 4, each).cost_usd for each in seconds)
    assert total <= Decimal(str(max(seconds))) + Decimal("1e-9")


def test_the_id_of_a_call_says_when_it_began_and_is_new_each_time():
    before = time.time()
    made = [new_call_id() for _ in range(1_000)]
    after = time.time()
    assert len(set(made)) == 1_000
    for one in (made[0], made[-1]):
        assert one.version == 7
        assert one.variant == RFC_4122
        assert int(before * 1000) <= one.int >> 80 <= after * 1000
