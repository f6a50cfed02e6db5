"""The embedded language model: a real llama.cpp server with a real small model."""

import asyncio
import hashlib
import json
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from models.adapter import adapter_digest
from models.engines import (
    EMBEDDED_CONTEXT_TOKENS,
    EMBEDDED_MODEL,
    EMBEDDED_SLOTS,
    EmbeddedConfig,
)
from models.errors import ConfigError
from models.words import TaskType, Zone
from tests.embedded_users import LLAMA, User, server_pid, temporary_home, wait_until_stopped
from tests.lora import write_lora
from worker.llm.embedded.chat import rendered
from worker.llm.embedded.choice import BARE, View
from worker.llm.embedded.server import attach_llama
from worker.llm.embedded.weigher import Clock, Weigher
from worker.llm.engine import Completion, Message, Request
from worker.llm.kinds import KINDS, Reach
from worker.llm.openai.client import Client
from worker.prompts import manner, task_messages

pytestmark = pytest.mark.model

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 40}, "year": {"type": "integer"}},
    "required": ["name", "year"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with temporary_home() as folder:
        yield folder


@pytest.fixture
def url(home: Path) -> Iterator[str]:
    with User(home, LLAMA) as user:
        yield user.line()
    wait_until_stopped(home, "llama")


def ask(url: str, body: dict[str, Any] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as reply:
        return json.load(reply)


def test_it_is_healthy_and_has_the_promised_slots(url: str) -> None:
    root = url.removesuffix("/v1")
    assert ask(f"{root}/health") == {"status": "ok"}
    props = ask(f"{root}/props")
    assert props["total_slots"] == EMBEDDED_SLOTS
    assert props["default_generation_settings"]["n_ctx"] == EMBEDDED_CONTEXT_TOKENS


def test_it_lists_its_model(url: str) -> None:
    assert [model["id"] for model in ask(f"{url}/models")["data"]] == [EMBEDDED_MODEL]


def test_an_example_and_a_schema_make_it_answer_in_json(url: str) -> None:
    body = {
        "model": EMBEDDED_MODEL,
        "temperature": 0,
        "max_tokens": 80,
        "messages": [
            {"role": "user", "content": "Text: Ada Lovelace, 1843. Name and year as JSON."},
            {"role": "assistant", "content": '{"name": "Ada Lovelace", "year": 1843}'},
            {"role": "user", "content": "Text: Alan Turing, 1936. Name and year as JSON."},
        ],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "person", "strict": True, "schema": PERSON},
        },
    }
    first, second = (ask(f"{url}/chat/completions", body) for _ in range(2))
    answer = json.loads(first["choices"][0]["message"]["content"])
    assert answer == {"name": "Alan Turing", "year": 1936}
    assert second["usage"]["prompt_tokens_details"]["cached_tokens"] > 0


def test_one_server_answers_as_the_bare_model_and_as_the_one_with_an_adapter(
    home: Path, tmp_path: Path
) -> None:
    adapter = write_lora(tmp_path / "adapter.gguf", strength=0.3)
    table = EmbeddedConfig(
        zone=Zone.LOCAL,
        adapter=str(adapter),
        adapter_digest=hashlib.sha256(adapter.read_bytes()).hexdigest(),
    )
    tuned, bare = table.offered
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as user:  # it shares until it ends
        said = user.submit(said_by, table, home, [bare, tuned, bare]).result()
    assert [one.model_answered for one in said] == [bare, tuned, bare]
    assert said[0].text == said[2].text != said[1].text


def said_by(table: EmbeddedConfig, home: Path, models: list[str]) -> list[Completion]:
    return asyncio.run(answers(table, home, models))


async def answers(table: EmbeddedConfig, home: Path, models: list[str]) -> list[Completion]:
    """What an engine says to the same prompt under each of these names."""
    engine = KINDS["embedded"].make(table, Reach("", None, home))
    prompt = (Message("user", "Text: The total is 40 on 3 May. Find the total."),)
    try:
        health = await engine.health()
        assert (health.ok, health.models) == (True, table.offered)
        return [await engine.complete(Request(name, prompt, 16, 512)) for name in models]
    finally:
        await engine.close()


