"""The batch APIs that speak of chat completions: OpenAI's and its like, and OpenRouter's."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import aclosing
from datetime import datetime
from io import BytesIO
from typing import Any
from urllib.parse import quote

import httpx2

from worker.llm.batches import Bounds, Order, Progress, Reply
from worker.llm.bodies import broken, no_json, object_in
from worker.llm.engine import EngineError
from worker.llm.faults import billed_if
from worker.llm.openai.batch_replies import (
    ENDPOINT,
    OURS,
    WINDOW,
    Listed,
    as_lines,
    as_object,
    begun_by,
    is_older,
    page_in,
    progress_in,
    reply_in,
)
from worker.llm.openai.client import Client, omit
from worker.llm.openai.dialect import Dialect
from worker.llm.openai.inline import Inline
from worker.llm.openai.replies import CHECK
from worker.llm.results import lines_of

_MOST_CONNECTIONS = 16
_LONGEST_PAGE = 100
_MOST_PAGES = 100
_GONE = (404, 410)
_CANNOT_BE_CANCELLED = (400, 409)


class _Batches:
    """What both have in common: an address, a list of batches, and when an error may be billed."""

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

    async def find(self, order: Order, since: datetime) -> Sequence[str]:
        """The batches that may be this order's; one request for each page of the list, which has
        the newest first."""
        found: list[Listed] = []
        for _ in range(_MOST_PAGES):
            after = found[-1].remote if found else omit
            listing = self._client.sdk.batches.with_raw_response.list
            page = await self._object(listing(after=after, limit=_LONGEST_PAGE))
            listed = page_in(page)
            if not listed or listed[-1].remote == after:  # not every gateway turns pages
                break
            found += listed
            if not page.get("has_more") or is_older(listed[-1], since):
                break
        return begun_by(order, since, found)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _send(self, call: Awaitable[Any], *, begins: bool = False) -> Any:
        """`begins`: it is the call that begins a batch, and so the one that may be billed: whatever
        comes instead of a plain refusal may have begun it."""
        with billed_if(begins):
            return await self._client.send(call)

    async def _object(self, call: Awaitable[Any], *, begins: bool = False) -> dict[str, Any]:
        raw = await self._send(call, begins=begins)
        with billed_if(begins):
            return object_in(raw.content, self._client.where, self._client.secret, CHECK)

    async def _begun(self, call: Awaitable[Any]) -> str:
        """How the provider calls the batch that a call began."""
        return self._name(await self._object(call, begins=True), begins=True)

    def _name(self, made: dict[str, Any], *, begins: bool = False) -> str:
        name = made.get("id")
        if isinstance(name, str) and name:
            return name
        error = broken("what was made has no id", self._client.where)
        error.maybe_billed = begins
        raise error

    async def _pieces(self, reply: Any) -> AsyncGenerator[bytes, None]:
        """The body of a reply. Nothing that is only fetched is billed."""
        async with aclosing(self._client.stream(reply)) as pieces:
            with billed_if(begins=False):
                async for piece in pieces:
                    yield piece

    async def _unless(self, statuses: tuple[int, ...], asked: Awaitable[Any]) -> Any:
        """What was asked for; None where that is refused with one of these statuses."""
        try:
            return await asked
        except EngineError as exc:
            if exc.status in statuses:
                return None
            raise


class OpenAIBatches(_Batches):
    """OpenAI's files and batches, which many gateways have, too.

    `base_url` ends where `/chat/completions` begins. `timeout_s` is the limit for each request on
    the wire, a file included. `proxied` heeds HTTP_PROXY, SSL_CERT_FILE and their like; False sends
    to this address and nowhere else. Raises ConfigError where key, proxy or certificates cannot be
    used. `dialect` is what is known of the models there. `results` asks for the names of the files
    first.
    """

    bounds = Bounds(requests=50_000, bytes=190_000_000)
    """200 MB, of which the lines take a little beside the prompts."""

    async def upload(self, order: Order) -> str:
        """Hand in the file of requests."""
        return self._name(await self._object(self._upload(order)))

    async def create(self, order: Order, upload: str) -> str:
        """Begin the batch."""
        return await self._begun(
            self._client.sdk.batches.with_raw_response.create(
                input_file_id=upload,
                endpoint=ENDPOINT,
                completion_window=WINDOW,
                metadata={OURS: order.name},
            )
        )

    async def progress(self, remote: str) -> Progress:
        """How far it has come."""
        return progress_in(await self._state(remote), self._client.secret)

    async def results(self, remote: str) -> AsyncGenerator[Reply, None]:
        """The replies of the file of answers, then those of the file of errors."""
        state = await self._state(remote)
        for file in _files(state, "output_file_id", "error_file_id"):
            async with aclosing(self._replies(file)) as replies:
                async for reply in replies:
                    yield reply

    async def cancel(self, remote: str) -> None:
        """Ask it to stop, which takes up to ten minutes."""
        call = self._client.sdk.batches.with_raw_response.cancel(remote)
        await self._unless(_CANNOT_BE_CANCELLED, self._send(call))

    async def forget(self, remote: str, upload: str) -> None:
        """Delete its files. The batch itself, with what it was called, cannot be deleted."""
        state = await self._unless(_GONE, self._state(remote)) if remote else None
        kept = _files(state or {}, "input_file_id", "output_file_id", "error_file_id")
        for file in sorted({upload, *kept} - {""}):
            call = self._client.sdk.files.with_raw_response.delete(file)
            await self._unless(_GONE, self._send(call))

    async def _upload(self, order: Order) -> Any:
        # Thousands of prompts take a second, in which nothing else here may stand still.
        content = BytesIO(await asyncio.to_thread(as_lines, order, self._dialect))
        file = (f"{OURS}-{order.name}.jsonl", content, "application/jsonl")
        return await self._client.sdk.files.with_raw_response.create(file=file, purpose="batch")

    async def _state(self, remote: str) -> dict[str, Any]:
        return await self._object(self._client.sdk.batches.with_raw_response.retrieve(remote))

    async def _replies(self, file: str) -> AsyncGenerator[Reply, None]:
        content = self._client.sdk.files.with_streaming_response.content(file)
        async with aclosing(self._pieces(content)) as pieces, aclosing(lines_of(pieces)) as lines:
            async for line in lines:
                if reply := reply_in(line, self._client.where, self._client.secret):
                    yield reply


class OpenRouterBatches(_Batches):
    """OpenRouter's batches: requests come with the batch, and results with its state.

    The options are those of OpenAIBatches. There, no batch can be stopped, and none keeps a word of
    ours, so that `find` goes by model, time and number of requests. It checks the requests after it
    took them: what is wrong with one shows in its progress. As it does not say how it words what
    was left over when a batch expired, those are known by OpenAI's words for it.
    """

    bounds = Bounds(requests=5_000, bytes=190_000_000)

    async def upload(self, order: Order) -> str:
        """Nothing: the requests come with the batch."""
        return ""

    async def create(self, order: Order, upload: str) -> str:
        """Hand in the requests and begin."""
        return await self._begun(self._create(order))

    async def progress(self, remote: str) -> Progress:
        """How far it has come. The results of one that has ended come along, and are let go."""
        state = Inline("results")
        async with aclosing(self._members(remote, state)) as members:
            async for _ in members:
                pass
        return progress_in(state.fields, self._client.secret)

    async def results(self, remote: str) -> AsyncGenerator[Reply, None]:
        """The replies."""
        async with aclosing(self._members(remote, Inline("results"))) as members:
            async for member in members:
                if reply := reply_in(member, self._client.where, self._client.secret):
                    yield reply

    async def cancel(self, remote: str) -> None:
        """Nothing: it goes on to its end."""

    async def forget(self, remote: str, upload: str) -> None:
        """Delete the batch with its requests and results."""
        if remote:
            await self._unless(_GONE, self._send(self._delete(remote)))

    async def _create(self, order: Order) -> Any:
        content = await asyncio.to_thread(as_object, order, self._dialect)
        return await self._client.sdk.post("/batches", content=content, cast_to=httpx2.Response)

    async def _delete(self, remote: str) -> Any:
        path = f"/batches/{quote(remote, safe='')}"
        return await self._client.sdk.delete(path, cast_to=httpx2.Response)

    async def _members(self, remote: str, state: Inline) -> AsyncGenerator[bytes, None]:
        """The results of a batch; all else is left in `state`."""
        reply = self._client.sdk.batches.with_streaming_response.retrieve(remote)
        front = b""
        async with aclosing(self._pieces(reply)) as pieces:
            try:
                async for piece in pieces:
                    front = front or piece
                    for member in state.feed(piece):
                        yield member
                for member in state.rest():
                    yield member
            except ValueError as exc:
                error = no_json(front, str(exc), self._client.where, CHECK)
                error.maybe_billed = False
                raise error from exc


def _files(state: dict[str, Any], *keys: str) -> list[str]:
    return [state[key] for key in keys if isinstance(state.get(key), str) and state[key]]
