"""Weighs the labels of a choice at the embedded model's server: a short call for each."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2

from worker.llm.bodies import broken, object_in
from worker.llm.embedded.choice import ORDINARY, Choice, View, heaviest, in_common
from worker.llm.engine import Completion, Finish, Usage
from worker.llm.openai.client import Client
from worker.llm.openai.replies import engine_seconds

MOST_KEPT = 1_024
"""Questions whose usual weights are kept, and endings whose tokens are."""

FORCED = 1_000.0
"""Added to a token's logit, so that it is the one that is said."""


@dataclass(slots=True)
class Clock:
    """What the engine spent on one answer, in seconds."""

    seconds: float = 0.0


class Weigher:
    """Chooses labels. `client`: of the server, whose address ends in /v1.

    The tokens of a call are those of the question as it stands and of its answer: the rates of
    texts are learnt from them. Its seconds are those of all that was read.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._root = str(client.sdk.base_url).rstrip("/").removesuffix("/v1")
        self._ids: dict[str, list[int]] = {}
        self._usual: dict[Choice, list[float]] = {}
        self._finding = asyncio.Lock()

    async def chosen(self, choice: Choice, text: str) -> Completion:
        """The answer with the label that fits a text best. Raises EngineError."""
        started, clock = time.perf_counter(), Clock()
        usual = await self._usual_weights(choice, clock)
        weights = await self._weights(choice, text, clock)
        answer = choice.answer(choice.labels[heaviest(weights, usual)])
        read, written = choice.views(text)[0].read, await self._ids_of(answer)
        return Completion(
            text=answer,
            finish=Finish.STOP,
            latency_ms=round((time.perf_counter() - started) * 1000),
            usage=Usage(len(await self._tokens(read, whole=True)), None, len(written)),
            engine_seconds=clock.seconds,
        )

    async def _usual_weights(self, choice: Choice, clock: Clock) -> list[float]:
        """What each label weighs for ordinary texts, found once."""
        async with self._finding:
            if choice not in self._usual:
                found = [await self._weights(choice, text, clock) for text in ORDINARY]
                _make_room(self._usual)
                self._usual[choice] = [each / len(ORDINARY) for each in _summed(found)]
            return self._usual[choice]

    async def _weights(self, choice: Choice, text: str, clock: Clock) -> list[float]:
        """What each label weighs for a text."""
        return _summed([await self.weighed(view, clock) for view in choice.views(text)])

    async def weighed(self, view: View, clock: Clock) -> list[float]:
        """How likely each label is here, as the logarithm, times the weight of the view."""
        endings = [await self._ids_of(ending) for ending in view.endings]
        shared = in_common(endings)
        found = []
        for ids in endings:
            steps = range(len(shared), len(ids))
            each = [await self._likelihood(view, ids[:at], ids[at], clock) for at in steps]
            found.append(view.weight * sum(each))
        return found

    async def _likelihood(self, view: View, read: list[int], token: int, clock: Clock) -> float:
        """The logarithm of how likely a token follows what was read. The model is made to say it,
        and states how likely it was before that; a grammar for all of an ending takes longer."""
        body = {
            "prompt": [view.read, *read] if read else view.read,
            "max_tokens": 1,
            "temperature": 0.0,
            "logit_bias": [[token, FORCED]],
            "logprobs": 1,
            "lora": [{"id": 0, "scale": view.strength}],
        }
        reply = await self._said("completions", body)
        clock.seconds += engine_seconds(reply) or 0.0
        try:
            (said,) = reply["choices"][0]["logprobs"]["content"]
            return float(said["logprob"])
        except (LookupError, TypeError, ValueError) as exc:
            raise broken("it says of no token how likely it is", self._client.where) from exc

    async def _ids_of(self, ending: str) -> list[int]:
        """The tokens of an ending."""
        if ending not in self._ids:
            found = await self._tokens(ending)
            _make_room(self._ids)
            self._ids[ending] = found
        return self._ids[ending]

    async def _tokens(self, text: str, *, whole: bool = False) -> list[int]:
        """Those of a text; `whole`: of a prompt."""
        body = {"content": text, "add_special": whole, "parse_special": whole}
        tokens: list[int] = (await self._said(f"{self._root}/tokenize", body))["tokens"]
        return tokens

    async def _said(self, url: str, body: dict[str, Any]) -> dict[str, Any]:
        call = self._client.sdk.post(url, body=body, cast_to=httpx2.Response)
        raw = await self._client.send(call)
        return object_in(raw.content, self._client.where)


def _summed(weights: Iterable[Sequence[float]]) -> list[float]:
    """Label by label."""
    return [sum(each) for each in zip(*weights, strict=True)]


def _make_room(kept: dict[Any, Any]) -> None:
    """For one more, by giving up the oldest."""
    if len(kept) >= MOST_KEPT:
        del kept[next(iter(kept))]
