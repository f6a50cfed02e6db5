"""What an engine does with a model, found out by asking it; and asked accordingly."""

import asyncio
from pathlib import Path

import pytest

from tests.commands import Docmill
from tests.rows import Connection, column, rows
from tests.stubs.ollama import OllamaStub
from tests.stubs.process import stub_process
from worker.calls.traits import KnownTraits
from worker.db import Database
from worker.llm.engine import EngineError, Message, Request, Trouble
from worker.llm.ollama.engine import OllamaEngine
from worker.llm.probe import Traits, probe, said_of

WINDOW = 4096


@pytest.mark.parametrize(
    ("knobs", "found"),
    [
        ({}, Traits(cuts_prompts=False)),
        ({"ignores_format": True}, Traits(holds_schema=False, cuts_prompts=False)),
        ({"needs_thinking": True}, Traits(think=None, cuts_prompts=False)),
        ({"drops_system": True}, Traits(reads_system=False, cuts_prompts=False)),
        ({"usage": False}, Traits(reports_tokens=False, cuts_prompts=False)),
        ({"template": "<|user|>"}, Traits(template="<|user|>", cuts_prompts=False)),
        (
            {"answers": {"hello": "<think>Hm."}},
            Traits(False, thinks_aloud=True, cuts_prompts=False),
        ),
    ],
)
async def test_what_a_model_does_is_found_out_by_asking(knobs, found):
    async with OllamaStub(**knobs) as stub:
        engine = OllamaEngine(stub.url)
        assert await probe(engine, "m", WINDOW, deep=True) == found
        await engine.close()


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
    assert (len(prompts), probes) == (5, 5)
    [key] = column(db, "SELECT key FROM model_traits")
    assert key.startswith("1 ollama 0.33.0 phi4-mini ")
    assert "drops the system message" in said
