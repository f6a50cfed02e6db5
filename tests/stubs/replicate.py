"""Replicate's API on loopback. Its base URL is `base_url`; see server.py.

A prediction lives on its own, as it does there: who hangs up ends nothing, and only an answer, a
failure or `/cancel` does. `in_flight` counts predictions, not connections.
"""

import asyncio
import itertools
import json
from dataclasses import dataclass, field
from typing import Any, ClassVar

import orjson
from aiohttp import web

from tests.stubs.broken import Broken, Dripping, Fault, cut_off
from tests.stubs.knobs import ReplicateKnobs
from tests.stubs.process import main
from tests.stubs.record import Prompt
from tests.stubs.server import Stub

FORM = "Answer as: "
"""What stands in front of a schema in a prompt; nothing else tells these models of one."""


def _error(status: int, title: str, detail: str, **more: Any) -> Fault:
    headers = more.pop("headers", ())
    body = {"title": title, "detail": detail, "status": status, **more}
    return Fault(status, body, headers, late=status >= 500 and status != 503)


def _failed(error: str | None, status: str = "failed", *, ran: bool = True) -> Fault:
    """A prediction that ends so."""
    return Fault(200, {"status": status, "error": error}, late=True, billed=ran)


@dataclass
class Run:
    """A prediction. `end` holds what is stated of it besides, once it has ended."""

    id: str
    prompt: Prompt
    model: str | None
    version: str | None
    status: str = "starting"
    started_at: str | None = None
    end: dict[str, Any] = field(default_factory=dict)
    task: asyncio.Task[None] | None = None


