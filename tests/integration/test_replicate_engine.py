import asyncio
import json
import logging
from functools import partial

import pytest
import structlog

from models.errors import ConfigError
from tests import factories
from tests.factories import a_request
from tests.stubs.replicate import ReplicateStub
from tests.waiting import until
from worker.llm.engine import EngineError, Finish, Message, Trouble
from worker.llm.replicate import engine as module
from worker.llm.replicate.engine import ReplicateEngine

KEY = "r8_very-secret-key-of-somebody"
OFFICIAL = "meta/llama-3.3-70b"
VERSION = "5c" * 32
COMMUNITY = f"somebody/model:{VERSION}"


ASKED = {
    "model_name": OFFICIAL,
    "messages": (Message("system", "Be brief."), Message("user", "Invoice 4711 of Acme Traders")),
}
asked = partial(a_request, **ASKED)
trouble_of = partial(factories.trouble_of, **ASKED)


@pytest.fixture
async def stub():
    async with ReplicateStub(models=[]) as made:
        yield made


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """What takes seconds at Replicate takes less here."""
    monkeypatch.setattr(module, "_FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(module, "_LONGEST_PAUSE_S", 0.05)


@pytest.fixture
async def engine(stub):
    made = ReplicateEngine(stub.base_url + "/", KEY)
    yield made
    await made.close()


# --- what is sent ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "path", "version"),
    [
        (OFFICIAL, f"/v1/models/{OFFICIAL}/predictions", None),
        (COMMUNITY, "/v1/predictions", VERSION),
        (VERSION, "/v1/predictions", VERSION),
    ],
)
async def test_an_official_model_is_asked_by_name_and_any_other_by_version(
    stub, engine, monkeypatch, model, path, version
):
    paths = []
    route = stub.route

    async def noted(given):
        paths.append((given.method, given.path))
        return await route(given)

    monkeypatch.setattr(stub, "route", noted)
    assert (await engine.complete(asked(model_name=model))).text
    assert paths[-1] == ("POST", path)
    assert stub.last_body.get("version") == version


async def test_a_request_says_all_that_replicate_would_otherwise_guess(stub, engine):
    await engine.complete(asked(max_tokens=77))
    assert stub.last_body["input"] == {
        "prompt": "Invoice 4711 of Acme Traders",
        "system_prompt": "Be brief.",
        "max_tokens": 77,
        "temperature": 0.0,
    }
    assert stub.last_headers["Authorization"] == f"Bearer {KEY}"
    assert stub.last_headers["Prefer"] == "wait=3"
    assert stub.last_headers["Cancel-After"] == "1200s"


async def test_no_schema_is_sent_for_it_stands_in_the_prompt(stub, engine):
    await engine.complete(asked(schema={"type": "object"}))
    assert "schema" not in json.dumps(stub.last_body)


@pytest.mark.parametrize(
    ("output", "text"),
    [("list", "Acme Traders"), ("string", "Acme Traders"), ("object", '{"a": 1}')],
)
async def test_an_answer_in_pieces_or_whole_or_as_an_object_is_one_text(stub, engine, output, text):
    await stub.set(output=output, answers={"4711": text})
    assert (await engine.complete(asked())).text == text


async def test_seconds_are_those_that_the_model_ran(stub, engine):
    await stub.set(cold_start=0.2, predict_time=0.25)
    found = await engine.complete(asked())
    assert found.engine_seconds == 0.25
    assert found.latency_ms >= 200
    await stub.set(predict_time=-1)
    assert (await engine.complete(asked())).engine_seconds is None


# --- what a model takes ---------------------------------------------------------------------------


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    ("takes", "texts"),
    [
        (["prompt"], ["Be brief.\n\nInvoice 4711 of Acme Traders"]),
        (["prompt", "max_new_tokens"], ["Be brief.\n\nInvoice 4711 of Acme Traders"]),
        (["messages", "max_tokens"], ["Be brief.", "Invoice 4711 of Acme Traders"]),
    ],
)
async def test_a_model_is_asked_once_what_it_takes_and_nothing_of_a_prompt_is_dropped(
    stub, engine, strict, takes, texts
):
    await stub.set(takes=takes, strict=strict, keep_texts=True)
    for _ in range(2):
        await engine.complete(asked())
    assert [line["text"] for line in stub.record.log] == ["\n".join(texts)] * 2
    assert stub.last_body["input"].keys() == {name for name in takes if name != "temperature"}
    assert stub.read == 1


