"""Servers of documents on a thread of their own, for what is fetched over HTTP."""

import asyncio
import threading
from typing import Self

from aiohttp import web

Answer = tuple[int, str] | tuple[int, str, dict[str, str]]


class Served:
    """A server on a free loopback port while it is entered. `asked`: paths, as they came."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.url = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    async def _start(self) -> str:
        app = web.Application()
        app.router.add_route("*", "/{name:.*}", self._answered)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _answered(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        self.asked.append(name)
        return await self.answer(name, request)

    async def answer(self, name: str, request: web.Request) -> web.StreamResponse:
        """What is served at a path."""
        raise NotImplementedError

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


class Pages(Served):
    """Answers as `answers` has it, path by path; the last one of a path again and again."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: dict[str, list[Answer]] = {}
        self.queries: list[dict[str, str]] = []

    async def answer(self, name: str, request: web.Request) -> web.StreamResponse:
        self.queries.append(dict(request.query))
        left = self.answers.get(name)
        if left is None:
            raise web.HTTPNotFound
        status, text, *headers = left.pop(0) if len(left) > 1 else left[0]
        return web.Response(status=status, text=text, headers=headers[0] if headers else None)
