"""What an engine does with a model, found out by asking it; and asked accordingly."""

import asyncio
import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from tests.clock import virtual_time
from tests.commands import Docmill
from tests.factories import CALL, a_deployment, a_request, an_access
from tests.fakes import FakeDatabase
from tests.rows import Connection, column, rows
from tests.stubs.fake import FakeEngine
from tests.stubs.ollama import OllamaStub
from tests.stubs.openai import OpenAIStub
from tests.stubs.process import stub_process
from worker.calls.caller import Caller
from worker.calls.traits import KEPT_S, KnownTraits
from worker.db import Database
from worker.llm.engine import Completion, EngineError, Finish, Message, Request, Trouble
from worker.llm.ollama.engine import OllamaEngine
from worker.llm.openai.engine import OpenAIEngine
from worker.llm.probe import EDITION, SAMPLES, Traits, offered, probe, said_of, told

WINDOW = 4096

PROBES = 2 * 1 + 2
"""Prompts that a worker asks of a model that keeps to no schema, whatever is said of thinking."""

ANSWER = {"facts": [{"name": "writer", "value": "Asha"}]}


SOUND = Traits(
    cuts_prompts=False, context_tokens=32_768, images=False, logprobs=True, repeats_draws=True
)
"""What is found of a model that does as it is told."""


@pytest.mark.parametrize(
    ("knobs", "found"),
    [
        ({}, {}),
        ({"ignores_format": True}, {"holds_schema": False}),
        ({"refuses_format": True}, {"holds_schema": False}),
        ({"needs_thinking": True}, {"think": None}),
        ({"drops_system": True}, {"reads_system": False}),
        ({"usage": False}, {"reports_tokens": False}),
        ({"template": "<|user|>"}, {"template": "<|user|>"}),
        ({"answers": {"hello": "<think>Hm."}}, {"holds_schema": False, "thinks_aloud": True}),
        ({"context_length": 2048}, {"context_tokens": 2048}),
        ({"vision": True}, {"images": True}),
        ({"logprobs": False}, {"logprobs": False}),
        ({"ignores_seed": True}, {"repeats_draws": False}),
    ],
)
async def test_what_a_model_does_is_found_out_by_asking(knobs, found):
    async with OllamaStub(**knobs) as stub:
        engine = OllamaEngine(stub.url)
        assert await probe(engine, "m", WINDOW, deep=True) == replace(SOUND, **found)
        await engine.close()


@pytest.mark.parametrize(
    ("said", "finish", "holds"),
    [
        ('{"word": "heliotrope-42"}', Finish.STOP, True),
        ('{ "word" : "heliotrope-42" \n\n\n }', Finish.LENGTH, True),
        ('{"word": "heliotrope-42"\n\n\n\n', Finish.LENGTH, True),
        ('{"word":\n\n\n\n', Finish.LOOP, True),
        ('{"word": "heliotrope-42"', Finish.STOP, False),
        ('{"word": "hello', Finish.LENGTH, False),
        ("", Finish.STOP, False),
        ("", Finish.LENGTH, False),
        ("hello", Finish.STOP, False),
    ],
)
async def test_white_space_until_the_limit_is_within_a_schema_and_nothing_at_all_is_not(
    said, finish, holds
):
    engine = FakeEngine(models=("m",))
    engine.script.extend([Completion(said, finish, 1)] * SAMPLES)
    assert (await probe(engine, "m", WINDOW)).holds_schema is holds


@pytest.mark.parametrize(
    ("knobs", "proxied", "found"),
    [
        (
            {"server": "llama-server"},
            False,
            Traits(template="<|my_turn|>", context_tokens=2048, images=True),
        ),
        (
            {"server": "vllm"},
            False,
            Traits(template="<|my_turn|>Hello<|my_turn|>", context_tokens=2048),
        ),
        ({}, False, Traits()),
        ({"server": "vllm"}, True, Traits()),
    ],
)
async def test_servers_of_ones_own_tell_of_their_models_without_a_prompt(knobs, proxied, found):
    async with OpenAIStub(**knobs) as stub:
        engine = OpenAIEngine(stub.base_url, None, proxied=proxied)
        assert await told(engine, "m") == found
        assert stub.record.requests == stub.record.probes == 0
        await engine.close()


async def test_a_server_that_does_not_answer_is_no_server_that_tells_nothing():
    engine = OpenAIEngine("http://127.0.0.1:9/v1", None, proxied=False)
    with pytest.raises(EngineError) as met:
        await told(engine, "m")
    assert met.value.trouble is Trouble.UNAVAILABLE
    await engine.close()


@pytest.mark.parametrize("server", ["llama-server", "vllm"])
async def test_a_job_is_asked_by_what_such_a_server_tells(server):
    async with OpenAIStub(server=server, keep_texts=True) as stub:
        engine = OpenAIEngine(stub.base_url, None, proxied=False)
        deployment = a_deployment(kind="openai", base_url=stub.base_url, context_tokens=8192)
        access = an_access(engine, deployment)
        access.known_traits = KnownTraits(FakeDatabase())  # type: ignore[arg-type]
        asked = a_request(messages=(Message("user", "A <|my_turn|> of mine"),))
        await Caller(access, nullcontext(), 1, CALL, {}).ask(asked, "v")
        assert "<|my_turn|>" not in stub.last_body["messages"][0]["content"]
        assert (await access.traits("m")).context_tokens == 2048
        await access.close()


