import asyncio
import json
import logging
import subprocess
import sys
import traceback

import pytest

from models.config_file import checked_config
from models.errors import ConfigError
from models.settings import Settings
from models.spec import fields_schema
from tests.factories import a_request, trouble_of
from tests.stubs.anthropic import VERSION, AnthropicStub
from worker.deployment import deploy
from worker.llm.anthropic.engine import AnthropicEngine
from worker.llm.engine import Finish, Message, Trouble

SCHEMA = {
    "type": "object",
    "properties": {"facts": {"type": "array", "maxItems": 2, "items": {"type": "string"}}},
    "required": ["facts"],
    "additionalProperties": False,
}
KEY = "sk-ant-very-secret-0123456789"


@pytest.fixture
async def stub():
    async with AnthropicStub() as made:
        yield made


@pytest.fixture
async def engine(stub):
    made = AnthropicEngine(stub.url, KEY)
    yield made
    await made.close()


async def test_the_details_of_an_answer_are_read(stub, engine):
    await stub.set(rate_headers=True)
    found = await engine.complete(a_request())
    assert found.rate_limits.remaining_requests == 49
    assert found.rate_limits.limit_tokens == 30_000
    assert (found.reported_cost_usd, found.engine_seconds) == (None, None)
    assert found.usage.reasoning_tokens == 0


async def test_repeated_prompts_are_read_from_the_cache(stub, engine):
    fixed = (
        Message("system", "Be brief. " * 500),
        Message("user", "1?"),
        Message("assistant", "1"),
    )
    asked = [a_request(messages=(*fixed, Message("user", text)), fixed=3) for text in ("a?", "b?")]
    first, second = [(await engine.complete(one)).usage for one in asked]
    assert first.input_tokens == second.input_tokens
    assert first.cache_written_tokens == second.cached_tokens > 1024
    assert (first.cached_tokens, second.cache_written_tokens) == (0, 0)


@pytest.mark.parametrize(
    ("fault", "trouble", "billed"),
    [
        ("402", Trouble.QUOTA, False),
        ("spend", Trouble.QUOTA, False),
        ("own_spend", Trouble.QUOTA, False),
        ("403", Trouble.AUTH, False),
        ("on_hold", Trouble.AUTH, False),
        ("path", Trouble.MISCONFIGURED, False),
        ("html", Trouble.MISCONFIGURED, False),
        ("413", Trouble.CONTEXT_EXCEEDED, False),
        ("room", Trouble.CONTEXT_EXCEEDED, False),
        ("429", Trouble.RATE_LIMITED, False),
        ("529", Trouble.RATE_LIMITED, False),
        ("error200", Trouble.RATE_LIMITED, False),
        ("500", Trouble.SERVER_ERROR, True),
        ("503", Trouble.UNAVAILABLE, False),
        ("504", Trouble.TIMEOUT, True),
        ("no_content", Trouble.SERVER_ERROR, True),
        ("cut", Trouble.SERVER_ERROR, True),
        ("cut_body", Trouble.SERVER_ERROR, True),
    ],
)
async def test_every_fault_is_typed_after_one_request(stub, engine, fault, trouble, billed):
    stub.script.append(fault)
    error = await trouble_of(engine)
    assert (error.trouble, error.maybe_billed) == (trouble, billed)
    assert stub.record.requests == 1  # the SDK does not try again


async def test_a_call_that_timed_out_was_one_request(stub):
    engine = AnthropicEngine(stub.url, KEY, timeout_s=0.1)
    stub.script.append("timeout")
    assert (await trouble_of(engine)).trouble is Trouble.TIMEOUT
    await engine.close()
    assert stub.record.requests == 1


@pytest.mark.parametrize(
    ("fault", "text", "finish"),
    [
        ("refusal", "I cannot.", Finish.CONTENT_FILTER),
        ("refusal_late", "par", Finish.CONTENT_FILTER),
        ("window", "par", Finish.LENGTH),
        ("stop_sequence", "hi", Finish.STOP),
        ("no_text", "", Finish.STOP),
        ("parts", "hi", Finish.STOP),
    ],
)
async def test_odd_answers_keep_their_usage(stub, engine, fault, text, finish):
    stub.script.append(fault)
    found = await engine.complete(a_request())
    assert (found.text, found.finish) == (text, finish)
    assert found.usage.input_tokens == 7


async def test_a_schema_is_sent_in_the_words_that_are_compiled(stub, engine):
    found = await engine.complete(a_request(schema=SCHEMA))
    assert isinstance(json.loads(found.text)["facts"], list)
    sent = stub.last_body["output_config"]["format"]["schema"]
    assert sent["properties"]["facts"] == {"type": "array", "items": {"type": "string"}}
    assert stub.record.requests == 1


