"""What every engine promises, asked of each of them in the same words."""

import asyncio
import json

import pytest
from jsonschema_rs import Draft202012Validator

from tests.stubs.rigs import MAY_BE_BILLED, REFUSALS, SERVERS, rig
from tests.waiting import until
from worker.llm.engine import EngineError, Finish, Message, Request, Trouble, Usage

SCHEMA = {
    "type": "object",
    "properties": {"vendor": {"type": "string"}, "kind": {"enum": ["invoice", "letter"]}},
    "required": ["vendor", "kind"],
    "additionalProperties": False,
}
PROMPT = (
    Message("system", "Answer from the text."),
    Message("user", "Invoice 4711 of Acme Traders in Pune is over 18,500 rupees."),
)
# No engine is told of a schema by its request alone: the prompt holds the form of the answer, too.
FORMED = (PROMPT[0], Message("user", f"{PROMPT[1].content}\nAnswer as: {json.dumps(SCHEMA)}"))


def request(**changes):
    return Request(**{"model_name": "m", "messages": PROMPT, "max_tokens": 100,
                      "context_tokens": 4096, **changes})  # fmt: skip


@pytest.fixture(params=list(REFUSALS))
def kind(request):
    return request.param


@pytest.fixture
async def world(kind):
    async with rig(kind) as made:
        yield made


async def test_a_prompt_is_answered(world):
    found = await world.engine.complete(request())
    assert "rupees" in found.text
    assert found.finish is Finish.STOP
    assert found.model_answered == "m"
    assert found.latency_ms >= 0


async def test_the_answer_to_a_schema_is_json_that_fits_it(world):
    found = await world.engine.complete(request(schema=SCHEMA, messages=FORMED))
    Draft202012Validator(SCHEMA).validate(json.loads(found.text))


async def test_the_same_prompt_is_answered_the_same(world):
    first = await world.engine.complete(request(schema=SCHEMA))
    assert (await world.engine.complete(request(schema=SCHEMA))).text == first.text


async def test_an_answer_that_meets_the_token_limit_says_so(world):
    found = await world.engine.complete(request(max_tokens=2))
    assert found.finish is Finish.LENGTH
    assert found.usage.output_tokens == 2


async def test_usage_is_reported(world):
    usage = (await world.engine.complete(request())).usage
    assert usage.input_tokens > 0
    assert usage.output_tokens > 0


async def test_usage_that_is_not_reported_is_unknown_and_not_zero(world):
    world.hide_usage()
    assert (await world.engine.complete(request())).usage == Usage()


@pytest.mark.parametrize(
    ("kind", "trouble"), [(kind, trouble) for kind, found in REFUSALS.items() for trouble in found]
)
async def test_every_trouble_comes_out_as_itself_and_passes(kind, trouble):
    async with rig(kind) as world:
        world.meet(trouble)
        with pytest.raises(EngineError) as caught:
            await world.engine.complete(request())
        error = caught.value
        assert error.trouble is trouble
        assert error.maybe_billed is (trouble in MAY_BE_BILLED)
        assert error.retry_after_s == (0.1 if trouble is Trouble.RATE_LIMITED else None)
        assert (await world.engine.complete(request())).text


async def test_a_model_that_is_not_there_is_not_found(world):
    with pytest.raises(EngineError) as caught:
        await world.engine.complete(request(model_name="unheard-of"))
    assert caught.value.trouble is Trouble.MODEL_NOT_FOUND


async def test_an_answer_that_never_comes_times_out(kind):
    async with rig(kind, timeout_s=0.1) as world:
        world.hang()
        with pytest.raises(EngineError) as caught:
            await world.engine.complete(request())
        assert caught.value.trouble is Trouble.TIMEOUT
        assert caught.value.maybe_billed
        await until(lambda: world.in_flight() == 0, "nothing is in flight")


