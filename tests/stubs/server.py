"""The shared part of the stubs: listening, faults, slots, control, and running as a process.

In a test's loop:   async with OpenAIStub(latency=(0.05, 0.05)) as stub: ... stub.url
In a thread:        with OpenAIStub().in_thread() as stub: ...
As a process:       python -m tests.stubs.openai --port 0 --latency 0.05 --slots 4
                    prints {"url": ..., "control_url": ..., "pid": ...}; see `process.py`.

GET  /stub/stats    the counts           GET /stub/prompts   the log of prompts
POST /stub/control  {"set": {KNOB: VALUE}, "script": [FAULT, ...], "reset": true}, all optional;
                    for batches see batches.py
Both are served on `url` too, but an outage `refuse` closes only `url`.
"""

import asyncio
import contextlib
import json
import random
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, ClassVar, Self

import orjson
from aiohttp import web

from tests.stubs.batches import Batches, Book, Worked
from tests.stubs.broken import Broken, Dripping, Fault, cut_off
from tests.stubs.fake import made_up, prompt_words
from tests.stubs.knobs import Knobs, change
from tests.stubs.record import Prompt, Record
from worker.llm.probe import GREETING

HOST = "127.0.0.1"
PROBED = GREETING.content


class Stub:
    """A server on a free loopback port. `script` holds the faults that the next requests meet.

    A fault is a name from `faults`, or `ok`, `timeout` (never answers), `cut` (drops the
    connection before the answer), `cut_body` (in the middle of it), `drip` (a byte at a time,
    without end), `bad_json`, or a dict with `status`, `body` and `headers`.
    """

    faults: ClassVar[dict[str, Fault]] = {}

    def __init__(self, knobs: Knobs, **changes: Any) -> None:
        change(knobs, changes)
        self.knobs = knobs
        self.record = Record()
        self.script: deque[str | dict[str, Any]] = deque()
        self.batches = Batches(
            lambda request, name: self._failed(request, self._fault_of(name)),
            lambda: self.knobs.batch_s,
        )
        self.downs = 0
        """How often it went down by itself."""
        self._random = random.Random(knobs.seed)
        self._slots: asyncio.Semaphore | None = None
        self._slots_for = 0
        self._site: web.TCPSite | None = None
        self.url = self.control_url = ""
        self.last_body: dict[str, Any] = {}
        self.last_headers: dict[str, str] = {}

    def seed(self, seed: int) -> None:
        """Start the random draws anew."""
        self._random.seed(seed)

    # -- listening

    async def start(self, port: int = 0) -> Self:
        """Listen on `port`, or on a free one; the control port is always a free one."""
        server = web.Server(self._handle, handler_cancellation=True, access_log=None)
        self._server = server
        self._runner = web.ServerRunner(server, shutdown_timeout=0.05)
        await self._runner.setup()
        self._port = await self._listen(port)
        self.url = f"http://{HOST}:{self._port}"
        control = web.TCPSite(self._runner, HOST, 0)
        await control.start()
        self.control_url = f"http://{HOST}:{_port_of(control)}"
        return self

    async def stop(self) -> None:
        """Stop listening and drop every connection."""
        await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    @contextlib.contextmanager
    def in_thread(self, port: int = 0) -> Iterator[Self]:
        """Run in a thread with a loop of its own, for tests that have none."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self.start(port), loop).result(10)
            yield self
            asyncio.run_coroutine_threadsafe(self.stop(), loop).result(10)
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(10)
            loop.close()

    async def set(self, **changes: Any) -> None:
        """Change knobs; `outage="refuse"` closes the port and leaving it opens it again."""
        change(self.knobs, changes)
        refuse = self.knobs.outage == "refuse"
        if refuse and self._site is not None:
            await self._site.stop()
            self._site = None
            for connection in self.connections():
                connection.abort()
        elif not refuse and self._site is None:
            await self._listen(self._port)

    async def go_down(self, seconds: float) -> None:
        """Go down with all connections, and come back after so many seconds."""
        self.downs += 1
        loop = asyncio.get_running_loop()
        loop.call_later(seconds, lambda: loop.create_task(self.set(outage="")))
        await self.set(outage="refuse")
        await asyncio.Event().wait()  # this call, too, has lost its connection

    async def _listen(self, port: int) -> int:
        self._site = site = web.TCPSite(self._runner, HOST, port, backlog=2048)
        await site.start()
        return _port_of(site)

    def connections(self) -> list[asyncio.Transport]:
        """The open connections to `url`."""
        all_of_them = [connection.transport for connection in self._server.connections]
        return [t for t in all_of_them if t and t.get_extra_info("sockname")[1] == self._port]

    # -- answering

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path.startswith("/stub/"):
            return await self._control(request)
        if self.knobs.outage == "503":
            return self._failed(request, self.faults["503"])
        if self.knobs.outage == "page":
            return web.Response(text="<!DOCTYPE html><html>", content_type="text/html")
        if self.knobs.outage:
            return cut_off(request)
        return await self.route(request)

    async def route(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request of the API itself."""
        raise NotImplementedError

    def refused(self, prompt: Prompt, request: web.BaseRequest) -> Fault | None:
        """What a sound server would refuse at once: unknown model, key, limits, length."""
        raise NotImplementedError

    def reply(self, prompt: Prompt, text: str, tokens: int, cut: bool) -> dict[str, Any]:
        """The body of an answer."""
        raise NotImplementedError

    def headers(self) -> dict[str, str]:
        """Extra headers of every answer."""
        return {}

    async def before(self, prompt: Prompt) -> Fault | None:
        """What happens between a slot and the answer, e.g. loading a model."""
        return None

    async def answer(self, prompt: Prompt, request: web.BaseRequest) -> web.StreamResponse:
        """The whole way of a prompt: counted, refused or worked on, answered or failed."""
        record = self.record
        if PROBED in prompt.texts:
            record.probes += 1
            refusal = self.refused(prompt, request)
            if refusal is not None:
                return self._failed(request, refusal)
            text, tokens, cut = self._text(prompt)
            return web.json_response(self.reply(prompt, text, tokens, cut), headers=self.headers())
        record.arrived(prompt, self.knobs.keep_texts)
        self.last_body, self.last_headers = prompt.body, dict(request.headers)
        record.in_flight += 1
        record.max_in_flight = max(record.max_in_flight, record.in_flight)
        try:
            return await self._worked_on(prompt, request)
        except asyncio.CancelledError:
            record.cancelled += 1
            prompt.outcome = "cancelled"
            raise
        finally:
            record.in_flight -= 1
            record.outcomes[prompt.outcome] += 1

    async def _worked_on(self, prompt: Prompt, request: web.BaseRequest) -> web.StreamResponse:
        name, fault = self._next_fault()
        refusal = self.refused(prompt, request)
        if refusal or (fault and not fault.late):
            prompt.outcome = name if not refusal else str(refusal.status)
            return self._failed(request, refusal or fault or Fault())
        async with self._slot():
            trouble = await self.before(prompt)
            if any(self.knobs.latency):
                await asyncio.sleep(self._random.uniform(*self.knobs.latency))
            prompt.outcome = name
            if name == "timeout":
                self._bill(prompt, 0)
                await asyncio.Event().wait()
            return self._finished(prompt, request, trouble or fault, name)

    def worked(self, prompt: Prompt, request: web.BaseRequest, fault: str = "") -> Worked:
        """What a request of a batch is answered: the same as at once. `fault`: what it meets."""
        failing = self.faults[fault] if fault else self.refused(prompt, request)
        text, tokens, cut = self._text(prompt)
        if failing is None:
            body = self.reply(prompt, text, tokens, cut)
            return Worked(200, body, prompt.input_tokens, tokens, billed=True)
        if not failing.billed:
            return Worked(failing.status, failing.body)
        return Worked(failing.status, failing.body, prompt.input_tokens, tokens, billed=True)

    def _finished(
        self, prompt: Prompt, request: web.BaseRequest, fault: Fault | None, name: str
    ) -> web.StreamResponse:
        text, tokens, cut = self._text(prompt)
        if not fault or fault.billed:
            self._bill(prompt, tokens)
        if fault and name not in ("cut_body", "bad_json", "drip"):
            return cut_off(request) if name == "cut" else self._failed(request, fault)
        body = orjson.dumps(self.reply(prompt, text, tokens, cut))
        if name == "bad_json":
            body = body[: len(body) // 2]
        if name == "cut_body":
            return Broken(body[: len(body) // 2], len(body))
        if name == "drip":
            return Dripping()
        self.record.answered += name == "ok"
        return web.Response(body=body, content_type="application/json", headers=self.headers())

    def _text(self, prompt: Prompt) -> tuple[str, int, bool]:
        text = self._words(prompt)
        tokens = self.tokens(text)
        if tokens <= prompt.max_tokens:
            return text, tokens, False
        return text[: prompt.max_tokens * self.knobs.chars_per_token], prompt.max_tokens, True

    def _words(self, prompt: Prompt) -> str:
        for part, wanted in self.knobs.answers.items():
            if any(part in text for text in prompt.texts):
                return wanted if isinstance(wanted, str) else json.dumps(wanted)
        last = prompt.texts[-1] if prompt.texts else ""
        if prompt.schema is None:
            return " ".join(prompt_words(last)[-12:])
        return json.dumps(made_up(prompt.schema, last), ensure_ascii=False)

    def tokens(self, text: str) -> int:
        """Tokens of a text, by its length."""
        return max(1, -(-len(text) // self.knobs.chars_per_token))

    def _bill(self, prompt: Prompt, output: int) -> None:
        self.record.billed_input += prompt.input_tokens
        self.record.billed_output += output

    def _failed(self, request: web.BaseRequest, fault: Fault) -> web.StreamResponse:
        headers = {**self.headers(), **dict(fault.headers)}
        if isinstance(fault.body, str):
            return web.Response(status=fault.status, text=fault.body, headers=headers)
        return web.json_response(fault.body, status=fault.status, headers=headers)

    def _next_fault(self) -> tuple[str, Fault | None]:
        name = self.script.popleft() if self.script else self._drawn()
        if name == "ok":
            return name, None
        if name in ("timeout", "cut", "cut_body", "bad_json", "drip"):
            return name, Fault(late=True, billed=True)
        return name if isinstance(name, str) else "scripted", self._fault_of(name)

    def _fault_of(self, name: str | dict[str, Any]) -> Fault:
        if isinstance(name, str):
            return self.faults[name]
        given = {**name, "headers": tuple(name.get("headers", {}).items())}
        return Fault(**{"late": True, **given})

    def _drawn(self) -> str:
        if not self.knobs.faults:
            return "ok"
        point = self._random.random()
        for name, share in self.knobs.faults.items():
            point -= share
            if point < 0:
                return name
        return "ok"

    def _slot(self) -> contextlib.AbstractAsyncContextManager[Any]:
        if not self.knobs.slots:
            return contextlib.nullcontext()
        if self._slots is None or self._slots_for != self.knobs.slots:
            self._slots_for = self.knobs.slots
            self._slots = asyncio.Semaphore(self.knobs.slots)
        return self._slots

    # -- steering

    async def _control(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/stub/prompts":
            return web.json_response(self.record.log)
        if request.path == "/stub/control":
            orders = await request.json()
            try:
                await self.set(**orders.get("set", {}))
            except KeyError as exc:
                return web.json_response({"error": str(exc)}, status=400)
            self.script.extend(orders.get("script", ()))
            for meeting in orders.get("batch_faults", ()):
                self.batches.meet(**meeting)
            for fate in orders.get("batch_fates", ()):
                self.batches.fate(**fate)
            if orders.get("batch_settle"):
                self.batches.settle()
            if orders.get("reset"):
                self.record = Record(in_flight=self.record.in_flight)
                self.batches.book = Book()
        totals = {**self.record.totals(), "batches": self.batches.book.totals()}
        return web.json_response({**totals, "knobs": asdict(self.knobs)})


def _port_of(site: web.TCPSite) -> int:
    server: Any = site._server
    return int(server.sockets[0].getsockname()[1])