async def test_a_model_that_many_ask_for_at_first_is_read_once(stub, engine):
    await asyncio.gather(*(engine.complete(asked()) for _ in range(20)))
    assert (stub.read, len(stub.runs)) == (1, 20)


async def test_a_refused_input_is_left_out_from_then_on_and_no_prediction_is_made_of_it(
    stub, engine
):
    await stub.set(takes=["prompt", "max_new_tokens"], strict=True)
    for _ in range(2):
        await engine.complete(asked(model_name=VERSION))
    assert stub.last_body["input"].keys() == {"prompt", "max_new_tokens"}
    assert (stub.record.requests, len(stub.runs)) == (3, 2)
    assert stub.record.outcomes == {"422": 1, "ok": 2}


async def test_a_temperature_of_zero_is_raised_for_a_model_that_refuses_it(stub, engine):
    await stub.set(least_temperature=0.01)
    for model in (OFFICIAL, VERSION):
        await engine.complete(asked(model_name=model))
        assert stub.last_body["input"]["temperature"] == 0.01


async def test_a_model_that_reads_no_text_is_unfit_and_is_sent_nothing(stub, engine):
    await stub.set(takes=["image"])
    assert (await trouble_of(engine)).trouble is Trouble.MODEL_UNFIT
    assert stub.record.requests == 0


async def test_a_model_that_is_not_there_is_not_found_before_a_prompt_is_sent(stub, engine):
    await stub.set(models=["other/one"])
    error = await trouble_of(engine)
    assert error.trouble is Trouble.MODEL_NOT_FOUND
    assert "OWNER/NAME:VERSION" in str(error)
    assert stub.record.requests == 0


# --- one prediction per call ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault", ["429", "500", "503", "cut", "cut_body", "bad_json", "402", "memory", "interrupted"]
)
async def test_nothing_is_sent_a_second_time(stub, engine, fault):
    stub.script.append(fault)
    await trouble_of(engine)
    assert stub.record.requests == 1


async def test_looking_for_an_answer_is_no_second_request(stub, engine):
    await stub.set(holds=False, latency=0.2)
    assert (await engine.complete(asked())).text
    assert (stub.record.requests, len(stub.runs), stub.cancels) == (1, 1, [])
    assert stub.looks > 2


async def test_looks_that_fail_lose_no_answer_that_is_paid_for(stub, engine):
    await stub.set(holds=False)
    stub.bad_looks = 3
    assert (await engine.complete(asked())).text
    assert stub.record.requests == 1


async def test_a_prediction_that_nobody_knows_any_more_may_be_billed(stub, engine):
    await stub.set(holds=False, latency=5)
    call = asyncio.create_task(engine.complete(asked()))
    await until(lambda: stub.runs, "it is made")
    stub.runs["p1"].task.cancel()
    del stub.runs["p1"]
    with pytest.raises(EngineError) as caught:
        await call
    assert caught.value.trouble is Trouble.SERVER_ERROR
    assert caught.value.maybe_billed


async def test_addresses_in_a_reply_are_not_followed(stub, engine):
    """The stub names another host for looks and cancelling: nothing listens there."""
    await stub.set(holds=False, latency=0.1)
    assert (await engine.complete(asked())).text


# --- leaving --------------------------------------------------------------------------------------


@pytest.mark.parametrize("holds", [True, False])
async def test_a_call_that_is_given_up_cancels_its_prediction_before_it_leaves(stub, engine, holds):
    await stub.set(latency=60, holds=holds)
    call = asyncio.create_task(engine.complete(asked()))
    await until(lambda: stub.runs, "it is made")
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert stub.cancels == ["p1"]
    await until(lambda: stub.record.in_flight == 0, "it has ended there")
    assert len(stub.runs) == 1


async def test_a_second_cancelling_leaves_the_prediction_no_less_cancelled(stub, engine):
    await stub.set(latency=60)
    call = asyncio.create_task(engine.complete(asked()))
    await until(lambda: stub.runs, "it is made")
    call.cancel()
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await engine.close()
    assert stub.cancels == ["p1"]


async def test_a_prediction_that_runs_too_long_is_cancelled_and_may_be_billed(stub):
    engine = ReplicateEngine(stub.base_url, KEY, timeout_s=0.2)
    await stub.set(holds=False, latency=60)
    error = await trouble_of(engine)
    await engine.close()
    assert (error.trouble, error.maybe_billed) == (Trouble.TIMEOUT, True)
    assert stub.cancels == ["p1"]


