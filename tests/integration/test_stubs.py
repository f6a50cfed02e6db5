"""The stand-ins keep the promises that chaos tests and benchmarks build on."""

import asyncio

import pytest

from tests.stubs.limits import Window
from tests.stubs.ollama import OllamaStub
from tests.stubs.openai import OpenAIStub
from tests.stubs.process import stub_process
from tests.stubs.record import hash_of
from worker.llm.engine import EngineError, Message, Request, Trouble
from worker.llm.ollama.engine import OllamaEngine
from worker.llm.openai.engine import OpenAIEngine

TEXT = "Invoice 4711 of Acme Traders in Pune"


def request(**changes):
    return Request(**{"model_name": "m", "messages": (Message("user", TEXT),), "max_tokens": 10,
                      "context_tokens": 4096, **changes})  # fmt: skip


async def outcomes(engine, count, **changes):
    calls = (engine.complete(request(**changes)) for _ in range(count))
    return await asyncio.gather(*calls, return_exceptions=True)


@pytest.mark.parametrize("kind", ["openai", "ollama"])
async def test_a_stub_runs_as_a_process_and_is_steered_from_outside(kind):
    with stub_process(kind, "--models", "a,m", "--slots", "2", "--keep-texts", "true") as stub:
        openai = kind == "openai"
        engine = OpenAIEngine(stub.url + "/v1", "k") if openai else OllamaEngine(stub.url)
        assert (await engine.complete(request())).text
        assert stub.prompts()[0]["text"] == TEXT
        assert stub.prompts()[0]["hash"] == hash_of([TEXT])
        stub.set(outage="refuse")
        with pytest.raises(EngineError):
            await engine.complete(request())
        stub.set(outage="", answers={"Acme": {"vendor": "Acme"}})
        assert (await engine.complete(request())).text == '{"vendor": "Acme"}'
        stub.script("500")
        with pytest.raises(EngineError):
            await engine.complete(request())
        stats = stub.stats()
        assert (stats["requests"], stats["answered"]) == (3, 2)
        assert stats["knobs"]["slots"] == 2
        assert stub.reset()["requests"] == 0
        await engine.close()


def test_a_stub_runs_in_a_thread():
    with OpenAIStub().in_thread() as stub:
        engine = OpenAIEngine(stub.base_url, "k")

        async def ask():
            found = await engine.complete(request())
            await engine.close()
            return found.text

        assert asyncio.run(ask())
    assert stub.record.answered == 1


async def test_slots_bound_the_work_and_in_flight_counts_the_waiting():
    async with OllamaStub(slots=2, latency=0.02) as stub:
        engine = OllamaEngine(stub.url)
        await outcomes(engine, 8)
        await engine.close()
        assert stub.record.max_in_flight == 8


async def test_a_share_of_faults_is_drawn_by_the_seed():
    counts = []
    for _ in range(2):
        async with OpenAIStub(seed=7, faults={"429": 0.2, "500": 0.2, "cut": 0.1}) as stub:
            engine = OpenAIEngine(stub.base_url, "k")
            for _ in range(60):
                await outcomes(engine, 1)
            await engine.close()
            counts.append(dict(stub.record.outcomes))
    assert counts[0] == counts[1]
    assert set(counts[0]) == {"ok", "429", "500", "cut"}


async def test_requests_beyond_the_limit_are_refused_and_counted():
    async with OpenAIStub(rpm=3, window_s=30) as stub:
        engine = OpenAIEngine(stub.base_url, "k")
        found = await outcomes(engine, 5)
        await engine.close()
        errors = [one for one in found if isinstance(one, EngineError)]
        assert [error.trouble for error in errors] == [Trouble.RATE_LIMITED] * 2
        assert all(0 < error.retry_after_s <= 30 for error in errors)
        assert stub.record.over_limit == 2


async def test_tokens_beyond_the_limit_are_refused_unless_corrected():
    for corrects, refused in ((False, 1), (True, 0)):
        async with OpenAIStub(tpm=1100, tpm_corrects=corrects) as stub:
            engine = OpenAIEngine(stub.base_url, "k")
            for _ in range(2):
                await outcomes(engine, 1, max_tokens=1000)
            await engine.close()
            assert stub.record.over_limit == refused


async def test_what_was_worked_on_is_billed_and_what_was_refused_is_not():
    async with OpenAIStub() as stub:
        engine = OpenAIEngine(stub.base_url, "k")
        stub.script.extend(["429", "cut", "ok", "500"])
        for _ in range(4):
            await outcomes(engine, 1)
        await engine.close()
        assert stub.record.billed_input == 2 * stub.tokens(TEXT)


async def test_a_full_queue_refuses_only_what_needs_a_load():
    async with OllamaStub(max_queue=1, load_delay=0.05, models=[]) as stub:
        engine = OllamaEngine(stub.url)
        assert not isinstance((await outcomes(engine, 1))[0], EngineError)
        one, two = (outcomes(engine, 1, model_name=name) for name in ("b", "c"))
        found = [*await asyncio.gather(one, two, outcomes(engine, 3))]
        await engine.close()
        busy = [one for part in found for one in part if isinstance(one, EngineError)]
        assert [error.trouble for error in busy] == [Trouble.UNAVAILABLE]


async def test_a_private_text_that_arrived_is_found():
    async with OllamaStub(keep_texts=True) as stub:
        engine = OllamaEngine(stub.url)
        await engine.complete(request())
        await engine.close()
        assert stub.record.saw("4711")
        assert not stub.record.saw("4712")


def test_a_knob_that_is_none_is_named():
    with pytest.raises(KeyError, match="lattency"):
        OpenAIStub(lattency=1)


def test_a_window_never_holds_more_than_its_limit():
    window = Window()
    window.add(1, now=0.0)
    window.add(1, now=10.0)
    assert window.wait(1, limit=2, now=20.0, span=60.0) == 40.0
    assert window.wait(1, limit=2, now=60.0, span=60.0) == 0.0
    assert window.wait(2, limit=2, now=60.0, span=60.0) == 10.0
