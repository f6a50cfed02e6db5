"""A call that was reserved and not made is given back, wherever its making was cut short."""

import asyncio
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from worker.asking import Asking, Desk, NotReserved
from worker.llm.engine import Message, Request

REQUEST = Request("m", (Message("user", "x"),), max_tokens=5, context_tokens=100)


class Turnstile:
    """A rate limit that lets nobody through until it is told to."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.open = asyncio.Event()
        self.given_back = 0

    async def grant(self, *_: Any) -> str:
        self.reached.set()
        await self.open.wait()
        return "grant"

    def unsent(self, grant: str) -> None:
        self.given_back += 1


def asking(turnstile: Turnstile, written: list[UUID], refuse: bool = False) -> Asking:
    async def reserve(call_id: UUID, *_: Any) -> None:
        if refuse:
            raise NotReserved("batch")
        written.append(call_id)

    ledger = SimpleNamespace(site=SimpleNamespace(config=SimpleNamespace(kind="openai")))
    slot: Any = nullcontext()
    parts = {"engine": None, "gate": None, "journal": None, "ledger": ledger}
    return Asking(Desk(**parts, reserve=reserve, admission=turnstile), slot, 1, uuid4(), {})  # type: ignore[arg-type]


@pytest.mark.parametrize("purpose", ["run", "repair"])
async def test_a_stop_while_waiting_for_the_limit_leaves_only_the_claims_call(purpose: str) -> None:
    turnstile, written = Turnstile(), list[UUID]()
    job = asking(turnstile, written)
    [claims] = job.unused
    asked = asyncio.create_task(job.ask(REQUEST, "v", purpose))
    await turnstile.reached.wait()
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert (written, job.calls, job.unused) == ([], [], [claims])


async def test_a_call_that_is_not_covered_gives_its_grant_back() -> None:
    turnstile = Turnstile()
    turnstile.open.set()
    job = asking(turnstile, [], refuse=True)
    with pytest.raises(NotReserved):
        await job.ask(REQUEST, "v", "repair")
    assert turnstile.given_back == 1
    assert job.calls == []
