import asyncio

import pytest

from tests.factories import a_request, trouble_of
from tests.stubs.ollama import VERSION, OllamaStub
from worker.llm.engine import Finish, Message, Trouble
from worker.llm.ollama.engine import OllamaEngine

LONG = (Message("user", "words of a long document " * 100),)


@pytest.fixture
async def stub():
    async with OllamaStub() as made:
        yield made


@pytest.fixture
async def engine(stub):
    made = OllamaEngine(stub.url + "/")
    yield made
    await made.close()


async def test_a_request_says_all_that_ollama_would_otherwise_guess(stub, engine):
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    await engine.complete(a_request(schema=schema, max_tokens=77, context_tokens=2048))
    body = stub.last_body
    assert body["options"] == {"num_ctx": 2048, "num_predict": 77, "temperature": 0.0, "seed": 0}
    assert (body["stream"], body["think"], body["truncate"]) == (False, False, False)
    assert body["format"] == schema
    assert body["keep_alive"] == "30m"


async def test_free_text_is_asked_for_without_a_format(stub, engine):
    await engine.complete(a_request())
    assert "format" not in stub.last_body


async def test_an_image_goes_as_bare_base64_beside_the_words(stub, engine):
    await engine.complete(
        a_request(messages=(Message("user", "What is it?", images=(b"\xff\xd8",)),))
    )
    [turn] = stub.last_body["messages"]
    assert turn == {"role": "user", "content": "What is it?", "images": ["/9g="]}


async def test_the_engine_s_own_clock_is_read_in_seconds(engine):
    found = await engine.complete(a_request())
    assert found.engine_seconds == 0.5
    assert found.usage.cached_tokens is None
    assert found.rate_limits is None


@pytest.mark.parametrize("truncation", ["reject", "reject_text", "half", "full"])
async def test_a_prompt_longer_than_the_window_never_passes_for_answered(stub, engine, truncation):
    await stub.set(truncation=truncation)
    error = await trouble_of(engine, messages=LONG, context_tokens=256)
    assert error.trouble is Trouble.CONTEXT_EXCEEDED
    assert error.maybe_billed is (truncation in ("half", "full"))
    assert (await engine.complete(a_request(messages=LONG))).text


@pytest.mark.parametrize(
    ("fault", "trouble"),
    [
        ("error200", Trouble.SERVER_ERROR),
        ("no_metrics", Trouble.SERVER_ERROR),
        ("loaded", Trouble.SERVER_ERROR),
        ("no_message", Trouble.SERVER_ERROR),
        ("array", Trouble.SERVER_ERROR),
        ("499", Trouble.SERVER_ERROR),
        ("502", Trouble.SERVER_ERROR),
        ("403", Trouble.AUTH),
        ("unknown_host", Trouble.MISCONFIGURED),
        ("html", Trouble.MISCONFIGURED),
        ("memory", Trouble.NO_MEMORY),
        ("format", Trouble.BAD_REQUEST),
    ],
)
async def test_every_fault_of_ollama_is_typed(stub, engine, fault, trouble):
    stub.script.append(fault)
    assert (await trouble_of(engine)).trouble is trouble


async def test_a_model_that_repeats_itself_is_no_trouble_of_the_server(stub, engine):
    stub.script.append("loop")
    found = await engine.complete(a_request())
    assert (found.text, found.finish) == ("x", Finish.LOOP)


async def test_health_names_version_and_models(stub, engine):
    await stub.set(models=["m", "gemma3:4b"])
    health = await engine.health()
    assert (health.version, health.models) == (VERSION, ("m", "gemma3:4b"))


async def test_health_of_something_else_than_ollama_says_so(stub):
    engine = OllamaEngine(stub.url + "/elsewhere")
    health = await engine.health()
    await engine.close()
    assert not health.ok


async def test_one_window_per_model_loads_it_once(stub, engine):
    await asyncio.gather(*(engine.complete(a_request()) for _ in range(20)))
    assert (stub.record.loads, stub.record.reloads) == (1, 0)
    await engine.complete(a_request(context_tokens=8192))
    assert (stub.record.loads, stub.record.reloads) == (2, 1)


async def test_a_proxy_in_the_environment_never_sees_a_prompt(stub, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    engine = OllamaEngine(stub.url)
    assert (await engine.complete(a_request())).text
    await engine.close()
