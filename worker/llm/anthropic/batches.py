"""Anthropic's Message Batches: requests handed in together, for half the price."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import quote

import httpx2

from worker.llm.anthropic.batch_replies import answer_in, batch_in, page_in, requests_of
from worker.llm.anthropic.client import Client
from worker.llm.anthropic.dialect import Dialect
from worker.llm.batches import Bounds, Order, Progress, Reply
from worker.llm.bodies import broken
from worker.llm.engine import Completion, Concern, EngineError
from worker.llm.faults import billed_if
from worker.llm.results import lines_of, reply_in

_SKEW = timedelta(minutes=1)
"""How far the provider's clock may be behind."""

_PAGE, _MOST_PAGES = 100, 100
"""Batches in a part of the list, and the parts that are looked through."""

_PATH = "/v1/messages/batches"
_MOST_CONNECTIONS = 16

_ENDED_ALREADY = (HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT)
"""How it is answered to stop a batch that has ended."""

_T = TypeVar("_T")


class AnthropicBatches:
    """The batch API of a server that speaks Anthropic's Messages; see worker/llm/batches.py.

    The arguments are those of worker/llm/sdk.py, and `dialect` is what is known of the models
    there. Requests go with the batch, and nothing of ours stands on it but the names of its
    requests, which its replies repeat.
    """

    bounds = Bounds(requests=100_000, bytes=250_000_000)
    """It takes 256 MB (https://platform.claude.com/docs/en/build-with-claude/batch-processing)."""

    def __init__(
        self,
        base_url: str,
        api_key: str | None,
        *,
        timeout_s: float = 600.0,
        proxied: bool = True,
        dialect: Dialect | None = None,
    ) -> None:
        self._dialect = dialect or Dialect()
        self._client = Client(
            base_url,
            api_key,
            timeout_s=timeout_s,
            max_connections=_MOST_CONNECTIONS,
            proxied=proxied,
            once=True,
        )

    async def upload(self, order: Order) -> str:
        """Empty: requests are handed in with the batch."""
        return ""

    async def create(self, order: Order, upload: str) -> str:
        """Begin the batch; its id. Raises EngineError."""
        # In a thread: so many requests take seconds to be put into words.
        content = await asyncio.to_thread(requests_of, order, self._dialect, self._client.where)
        return (await self._ask(self._client.post(_PATH, content), batch_in, begins=True)).id

    async def find(self, order: Order, since: datetime) -> Sequence[str]:
        """The batches since then that have as many requests, the newest first. None of them is
        surely this order's: the names in its replies tell. Raises EngineError."""
        found: list[str] = []
        after: dict[str, Any] = {}
        for _ in range(_MOST_PAGES):
            params = {"limit": _PAGE, **after}
            call = self._client.sdk.get(_PATH, cast_to=httpx2.Response, options={"params": params})
            page = await self._ask(call, page_in)
            for batch in page.batches:
                if batch.created is not None and batch.created < since - _SKEW:
                    return found
                if batch.requests == len(order.items):
                    found.append(batch.id)
            if page.next is None:
                return found
            after = {"after_id": page.next}
        raise broken("its list of batches does not end", self._client.where)

    async def progress(self, remote: str) -> Progress:
        """How far it has come. Raises EngineError."""
        call = self._client.sdk.get(_path_of(remote), cast_to=httpx2.Response)
        return (await self._ask(call, batch_in)).progress

    async def results(self, remote: str) -> AsyncGenerator[Reply, None]:
        """The replies of a batch that has ended. They are read at the configured address, whatever
        other the batch names: the key goes nowhere else. Raises EngineError."""
        where, secret = self._client.where, self._client.secret

        def read(line: dict[str, Any]) -> Completion:
            return answer_in(line, where, secret)

        pieces = self._client.pieces(f"{_path_of(remote)}/results")
        with billed_if(begins=False):
            async with aclosing(pieces), aclosing(lines_of(pieces)) as lines:
                async for line in lines:
                    if reply := reply_in(line, "custom_id", read, where, secret):
                        yield reply

    async def cancel(self, remote: str) -> None:
        """Ask it to stop. Raises EngineError, but not where it has ended."""
        call = self._client.sdk.post(f"{_path_of(remote)}/cancel", cast_to=httpx2.Response)
        await self._unless(_ENDED_ALREADY, call)

    async def forget(self, remote: str, upload: str) -> None:
        """Have a batch that has ended deleted, with its requests and replies. Raises EngineError,
        but not where there is no such batch any more."""
        if remote:
            call = self._client.sdk.delete(_path_of(remote), cast_to=httpx2.Response)
            await self._unless((HTTPStatus.NOT_FOUND,), call)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _ask(
        self,
        call: Awaitable[httpx2.Response],
        read: Callable[[bytes, str, str], _T],
        *,
        begins: bool = False,
    ) -> _T:
        """What is read in the answer to a call."""
        with billed_if(begins):
            response: httpx2.Response = await self._client.send(call)
            return read(response.content, self._client.where, self._client.secret)

    async def _unless(self, fine: Sequence[HTTPStatus], call: Awaitable[httpx2.Response]) -> None:
        """Send a call, and take a refusal with one of these statuses for its success, unless it
        concerns all calls."""
        try:
            with billed_if(begins=False):
                await self._client.send(call)
        except EngineError as exc:
            if exc.status not in fine or exc.concern is Concern.ENGINE:
                raise


def _path_of(batch: str) -> str:
    return f"{_PATH}/{quote(batch, safe='')}"
