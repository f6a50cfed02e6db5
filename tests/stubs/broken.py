"""Replies that fail, on purpose."""

import asyncio
from dataclasses import dataclass
from typing import Any

from aiohttp import web


@dataclass(frozen=True)
class Fault:
    """A failing reply. `late` ones come after the latency and hold a slot; `billed` ones cost."""

    status: int = 200
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()
    late: bool = False
    billed: bool = False


class Broken(web.StreamResponse):
    """A body that ends in the middle."""

    def __init__(self, part: bytes, announced: int) -> None:
        super().__init__(headers={"Content-Type": "application/json"})
        self._part = part
        self.content_length = announced

    async def prepare(self, request: web.BaseRequest) -> Any:
        writer = await super().prepare(request)
        await self.write(self._part)
        cut_off(request)
        return writer


class Dripping(web.StreamResponse):
    """A body that never ends and never pauses for long."""

    async def prepare(self, request: web.BaseRequest) -> Any:
        await super().prepare(request)
        while True:
            await self.write(b" ")
            await asyncio.sleep(0.01)


def cut_off(request: web.BaseRequest) -> web.StreamResponse:
    """Drop the connection; what is returned goes nowhere."""
    if request.transport:
        request.transport.abort()
    return web.Response()