async def test_a_call_that_ends_by_itself_cancels_nothing(stub, engine):
    for fault in ("ok", "429", "memory", "canceled"):
        stub.script.append(fault)
        if fault == "ok":
            await engine.complete(asked())
        else:
            await trouble_of(engine)
    assert stub.cancels == []


# --- cold starts ----------------------------------------------------------------------------------


async def test_a_cold_start_is_waited_for_whatever_the_time_limit_of_a_run(stub):
    engine = ReplicateEngine(stub.base_url, KEY, timeout_s=0.3)
    await stub.set(holds=False, cold_start=0.6, latency=0.15)
    found = await engine.complete(asked())
    await engine.close()
    assert (found.finish, found.engine_seconds) == (Finish.STOP, 0.5)
    assert found.latency_ms >= 600


async def test_a_cold_start_is_said_once_for_all_calls_that_wait_for_it(stub, engine):
    await stub.set(holds=False, cold_start=0.3)
    with structlog.testing.capture_logs() as said:
        await asyncio.gather(*(engine.complete(asked()) for _ in range(5)))
        await engine.complete(asked())
    [line] = said
    assert OFFICIAL in line["event"]
    assert "cold start" in line["event"]


async def test_a_start_that_takes_too_long_is_no_failure_of_a_call_that_cost_something(stub):
    engine = ReplicateEngine(stub.base_url, KEY, cold_start_s=0.2)
    await stub.set(holds=False, cold_start=60)
    error = await trouble_of(engine)
    await engine.close()
    assert (error.trouble, error.maybe_billed) == (Trouble.UNAVAILABLE, False)
    assert "still starting after 0.2 s" in str(error)
    assert error.status is not None  # it answers: no reason to think that all of it is away
    assert stub.cancels == ["p1"]


# --- troubles -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "trouble", "billed"),
    [
        ("version", Trouble.MODEL_NOT_FOUND, False),
        ("image", Trouble.MODEL_UNFIT, False),
        ("429_body", Trouble.RATE_LIMITED, False),
        ("cuda", Trouble.NO_MEMORY, True),
        ("interrupted", Trouble.SERVER_ERROR, False),
        ("never_started", Trouble.UNAVAILABLE, False),
        ("canceled", Trouble.SERVER_ERROR, True),
        ("aborted", Trouble.UNAVAILABLE, False),
    ],
)
async def test_every_fault_of_replicate_is_typed(stub, engine, fault, trouble, billed):
    stub.script.append(fault)
    error = await trouble_of(engine)
    assert (error.trouble, error.maybe_billed) == (trouble, billed)


async def test_health_says_whose_account_it_is_and_costs_nothing(stub, engine):
    health = await engine.health()
    assert health.ok
    assert "acme" in health.detail
    await stub.set(api_key="another")
    refused = await engine.health()
    assert not refused.ok
    assert "REPLICATE_API_TOKEN" in refused.detail
    assert stub.record.requests == 0


async def test_the_key_shows_nowhere(stub, engine, caplog):
    caplog.set_level(logging.DEBUG)
    said = []
    for body in ({"detail": f"bad token {KEY}"}, f"<p>{KEY}</p>", {"detail": KEY[4:20]}):
        stub.script.append({"status": 401, "body": body})
        error = await trouble_of(engine)
        said += [str(error), repr(error), str(error.__cause__)]
    stub.script.append({"status": 200, "body": {"status": "failed", "error": f"no {KEY}"}})
    said += [str(await trouble_of(engine)), repr(engine), caplog.text]
    assert KEY not in "".join(said)
    assert KEY[4:20] not in "".join(said)


def test_a_key_that_no_header_carries_is_refused_and_not_shown():
    with pytest.raises(ConfigError) as caught:
        ReplicateEngine("https://api.example/v1", "r8_te\nst")
    assert "REPLICATE_API_TOKEN" in str(caught.value)
    assert "r8_te" not in str(caught.value)


async def test_a_proxy_of_the_environment_is_heeded(stub, monkeypatch):
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    engine = ReplicateEngine(stub.base_url, KEY)
    error = await trouble_of(engine)
    await engine.close()
    assert error.trouble is Trouble.UNAVAILABLE
    assert stub.record.requests == 0
