"""Weighs the labels of a choice at the embedded model's server: a short call for each token."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx2

from worker.llm.bodies import broken, object_in
from worker.llm.embedded.choice import ORDINARY, Choice, View, heaviest, in_common
from worker.llm.engine import Completion, EngineError, Finish, Usage
from worker.llm.faults import fault
from worker.llm.openai.client import Client
from worker.llm.openai.replies import engine_seconds

MOST_KEPT = 1_024
"""Questions whose usual weights are kept, and endings whose tokens are."""

FORCED = 1_000.0
"""Added to a token's logit, so that it is the one that is said."""

T = TypeVar("T")


@dataclass(slots=True)
class Clock:
    """What the engine spent on one answer."""

    calls: int = 0
    seconds: float | None = 0.0
    """None: it did not say of every call."""

    def count(self, seconds: float | None) -> None:
        """One more call, and what it took."""
        self.calls += 1
        if self.seconds is not None:
            self.seconds = None if seconds is None else self.seconds + seconds


@dataclass(slots=True)
class _Usual:
    """What the labels of a choice weigh for ordinary texts, one after the other."""

    found: list[list[float]] = field(default_factory=list)
    finding: asyncio.Lock = field(default_factory=asyncio.Lock)


class Weigher:
    """Chooses labels. `client`: of the server, whose address ends in /v1; `timeout_s`: the limit
    for an answer, in seconds. What it keeps is what a question costs only once.

    The tokens of an answer are those of the question as it stands and of the answer itself: the
    rates of texts are learnt from them. Its seconds are those of all that was read.
    """

    def __init__(self, client: Client, timeout_s: float) -> None:
        self._client, self._timeout_s = client, timeout_s
        self._ids: dict[str, list[int]] = {}
        self._usual: dict[Choice, _Usual] = {}

    async def chosen(self, choice: Choice, text: str) -> Completion:
        """The answer with the label that fits a text best. Raises EngineError, with what the calls
        before it took."""
        clock = Clock()
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._answered(choice, text, clock)
        except TimeoutError as exc:
            raise _after(clock, fault(exc, self._client.where)) from exc
        except EngineError as exc:
            raise _after(clock, exc) from exc.__cause__

    async def _answered(self, choice: Choice, text: str, clock: Clock) -> Completion:
        usual = await self._usual_weights(choice, clock)
        started = time.perf_counter()
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
        """What each label weighs for ordinary texts. What one answer found out before it was cut
        off the next one need not."""
        usual = self._usual.get(choice) or _kept(self._usual, choice, _Usual())
        async with usual.finding:
            for text in ORDINARY[len(usual.found) :]:
                usual.found.append(await self._weights(choice, text, clock))
        return [each / len(ORDINARY) for each in _summed(usual.found)]

    async def _weights(self, choice: Choice, text: str, clock: Clock) -> list[float]:
        """What each label weighs for a text."""
        return _summed([await self.weighed(view, clock) for view in choice.views(text)])

    async def weighed(self, view: View, clock: Clock) -> list[float]:
        """How likely each label is here, as the logarithm, times the weight of the view. Raises
        EngineError."""
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
        clock.count(engine_seconds(reply))
        try:
            (said,) = reply["choices"][0]["logprobs"]["content"]
            return float(said["logprob"])
        except (LookupError, TypeError, ValueError) as exc:
            raise broken("it says of no token how likely it is", self._client.where) from exc

    async def _ids_of(self, ending: str) -> list[int]:
        """The tokens of an ending."""
        return self._ids.get(ending) or _kept(self._ids, ending, await self._tokens(ending))

    async def _tokens(self, text: str, *, whole: bool = False) -> list[int]:
        """Those of a text; `whole`: of a prompt."""
        body = {"content": text, "add_special": whole, "parse_special": whole}
        reply = await self._said(f"{self._client.root}/tokenize", body)
        tokens = reply.get("tokens")
        if not isinstance(tokens, list) or not all(isinstance(each, int) for each in tokens):
            raise broken("it says of no text which tokens it has", self._client.where)
        return tokens

    async def _said(self, url: str, body: dict[str, Any]) -> dict[str, Any]:
        call = self._client.sdk.post(url, body=body, cast_to=httpx2.Response)
        raw = await self._client.send(call)
        return object_in(raw.content, self._client.where)


def _after(clock: Clock, error: EngineError) -> EngineError:
    """The error that ended an answer for which calls had been made."""
    if clock.calls:
        error.maybe_billed, error.engine_seconds = True, clock.seconds
    return error


def _summed(weights: Iterable[Sequence[float]]) -> list[float]:
    """Label by label."""
    return [sum(each) for each in zip(*weights, strict=True)]


def _kept(among: dict[Any, T], key: object, value: T) -> T:
    """One more value, for which the oldest is given up where there are many."""
    if len(among) >= MOST_KEPT:
        del among[next(iter(among))]
    among[key] = value
    return value
