"""Weighing labels at a server: what is asked once, what is said of it, and what an error leaves."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from models.engines import tuned_name
from tests.factories import TEXT, a_request
from worker.llm.embedded.choice import ORDINARY, Choice, choice
from worker.llm.embedded.weigher import Weigher
from worker.llm.engine import EngineError, Message, Trouble
from worker.llm.openai.client import Client


class Server:
    """A client of a server that takes a letter for a token and finds `likely` letters likely."""

    where = root = "http://model"

    def __init__(self, likely: str) -> None:
        self.likely, self.calls, self.reads = likely, 0, Counter[str]()
        self.timings: dict[str, float] = {"prompt_ms": 30.0, "predicted_ms": 20.0}
        self.before: Callable[[str], Any] = lambda read: None
        self.sdk = SimpleNamespace(post=self._post)

    async def send(self, call: Any) -> Any:
        return SimpleNamespace(content=json.dumps(await call).encode())

    async def _post(self, url: str, body: dict[str, Any], cast_to: object) -> dict[str, Any]:
        await asyncio.sleep(0)
        if url.endswith("/tokenize"):
            return {"tokens": [ord(letter) for letter in body["content"]]}
        self.calls += 1
        prompt = body["prompt"]
        read = prompt if isinstance(prompt, str) else prompt[0]
        self.reads[read] += 1
        self.before(read)
        said = chr(body["logit_bias"][0][0])
        stated = {"token": said, "logprob": -1.0 if said in self.likely else -5.0}
        return {"choices": [{"logprobs": {"content": [stated]}}], "timings": self.timings}


def a_choice(*labels: str, text: str = TEXT, ask: str = "Which?") -> Choice:
    request = a_request(
        model_name=tuned_name("ab" * 32),
        messages=(Message("user", f"{ask}\n{text}"),),
        schema={"type": "object", "properties": {"label": {"enum": list(labels)}}},
        text=text,
    )
    found = choice(request)
    assert found is not None
    return found


def a_weigher(server: Server, timeout_s: float = 10) -> Weigher:
    return Weigher(cast(Client, server), timeout_s)


def ordinary_reads(server: Server) -> int:
    return sum(n for read, n in server.reads.items() if any(text in read for text in ORDINARY))


async def test_an_answer_says_its_own_tokens_and_all_seconds() -> None:
    server, asked = Server("x"), a_choice("x", "y")
    completion = await a_weigher(server).chosen(asked, TEXT)
    assert json.loads(completion.text)["label"] in ("x", "y")
    assert completion.usage.input_tokens == len(asked.views(TEXT)[0].read)
    assert completion.usage.output_tokens == len(completion.text)
    assert completion.engine_seconds == pytest.approx(0.05 * server.calls)


async def test_usual_weights_are_found_once_for_a_question_whoever_asks_first() -> None:
    server, asked = Server(""), a_choice("x", "y")
    weigher = a_weigher(server)
    await asyncio.gather(*(weigher.chosen(asked, f"Text {n}.") for n in range(3)))
    found = ordinary_reads(server)
    await weigher.chosen(asked, TEXT)
    assert ordinary_reads(server) == found
    await weigher.chosen(a_choice("x", "y", ask="Another?"), TEXT)
    assert ordinary_reads(server) > found


async def test_a_question_that_is_known_does_not_wait_for_one_that_is_not() -> None:
    server = Server("")
    weigher, known = a_weigher(server), a_choice("x", "y")
    await weigher.chosen(known, TEXT)
    new = asyncio.create_task(weigher.chosen(a_choice("a", "b", ask="New?"), TEXT))
    await asyncio.sleep(0)
    await weigher.chosen(known, TEXT)
    assert not new.done()
    await new


async def test_what_was_found_before_an_error_is_not_found_again() -> None:
    server, asked = Server(""), a_choice("x", "y")
    weigher = a_weigher(server)
    server.before = away_at(ORDINARY[3])
    with pytest.raises(EngineError) as caught:
        await weigher.chosen(asked, TEXT)
    assert caught.value.maybe_billed
    assert caught.value.engine_seconds == pytest.approx(0.05 * (server.calls - 1))
    server.before = lambda read: None
    before = sum(n for read, n in server.reads.items() if ORDINARY[0] in read)
    await weigher.chosen(asked, TEXT)
    assert sum(n for read, n in server.reads.items() if ORDINARY[0] in read) == before


def away_at(text: str) -> Callable[[str], None]:
    def before(read: str) -> None:
        if text in read:
            raise EngineError(Trouble.UNAVAILABLE, "gone")

    return before


async def test_an_error_before_anything_was_asked_cost_nothing() -> None:
    server = Server("")
    server.before = away_at("")
    with pytest.raises(EngineError) as caught:
        await a_weigher(server).chosen(a_choice("x", "y"), TEXT)
    assert (caught.value.maybe_billed, caught.value.engine_seconds) == (False, None)


async def test_seconds_that_are_not_stated_of_every_call_are_unknown() -> None:
    server = Server("")
    server.timings = {}
    assert (await a_weigher(server).chosen(a_choice("x", "y"), TEXT)).engine_seconds is None


async def test_an_answer_ends_at_its_limit() -> None:
    with pytest.raises(EngineError) as caught:
        await a_weigher(Server(""), timeout_s=0).chosen(a_choice("x", "y"), TEXT)
    assert caught.value.trouble is Trouble.TIMEOUT


@pytest.mark.parametrize("reply", [{}, {"tokens": None}, {"tokens": ["a"]}, {"choices": []}])
async def test_a_reply_that_says_nothing_is_an_error_of_the_engine(reply: dict[str, Any]) -> None:
    server = Server("")

    async def post(url: str, body: object, cast_to: object) -> dict[str, Any]:
        tokens = {"tokens": [1, 2]} if "choices" in reply and "tokenize" in url else reply
        return tokens

    server.sdk.post = post
    with pytest.raises(EngineError, match="it says of no t"):
        await a_weigher(server).chosen(a_choice("x", "y"), TEXT)