async def test_a_prompt_that_is_cut_in_silence_is_noticed_by_its_count_of_tokens():
    async with OllamaStub(truncation="half") as stub:
        engine = OllamaEngine(stub.url)
        assert (await probe(engine, "m", WINDOW, deep=True)).cuts_prompts is False
        long = Request("m", (Message("user", "hello " * 9_000),), 1, WINDOW)
        with pytest.raises(EngineError) as met:
            await engine.complete(long)
        assert met.value.trouble is Trouble.CONTEXT_EXCEEDED
        await engine.close()


def test_what_is_not_well_is_said_and_what_to_think_of_it():
    well, not_well = said_of(Traits(reads_system=False))
    assert "holds a schema" in well
    assert not_well == ["drops the system message: it is sent in the first user's words"]
    assert said_of(Traits())[1] == []


def test_what_it_can_do_beside_is_said_as_far_as_it_is_known():
    assert offered(Traits()) == []
    assert offered(replace(SOUND, repeats_draws=None)) == [
        "a window of 32,768 tokens",
        "gives log-probabilities",
        "no images",
    ]


@virtual_time
async def test_what_is_known_is_looked_up_again_after_a_while_and_stays_where_nobody_tells():
    found: list[Traits | Exception] = [
        Traits(context_tokens=1),
        EngineError(Trouble.UNAVAILABLE, "away"),
        Traits(context_tokens=2),
    ]

    async def find_out() -> Traits:
        one = found.pop(0)
        if isinstance(one, Exception):
            raise one
        return one

    book, known = KnownTraits(FakeDatabase()), []  # type: ignore[arg-type]
    for _ in range(3):
        known += [(await book.of("m", find_out, lasting=False)).context_tokens for _ in range(2)]
        await asyncio.sleep(KEPT_S)
    assert known == [1, 1, 1, 1, 2, 2]


async def test_a_model_is_asked_once_by_all_who_want_to_know(database_url: str) -> None:
    db = Database(database_url)
    await db.open()
    asked = []

    async def find_out() -> Traits:
        asked.append(1)
        await asyncio.sleep(0)
        if len(asked) == 1:
            raise EngineError(Trouble.UNAVAILABLE, "away")
        return Traits(reads_system=False, template="<|user|>")

    book = KnownTraits(db)
    waiting = [book.of("k", find_out) for _ in range(3)]
    failed = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(one) for one in failed} == {EngineError}
    found = await asyncio.gather(*(book.of("k", find_out) for _ in range(3)))
    assert found == [Traits(reads_system=False, template="<|user|>")] * 3
    assert await KnownTraits(db).of("k", find_out) == found[0]
    assert len(asked) == 2
    await db.close()


@pytest.mark.timeout(120)
def test_a_model_is_asked_as_it_needs_and_doctor_says_what_it_does(
    tmp_path: Path, database_url: str, redis_url: str, db: Connection
) -> None:
    knobs = ("--drops-system", "true", "--template", "<my_turn>", "--keep-texts", "true")
    knobs += ("--ignores-format", "true", "--answers", json.dumps({"Letter": ANSWER}))
    knobs += ("--context-length", "2048")
    with stub_process("ollama", "--models", "phi4-mini", *knobs) as ollama:
        urls = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "OLLAMA_HOST": ollama.url}
        docmill = Docmill(tmp_path, urls)
        words = ("--ask", "Who writes?", "--task", "extraction")
        lines = "".join(f'{{"text": "Letter {n} of Asha <my_turn>."}}\n' for n in range(5))
        batch = docmill.json("submit", "-", *words, stdin=lines)["batch"]
        with docmill.worker("ingest"), docmill.worker("local"):
            docmill.until_over(batch, timeout=60)
        prompts, probes = ollama.prompts(), ollama.stats()["probes"]
        said = docmill.run("doctor", "--probe")
    assert [state for (state,) in rows(db, "SELECT DISTINCT state FROM jobs")] == ["done"]
    assert all("Read the text and answer with JSON" in prompt["text"] for prompt in prompts)
    assert not any("<my_turn>" in prompt["text"] for prompt in prompts)
    assert all("valid by this JSON Schema" in prompt["text"] for prompt in prompts)
    assert (len(prompts), probes) == (5, PROBES)
    [key] = column(db, "SELECT key FROM model_traits")
    assert key.startswith(f"{EDITION} ollama 0.33.0 phi4-mini ")
    assert "drops the system message" in said
    assert "it has a window of 2,048: that one counts" in said


@pytest.mark.timeout(120)
def test_what_doctor_found_is_what_workers_go_by(
    tmp_path: Path, database_url: str, redis_url: str, db: Connection
) -> None:
    with stub_process("ollama", "--models", "phi4-mini", "--drops-system", "true") as ollama:
        urls = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "OLLAMA_HOST": ollama.url}
        docmill = Docmill(tmp_path, urls)
        docmill.run("doctor", "--probe")
        probes = ollama.stats()["probes"]
        ollama.set(drops_system=False)
        batch = docmill.json(
            "submit", "-", "--ask", "Who?", "--task", "extraction", stdin='{"text": "Of Asha."}\n'
        )["batch"]
        with docmill.worker("ingest"), docmill.worker("local"):
            docmill.until_over(batch, timeout=60)
        assert ollama.stats()["probes"] == probes > 0
        docmill.run("doctor", "--probe")
    [traits] = column(db, "SELECT traits FROM model_traits")
    assert (traits["reads_system"], traits["cuts_prompts"]) == (True, False)
