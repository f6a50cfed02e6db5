import logging
import traceback
from decimal import Decimal

import pytest

from tests.factories import a_request, trouble_of
from tests.stubs.openai import OpenAIStub
from worker.llm.engine import Finish, Message, Trouble
from worker.llm.openai.engine import OpenAIEngine

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
KEY = "sk-very-secret-0123456789"


@pytest.fixture
async def stub():
    async with OpenAIStub() as made:
        yield made


@pytest.fixture
async def engine(stub):
    made = OpenAIEngine(stub.base_url, KEY)
    yield made
    await made.close()


async def test_the_details_of_an_answer_are_read(stub, engine):
    await stub.set(cost="0.000123", timings=True, rate_headers="openai", rpm=10, tpm=9000)
    found = await engine.complete(a_request())
    assert found.reported_cost_usd == Decimal("0.000123")
    assert found.engine_seconds == 0.5
    assert found.usage.cached_tokens == found.usage.input_tokens // 2
    assert found.usage.reasoning_tokens == 0
    assert found.rate_limits.remaining_requests == 9
    assert found.rate_limits.reset_tokens_s == 90.5


async def test_what_is_not_stated_stays_unknown(engine):
    found = await engine.complete(a_request())
    assert (found.reported_cost_usd, found.engine_seconds, found.rate_limits) == (None, None, None)


async def test_anthropic_headers_are_read_too(stub, engine):
    await stub.set(rate_headers="anthropic", rpm=10, tpm=9000)
    found = await engine.complete(a_request())
    assert found.rate_limits.limit_requests == 10
    assert 0 < found.rate_limits.reset_requests_s <= 60


async def test_the_idempotency_key_travels_in_its_header(stub, engine):
    await engine.complete(a_request(idempotency_key="job-1"))
    await engine.complete(a_request(idempotency_key="job-1"))
    await engine.complete(a_request())
    assert stub.record.keys == {"job-1": 2}
    assert stub.record.repeats == 1


@pytest.mark.parametrize(
    ("fault", "trouble", "billed"),
    [
        ("error200", Trouble.SERVER_ERROR, True),
        ("error200_429", Trouble.RATE_LIMITED, False),
        ("no_choices", Trouble.SERVER_ERROR, True),
        ("empty_choices", Trouble.SERVER_ERROR, True),
        ("choice_error", Trouble.RATE_LIMITED, False),
        ("finish_error", Trouble.SERVER_ERROR, True),
        ("max_tokens", Trouble.MODEL_UNFIT, False),
        ("memory", Trouble.NO_MEMORY, False),
        ("filter", Trouble.CONTENT_FILTER, True),
        ("html", Trouble.MISCONFIGURED, False),
        ("spend", Trouble.QUOTA, False),
        ("402", Trouble.QUOTA, False),
        ("credit", Trouble.QUOTA, False),
        ("403", Trouble.AUTH, False),
        ("flagged", Trouble.CONTENT_FILTER, False),
        ("context_llama", Trouble.CONTEXT_EXCEEDED, False),
        ("408", Trouble.SERVER_ERROR, True),
        ("409", Trouble.SERVER_ERROR, True),
        ("502", Trouble.SERVER_ERROR, True),
        ("503", Trouble.UNAVAILABLE, False),
        ("529", Trouble.RATE_LIMITED, False),
        ("307", Trouble.MISCONFIGURED, False),
    ],
)
async def test_every_fault_of_a_gateway_is_typed(stub, engine, fault, trouble, billed):
    stub.script.append(fault)
    error = await trouble_of(engine)
    assert (error.trouble, error.maybe_billed) == (trouble, billed)
    assert stub.record.requests == 1  # the SDK does not try again


@pytest.mark.parametrize(
    ("fault", "text", "finish"),
    [
        ("refusal", "I cannot.", Finish.CONTENT_FILTER),
        ("finish_filter", "par", Finish.CONTENT_FILTER),
        ("null_content", "", Finish.STOP),
        ("null_length", "", Finish.LENGTH),
        ("parts", "hi", Finish.STOP),
    ],
)
async def test_odd_answers_keep_their_usage(stub, engine, fault, text, finish):
    stub.script.append(fault)
    found = await engine.complete(a_request())
    assert (found.text, found.finish) == (text, finish)
    assert found.usage.input_tokens == 7


@pytest.mark.parametrize(
    ("fault", "usd"), [("finish_error", None), ("error200_usage", Decimal("0.002"))]
)
async def test_what_an_error_took_comes_with_it(stub, engine, fault, usd):
    stub.script.append(fault)
    error = await trouble_of(engine)
    assert (error.usage.input_tokens, error.usage.output_tokens) == (7, 3)
    assert error.reported_cost_usd == usd