async def test_more_fields_that_may_be_null_than_are_compiled_are_asked_for_without(stub, engine):
    schema = fields_schema([f"field_{number}" for number in range(17)])
    for _ in range(2):
        assert (await engine.complete(a_request(schema=schema))).text
    assert stub.record.requests == 3
    assert "output_config" not in stub.last_body
    assert (await engine.complete(a_request(schema=fields_schema(["total"])))).text
    assert "output_config" in stub.last_body


@pytest.mark.parametrize(
    ("knob", "left_out"), [("no_schema_models", "output_config"), ("thinking_models", "thinking")]
)
async def test_a_refused_part_is_left_out_from_then_on(stub, engine, knob, left_out):
    await stub.set(models=[], **{knob: ["m"]})
    for _ in range(3):
        assert (await engine.complete(a_request(schema=SCHEMA))).text
    assert stub.record.requests == 4  # one refusal, remembered
    assert left_out not in stub.last_body
    assert (await engine.complete(a_request(model_name="other", schema=SCHEMA))).text
    assert stub.record.requests == 5  # another model is asked in full
    assert left_out in stub.last_body


async def test_a_model_may_refuse_several_parts(stub, engine):
    await stub.set(no_schema_models=["m"], thinking_models=["m"])
    assert (await engine.complete(a_request(schema=SCHEMA))).text
    assert set(stub.last_body) == {"model", "messages", "max_tokens"}


async def test_a_refusal_that_teaches_nothing_is_not_asked_again(stub, engine):
    stub.script.append("400")
    assert (await trouble_of(engine, schema=SCHEMA)).trouble is Trouble.BAD_REQUEST
    assert stub.record.requests == 1


async def test_an_answer_that_may_take_long_is_asked_for_all_the_same(engine):
    """The SDK refuses such limits of its own accord where it does not know the time limit."""
    assert (await engine.complete(a_request(max_tokens=64_000))).text


async def test_the_key_shows_nowhere(stub, engine, caplog):
    caplog.set_level(logging.DEBUG)
    await engine.complete(a_request())
    said = {"type": "authentication_error", "message": f"invalid x-api-key: {KEY}"}
    scripts = [
        {"status": 401, "body": {"type": "error", "error": said}},
        {"status": 500, "body": f"<html>{KEY}</html>"},
        {"status": 200, "body": {"type": "error", "error": said}},
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
    good, bad = AnthropicEngine(stub.url, KEY), AnthropicEngine(stub.url, None)
    assert (await good.complete(a_request())).text
    assert (await trouble_of(bad)).trouble is Trouble.AUTH
    await good.close()
    await bad.close()


async def test_variables_meant_for_anthropic_itself_are_not_sent_elsewhere(stub, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "X-Team: private\nAuthorization: private")
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_PROFILE"):
        monkeypatch.setenv(name, "private")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    engine = AnthropicEngine(stub.url, None)
    await engine.complete(a_request())
    await engine.close()
    assert not any("private" in value for value in stub.last_headers.values())
    assert stub.last_headers["anthropic-version"] == VERSION


async def test_the_account_in_an_address_is_sent_as_such(stub):
    engine = AnthropicEngine(stub.url.replace("//", "//me:word@"), None)
    await engine.complete(a_request())
    await engine.close()
    assert stub.last_headers["Authorization"] == "Basic bWU6d29yZA=="
    assert "word" not in repr(engine)


async def test_a_server_that_lists_no_models_is_alive(stub):
    engine = AnthropicEngine(stub.url + "/elsewhere", KEY)
    health = await engine.health()
    await engine.close()
    assert health.ok
    assert health.models == ()


async def test_an_engine_of_docmill_toml_answers(stub, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    table = {"zone": "frontier", "kind": "anthropic", "base_url": stub.url + "/v1/"}
    await stub.set(api_key=KEY)
    made = deploy("claude", _config(table), None, Settings()).make()
    assert (await made.complete(a_request())).text
    await made.close()


def test_its_library_is_loaded_where_such_an_engine_is_made_and_nowhere_else():
    code = "import sys, worker.app, producer.cli; sys.exit('anthropic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


async def test_without_its_library_it_is_said_how_to_get_it(monkeypatch):
    for module in ("engine", "client"):
        monkeypatch.delitem(sys.modules, f"worker.llm.anthropic.{module}", raising=False)
    monkeypatch.setitem(sys.modules, "anthropic", None)
    table = {"zone": "local", "kind": "anthropic", "base_url": "http://there"}
    with pytest.raises(ConfigError, match=r"pip install 'docmill\[anthropic\]'"):
        deploy("claude", _config(table), None, Settings()).make()


def _config(table):
    return checked_config({"engines": {"claude": table}}, "docmill.toml")


async def test_calls_of_many_models_learn_apart(stub, engine):
    await stub.set(models=[], thinking_models=["a"])
    calls = [engine.complete(a_request(model_name=name)) for name in ("a", "b", "a", "b")]
    assert all(found.text for found in await asyncio.gather(*calls))