class ReplicateStub(Stub):
    """Predictions, their cancelling, models, account and faults of Replicate."""

    knobs: ReplicateKnobs
    faults: ClassVar[dict[str, Fault]] = {
        "401": _error(401, "Unauthenticated", "You did not pass a valid authentication token"),
        "402": _error(
            402,
            "Insufficient credit",
            "You have insufficient credit to run this model. Go to the billing page.",
        ),
        "404": _error(404, "Not found", "The requested resource could not be found."),
        "version": _error(
            422,
            "Invalid version or not permitted",
            "The specified version does not exist (or perhaps you don't have permission to use "
            "it?)",
        ),
        "422": _error(422, "Input validation failed", "- input.prompt: Must be shorter\n"),
        "max_tokens": _error(
            422,
            "Input validation failed",
            "- input.max_tokens: Must be less than or equal to 4096\n",
        ),
        "image": _error(422, "Input validation failed", "- input: image is required\n"),
        "429": _error(
            429, "", "Request was throttled.", headers=(("retry-after", "0.1"),), retry_after=7
        ),
        "429_body": _error(
            429,
            "",
            "Request was throttled. Your rate limit for creating predictions is reduced to 6 "
            "requests per minute with a burst of 1 requests while you have less than $5.0 in "
            "credit. Your rate limit resets in ~10s.",
        ),
        "500": _error(500, "", "Internal server error"),
        "503": _error(503, "", "Service unavailable"),
        "307": Fault(307, "elsewhere", (("location", "http://127.0.0.1:9/v1/"),)),
        "memory": _failed("Director: unexpected error handling prediction (E1001)", ran=False),
        "cuda": _failed("CUDA out of memory. Tried to allocate 2.00 GiB"),
        "too_long": _failed(
            "E1002 PromptTooLong: Prompt length exceeds maximum input length.", ran=False
        ),
        "filter": _failed(
            "The input or output was flagged as sensitive. Please try again with different "
            "inputs. (E005)"
        ),
        "interrupted": _failed("Prediction interrupted; please retry (code: PA)", ran=False),
        "never_started": _failed(
            "Director: unexpected error handling prediction (E6716)", ran=False
        ),
        "canceled": _failed(None, "canceled"),
        "aborted": _failed(None, "aborted", ran=False),
    }

    def __init__(self, **knobs: Any) -> None:
        super().__init__(ReplicateKnobs(), **knobs)
        self._numbers = itertools.count(1)
        self.runs: dict[str, Run] = {}
        self.cancels: list[str] = []
        """Ids that somebody cancelled, in order."""
        self.looks = 0
        """How often a prediction was looked at."""
        self.read = 0
        """How often the schema of a model was read."""
        self.bad_looks = 0
        """So many of the next looks are answered with 502."""

    @property
    def base_url(self) -> str:
        """What a client takes."""
        return self.url + "/v1"

    async def stop(self) -> None:
        """End what still runs, too."""
        for run in self.runs.values():
            if run.task is not None:
                run.task.cancel()
        await super().stop()

    async def route(self, request: web.BaseRequest) -> web.StreamResponse:
        if self.knobs.api_key and self._key(request) != f"Bearer {self.knobs.api_key}":
            return self._failed(request, self.faults["401"])
        match request.path.strip("/").split("/"), request.method:
            case ["v1", "account"], "GET":
                return web.json_response({"type": "organization", "username": "acme"})
            case ["v1", "predictions"], "POST":
                body = json.loads(await request.read())
                return await self._created(request, body, None, body["version"])
            case ["v1", "models", owner, name, "predictions"], "POST":
                body = json.loads(await request.read())
                return await self._created(request, body, f"{owner}/{name}", None)
            case ["v1", "predictions", id_], "GET":
                return self._looked_at(request, id_)
            case ["v1", "predictions", id_, "cancel"], "POST":
                return self._cancelled(request, id_)
            case ["v1", "models", owner, name], "GET":
                return self._described(request, f"{owner}/{name}", whole=True)
            case ["v1", "models", owner, name, "versions", _], "GET":
                return self._described(request, f"{owner}/{name}", whole=False)
        return self._failed(request, self.faults["404"])

    def _key(self, request: web.BaseRequest) -> str | None:
        return request.headers.get("Authorization")

    # -- predictions

    async def _created(
        self, request: web.BaseRequest, body: dict[str, Any], model: str | None, version: str | None
    ) -> web.StreamResponse:
        prompt = self._prompt(model or version or "", body)
        self.record.arrived(prompt, self.knobs.keep_texts)
        self.last_body, self.last_headers = body, dict(request.headers)
        refusal = self.refused(prompt, request)
        if refusal is not None:
            self.record.outcomes[str(refusal.status)] += 1
            return self._failed(request, refusal)
        name, fault = self._next_fault()
        if fault and (not fault.late or fault.status >= 300):
            self.record.outcomes[name] += 1
            return self._failed(request, fault)
        run = Run(f"p{next(self._numbers)}", prompt, model, version)
        self.runs[run.id] = run
        run.task = asyncio.create_task(self._run(run, name, fault))
        await asyncio.wait({run.task}, timeout=_wait_s(request) if self.knobs.holds else 0)
        return self._shown(request, run, name)

    async def _run(self, run: Run, name: str, fault: Fault | None) -> None:
        record = self.record
        record.in_flight += 1
        record.max_in_flight = max(record.max_in_flight, record.in_flight)
        try:
            await self._work(run, name, fault)
        except asyncio.CancelledError:
            record.cancelled += 1
            run.status, run.prompt.outcome = "canceled", "cancelled"
        finally:
            record.in_flight -= 1
            record.outcomes[run.prompt.outcome] += 1

    async def _work(self, run: Run, name: str, fault: Fault | None) -> None:
        run.prompt.outcome = name
        await asyncio.sleep(self.knobs.cold_start)
        async with self._slot():
            failed = fault.body if fault is not None and fault.body else None
            if failed is None or (fault and fault.billed):
                run.status, run.started_at = "processing", "2026-11-28T10:00:00.000Z"
            await asyncio.sleep(self._random.uniform(*self.knobs.latency))
            if name == "timeout":
                await asyncio.Event().wait()
            text, tokens, _ = self._text(run.prompt)
            if failed is None:
                self._bill(run.prompt, tokens)
                self.record.answered += name == "ok"
                run.end = {"output": self._output(text)}
            run.end |= failed or {"status": "succeeded"}
            run.end["metrics"] = self._metrics(run, tokens)
            run.status = run.end["status"]

    def _output(self, text: str) -> Any:
        match self.knobs.output:
            case "string":
                return text
            case "object":
                return json.loads(text)
        return [text[at : at + 5] for at in range(0, len(text), 5)]

    def _metrics(self, run: Run, tokens: int) -> dict[str, Any]:
        stated: dict[str, Any] = {}
        if run.started_at and self.knobs.predict_time >= 0:
            stated["predict_time"] = self.knobs.predict_time
        if self.knobs.usage and "output" in run.end:
            read = run.prompt.input_tokens
            stated |= {"input_token_count": read, "output_token_count": tokens}
        return stated

    def _shown(self, request: web.BaseRequest, run: Run, name: str) -> web.StreamResponse:
        """The reply to who made it."""
        body = orjson.dumps(self._stated(run))
        match name:
            case "cut":
                return cut_off(request)
            case "cut_body":
                return Broken(body[: len(body) // 2], len(body))
            case "drip":
                return Dripping()
            case "bad_json":
                body = body[: len(body) // 2]
        return web.Response(body=body, status=201, content_type="application/json")

    def _stated(self, run: Run) -> dict[str, Any]:
        # Where else the key is not to go: addresses in a reply are not followed.
        elsewhere = f"http://127.0.0.1:9/v1/predictions/{run.id}"
        body = {
            "id": run.id,
            "version": run.version or "hidden",
            "input": run.prompt.body["input"],
            "logs": "",
            "output": None,
            "error": None,
            "status": run.status,
            "data_removed": False,
            "started_at": run.started_at,
            "urls": {"get": elsewhere, "cancel": f"{elsewhere}/cancel"},
        }
        return {**body, **({"model": run.model} if run.model else {}), **run.end}

    def _looked_at(self, request: web.BaseRequest, id_: str) -> web.StreamResponse:
        self.looks += 1
        if self.bad_looks:
            self.bad_looks -= 1
            return web.json_response({"detail": "Bad gateway"}, status=502)
        run = self.runs.get(id_)
        if run is None:
            return self._failed(request, self.faults["404"])
        return web.json_response(self._stated(run))

    def _cancelled(self, request: web.BaseRequest, id_: str) -> web.StreamResponse:
        self.cancels.append(id_)
        run = self.runs[id_]
        if run.task is not None:
            run.task.cancel()
        return web.json_response({**self._stated(run), "status": "canceled"})

    # -- what a model makes of its input

    def _prompt(self, model: str, body: dict[str, Any]) -> Prompt:
        given = {key: value for key, value in body["input"].items() if key in self.knobs.takes}
        turns = [turn["content"] for turn in given.get("messages", ())]
        texts = [given[key] for key in ("system_prompt", "prompt") if key in given] + turns
        limit = next((value for key, value in given.items() if key.startswith("max_")), 512)
        read = sum(map(self.tokens, texts))
        return Prompt(model, texts, None, limit, _schema_in(texts), read, body)

    def refused(self, prompt: Prompt, request: web.BaseRequest) -> Fault | None:
        knobs, given = self.knobs, prompt.body["input"]
        if knobs.models and prompt.model not in knobs.models:
            return self.faults["404" if "/" in prompt.model else "version"]
        problems = [
            f"- input: Additional property {name} is not allowed"
            for name in given
            if knobs.strict and name not in knobs.takes
        ]
        if not {"prompt", "messages"} & given.keys() & set(knobs.takes):
            wanted = "messages" if "messages" in knobs.takes else "prompt"
            problems.append(f"- input: {wanted} is required")
        if given.get("temperature", 1) < knobs.least_temperature and "temperature" in knobs.takes:
            least = knobs.least_temperature
            problems.append(f"- input.temperature: Must be greater than or equal to {least}")
        if problems:
            return _error(422, "Input validation failed", "\n".join(problems) + "\n")
        return None

    def _described(self, request: web.BaseRequest, model: str, *, whole: bool) -> web.Response:
        self.read += 1
        if self.knobs.models and model not in self.knobs.models:
            return web.json_response(self.faults["404"].body, status=404)
        fields: dict[str, Any] = {name: {"type": "string"} for name in self.knobs.takes}
        if "messages" in fields:
            fields["messages"] = {"type": "array", "items": {"type": "object"}}
        if "temperature" in fields:
            fields["temperature"] = {"type": "number", "minimum": self.knobs.least_temperature}
        schema = {"components": {"schemas": {"Input": {"type": "object", "properties": fields}}}}
        version = {"id": "5c" * 32, "openapi_schema": schema}
        return web.json_response({"name": model, "latest_version": version} if whole else version)


def _wait_s(request: web.BaseRequest) -> float:
    name, _, value = request.headers.get("Prefer", "").partition("=")
    return float(value or 60) if name == "wait" else 0.0


def _schema_in(texts: list[str]) -> dict[str, Any] | None:
    """The schema that stands in a prompt."""
    _, found, form = "\n".join(texts).partition(FORM)
    schema: dict[str, Any] | None = json.JSONDecoder().raw_decode(form)[0] if found else None
    return schema


if __name__ == "__main__":
    main(ReplicateStub())