@pytest.mark.parametrize(
    ("knob", "left_out"),
    [
        ("no_schema_models", "response_format"),
        ("renamed_limit_models", "max_tokens"),
        ("no_temperature_models", "temperature"),
    ],
)
async def test_a_refused_field_is_left_out_from_then_on(stub, engine, knob, left_out):
    await stub.set(models=[], **{knob: ["m"]})
    for _ in range(3):
        assert (await engine.complete(a_request(schema=SCHEMA))).text
    assert stub.record.requests == 4  # one refusal, remembered
    assert (await engine.complete(a_request(model_name="other", schema=SCHEMA))).text
    assert stub.record.requests == 5  # another model is asked in full
    assert left_out in stub.last_body


async def test_a_model_may_refuse_several_fields(stub, engine):
    every = ["m"]
    await stub.set(no_schema_models=every, renamed_limit_models=every, no_temperature_models=every)
    assert (await engine.complete(a_request(schema=SCHEMA))).text
    assert set(stub.last_body) == {"model", "messages", "max_completion_tokens"}


async def test_a_schema_that_a_model_cannot_take_does_not_cost_the_others_theirs(stub, engine):
    said = {"message": "Invalid schema for response_format 'answer'", "param": "response_format"}
    stub.script.append({"status": 400, "body": {"error": said}})
    await engine.complete(a_request(schema=SCHEMA))
    assert "response_format" not in stub.last_body
    await engine.complete(a_request(schema={**SCHEMA, "required": []}))
    assert "response_format" in stub.last_body
    await engine.complete(a_request(schema=SCHEMA))
    assert "response_format" not in stub.last_body


async def test_what_gemini_says_of_a_schema_within_a_list_is_understood(stub, engine):
    said = {"code": 400, "message": "Unknown name at 'generation_config.response_schema'"}
    stub.script.append({"status": 400, "body": [{"error": said}]})
    assert (await engine.complete(a_request(schema=SCHEMA))).text
    assert "response_format" not in stub.last_body


async def test_a_model_without_a_system_role_is_asked_again_without_one(stub, engine):
    said = {"object": "error", "message": "System role not supported", "code": 400}
    stub.script.append({"status": 400, "body": said})
    messages = (Message("system", "Be brief."), Message("user", "Who?"))
    for _ in range(2):
        assert (await engine.complete(a_request(messages=messages))).text
    assert stub.last_body["messages"] == [{"role": "user", "content": "Be brief.\n\nWho?"}]
    assert stub.record.requests == 3


async def test_a_refusal_that_teaches_nothing_is_not_asked_again(stub, engine):
    stub.script.append("400")
    assert (await trouble_of(engine)).trouble is Trouble.BAD_REQUEST
    assert stub.record.requests == 1


async def test_the_key_shows_nowhere(stub, engine, caplog):
    caplog.set_level(logging.DEBUG)
    await engine.complete(a_request())
    said = {"message": f"Incorrect API key provided: {KEY}", "code": "invalid_api_key"}
    scripts = [
        {"status": 401, "body": {"error": said}},
        {"status": 500, "body": f"<html>{KEY}</html>"},
        {"status": 200, "body": {"error": {**said, "code": 502}}},
        {"status": 200, "body": {"choices": [{"error": said, "message": None}]}},
        {"status": 200, "body": KEY},
    ]
    stub.script.extend(scripts)
    for _ in scripts:
        error = await trouble_of(engine)
        assert KEY not in "".join(traceback.format_exception(error))
        assert KEY not in repr(error)
    await stub.set(outage="refuse")
    assert KEY not in "".join(traceback.format_exception(await trouble_of(engine)))
    assert KEY not in (await engine.health()).detail + repr(engine) + caplog.text


async def test_the_key_is_sent_and_a_wrong_one_is_named(stub):
    await stub.set(api_key=KEY)
    good, bad = OpenAIEngine(stub.base_url, KEY), OpenAIEngine(stub.base_url, None)
    assert (await good.complete(a_request())).text
    assert (await trouble_of(bad)).trouble is Trouble.AUTH
    await good.close()
    await bad.close()


async def test_variables_meant_for_openai_itself_are_not_sent_elsewhere(stub, monkeypatch):
    for name in ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "private")
    engine = OpenAIEngine(stub.base_url, KEY)
    await engine.complete(a_request())
    await engine.close()
    assert not any("private" in value for value in stub.last_headers.values())


async def test_a_server_that_lists_no_models_is_alive(stub):
    engine = OpenAIEngine(stub.url + "/elsewhere", KEY)
    health = await engine.health()
    await engine.close()
    assert health.ok
    assert health.models == ()