def test_a_file_that_changed_since_the_configuration_was_made_is_not_served(
    home: Path, tmp_path: Path
) -> None:
    adapter = write_lora(tmp_path / "adapter.gguf", strength=0.1)
    with pytest.raises(ConfigError, match="is another file than the configuration names"):
        attach_llama(home, adapter, "0" * 64)


def test_messages_become_plain_text_for_a_base_model(url: str) -> None:
    roles = ("system", "user", "assistant", "user")
    messages = [{"role": role, "content": str(n)} for n, role in enumerate(roles)]
    made = ask(f"{url.removesuffix('/v1')}/apply-template", {"messages": messages})
    assert made["prompt"] == rendered(messages) == "0\n\n1\nAnswer:\n2\n\n3\nAnswer:\n"


def test_a_label_is_weighed_by_what_the_model_says_of_its_tokens(url: str) -> None:
    asyncio.run(weighed_rightly(url))


async def weighed_rightly(url: str) -> None:
    """The likelihood of what the model would say anyway is the one that it states itself."""
    read = "Text: The tap drips.\n\nIn other words, the"
    said = ask(
        f"{url}/completions", {"prompt": read, "max_tokens": 3, "temperature": 0, "logprobs": 1}
    )
    client = Client(url, None, timeout_s=60, max_connections=4, proxied=False)
    try:
        view = View(read, (said["choices"][0]["text"], " zebra crossing"), BARE, 0.5)
        likely, unlikely = await Weigher(client, timeout_s=60).weighed(view, Clock())
    finally:
        await client.close()
    stated = sum(one["logprob"] for one in said["choices"][0]["logprobs"]["content"])
    assert likely == pytest.approx(0.5 * stated, abs=0.05)
    assert unlikely < likely - 2


def test_the_adapter_that_ships_chooses_among_labels_that_it_never_met(home: Path) -> None:
    table = EmbeddedConfig(zone=Zone.LOCAL, adapter_digest=adapter_digest(None))
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as user:
        told, again, plain = user.submit(chosen_by, table, home).result()
    assert [json.loads(one.text) for one in (told, again)] == [{"note": "moan"}] * 2
    assert told.usage.input_tokens == plain.usage.input_tokens
    assert told.engine_seconds > again.engine_seconds > 0  # the usual weights are found once


def chosen_by(table: EmbeddedConfig, home: Path) -> list[Completion]:
    return asyncio.run(choices(table, home))


async def choices(table: EmbeddedConfig, home: Path) -> list[Completion]:
    """A label by weight, the same again, and one that the model chooses by itself."""
    engine = KINDS["embedded"].make(table, Reach("", None, home))
    text = "The eggs were cracked, three out of six, and the yolk had run all over the mushrooms."
    labels = {"enum": ["pat on the back", "moan", "wish to know more"]}
    schema = {"type": "object", "properties": {"note": labels}, "required": ["note"]}
    how = manner(TaskType.CLASSIFICATION, table.served, "en", examples=False)
    ask = "Our farm shop gets notes with the vegetable boxes. Which kind is this one?"
    messages = task_messages(TaskType.CLASSIFICATION, ask, text, schema, how)
    request = Request(table.served, messages, 48, EMBEDDED_CONTEXT_TOKENS, schema, text=text)
    try:
        asked = (request, request, replace(request, text=""))
        return [await engine.complete(one) for one in asked]
    finally:
        await engine.close()


def test_users_share_it_and_it_stops_with_the_last_one(home: Path) -> None:
    with User(home, LLAMA) as one, User(home, LLAMA) as two:
        assert one.line() == two.line()
        pid = server_pid(home, "llama")
        one.end()
        assert server_pid(home, "llama") == pid
    wait_until_stopped(home, "llama")
