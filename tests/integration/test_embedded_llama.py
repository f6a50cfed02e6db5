"""The embedded language model: a real llama.cpp server with a real small model."""

import asyncio
import hashlib
import json
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from models.engines import (
    EMBEDDED_CONTEXT_TOKENS,
    EMBEDDED_MODEL,
    EMBEDDED_SLOTS,
    EmbeddedConfig,
)
from models.errors import ConfigError
from models.words import Zone
from tests.embedded_users import LLAMA, User, server_pid, temporary_home, wait_until_stopped
from tests.lora import write_lora
from worker.llm.embedded.server import attach_llama
from worker.llm.engine import Completion, Message, Request
from worker.llm.kinds import KINDS, Reach

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
    assert made["prompt"] == "0\n\n1\nAnswer:\n2\n\n3\nAnswer:\n"


def test_users_share_it_and_it_stops_with_the_last_one(home: Path) -> None:
    with User(home, LLAMA) as one, User(home, LLAMA) as two:
        assert one.line() == two.line()
        pid = server_pid(home, "llama")
        one.end()
        assert server_pid(home, "llama") == pid
    wait_until_stopped(home, "llama")