async def test_a_cancelled_call_frees_its_connection(kind):
    options = {} if kind == "fake" else {"max_connections": 1}
    async with rig(kind, **options) as world:
        world.hang()
        call = asyncio.create_task(world.engine.complete(request()))
        await until(lambda: world.in_flight() == 1, "it is in flight")
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await until(lambda: world.in_flight() == 0, "nothing is in flight")
        assert (await world.engine.complete(request())).text


async def test_many_calls_run_at_once(world):
    calls = (world.engine.complete(request(schema=SCHEMA)) for _ in range(200))
    assert len({found.text for found in await asyncio.gather(*calls)}) == 1


async def test_a_healthy_engine_names_its_models_where_its_server_does(world):
    health = await world.engine.health()
    assert health.ok
    assert health.models == world.models


async def test_a_closed_engine_answers_nothing_and_closes_twice(world):
    await world.engine.complete(request())
    await world.engine.close()
    await world.engine.close()
    with pytest.raises(EngineError) as caught:
        await world.engine.complete(request())
    assert caught.value.trouble is Trouble.UNAVAILABLE
    assert not caught.value.maybe_billed
    assert not (await world.engine.health()).ok


@pytest.mark.parametrize("server", list(SERVERS))
class TestOverTheWire:
    async def test_a_refused_connection_is_an_engine_that_is_down(self, server):
        async with rig(server) as world:
            await world.stub.set(outage="refuse")
            with pytest.raises(EngineError) as caught:
                await world.engine.complete(request())
            assert caught.value.trouble is Trouble.UNAVAILABLE
            assert not caught.value.maybe_billed
            assert world.stub.url.removeprefix("http://") in str(caught.value)
            health = await world.engine.health()
            assert (health.ok, health.trouble) == (False, Trouble.UNAVAILABLE)
            await world.stub.set(outage="")
            assert (await world.engine.complete(request())).text

    @pytest.mark.parametrize("fault", ["cut", "cut_body", "bad_json"])
    async def test_a_broken_answer_is_a_server_error_that_may_be_billed(self, server, fault):
        async with rig(server) as world:
            world.stub.script.append(fault)
            with pytest.raises(EngineError) as caught:
                await world.engine.complete(request())
            assert caught.value.trouble is Trouble.SERVER_ERROR
            assert caught.value.maybe_billed
            assert caught.value.__cause__ is not None

    async def test_a_web_page_is_no_api_and_costs_nothing(self, server):
        async with rig(server) as world:
            await world.stub.set(outage="page")
            with pytest.raises(EngineError) as caught:
                await world.engine.complete(request())
            assert caught.value.trouble is Trouble.MISCONFIGURED
            assert not caught.value.maybe_billed
            assert not (await world.engine.health()).ok
            await world.stub.set(outage="")
            assert (await world.engine.complete(request())).text

    async def test_a_redirect_is_not_followed_and_says_where_it_leads(self, server):
        async with rig(server) as world:
            headers = {"location": "https://me:word@elsewhere/v1"}
            world.stub.script.append({"status": 308, "body": "", "headers": headers})
            with pytest.raises(EngineError) as caught:
                await world.engine.complete(request())
            assert caught.value.trouble is Trouble.MISCONFIGURED
            assert "https://elsewhere/v1" in str(caught.value)
            assert "word" not in str(caught.value)

    async def test_a_text_that_cannot_be_encoded_is_a_bad_request(self, server):
        async with rig(server) as world:
            with pytest.raises(EngineError) as caught:
                await world.engine.complete(request(messages=(Message("user", "a\ud800b"),)))
            assert caught.value.trouble is Trouble.BAD_REQUEST
            assert not caught.value.maybe_billed
            assert world.stub.record.requests == 0

    async def test_an_answer_in_drips_is_cut_off_at_the_limit(self, server):
        async with rig(server, timeout_s=0.1) as world:
            world.stub.script.append("drip")
            with pytest.raises(EngineError) as caught:
                await world.engine.complete(request())
            assert caught.value.trouble is Trouble.TIMEOUT

    async def test_connections_are_kept_and_used_again(self, server):
        async with rig(server) as world:
            for _ in range(5):
                await world.engine.complete(request())
            assert len(world.stub.connections()) == 1
