"""Anthropic's Message Batches on a stub, which refuse what the real ones refuse.

https://platform.claude.com/docs/en/api/creating-message-batches
"""

import json
import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from tests.stubs.batches import Asked, Batch, Batches, Told, Worked, duplicates, whole
from tests.stubs.knobs import AnthropicKnobs

ROOT = "/v1/messages/batches"
LONGEST_PAGE = 1000
NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
ENDS = {"expired": "expired", "cancelled": "canceled"}

Answer = Callable[[web.BaseRequest, Asked, str], Worked]
"""What a request of a batch is answered, which came with this request on the wire."""


class MessageBatches:
    """Requests come with the batch, results are a file of lines."""

    def __init__(self, batches: Batches, knobs: AnthropicKnobs, answer: Answer) -> None:
        self._batches = batches
        self._knobs = knobs
        self._answer = answer

    async def route(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request at ROOT or below."""
        name, _, action = request.path.removeprefix(ROOT).strip("/").partition("/")
        carry_out = self._batches.at
        match request.method, name, action:
            case "POST", "", "":
                body = await whole(request)
                return await carry_out("create", request, lambda: self._create(request, body))
            case "GET", "", "":
                return await carry_out("list", request, lambda: self._list(request))
            case "GET", _, "":
                return await carry_out("poll", request, lambda: self._poll(name))
            case "GET", _, "results":
                return await carry_out("fetch", request, lambda: self._results(name))
            case "POST", _, "cancel":
                return await carry_out("cancel", request, lambda: self._cancel(name))
            case "DELETE", _, "":
                return await carry_out("delete", request, lambda: self._delete(name))
        return _error(404, "not_found_error", "Not Found")

    def _create(self, request: web.BaseRequest, content: bytes) -> web.StreamResponse:
        if len(content) > self._knobs.batch_bytes:
            return _error(413, "request_too_large", "Request exceeds the maximum size")
        rows = json.loads(content).get("requests")
        if said := _wrong(rows, self._knobs.batch_requests):
            return _error(400, "invalid_request_error", said)
        asked = [Asked(row["custom_id"], row["params"]) for row in rows]
        batch = self._batches.begin(
            "msgbatch_", asked, lambda one, fault: self._answer(request, one, fault)
        )
        return web.json_response(_shown(batch))

    def _poll(self, name: str) -> web.StreamResponse:
        batch = self._batches.look(name)
        return web.json_response(_shown(batch)) if batch else _no_batch(name)

    def _list(self, request: web.BaseRequest) -> web.StreamResponse:
        newest = self._batches.newest()
        names = [batch.id for batch in newest]
        after, limit = request.query.get("after_id"), int(request.query.get("limit", "20"))
        if not 1 <= limit <= LONGEST_PAGE:
            return _error(400, "invalid_request_error", "limit: must be from 1 to 1000")
        if after is not None and after not in names:
            return _error(400, "invalid_request_error", f"after_id: no batch {after}")
        first = 0 if after is None else names.index(after) + 1
        data = [_shown(batch) for batch in newest[first : first + limit]]
        ends = {"first_id": data[0]["id"], "last_id": data[-1]["id"]} if data else {}
        return web.json_response({"data": data, "has_more": first + limit < len(newest), **ends})

    def _results(self, name: str) -> web.StreamResponse:
        batch = self._batches.all.get(name)
        if batch is None or not batch.ended:
            return _no_batch(name) if batch is None else _error(
                404, "not_found_error", f"Batch {name} has no results yet"
            )  # fmt: skip
        lines = b"".join(json.dumps(_line(told)).encode() + b"\n" for told in batch.told)
        return web.Response(body=lines, content_type="application/binary")

    def _cancel(self, name: str) -> web.StreamResponse:
        batch = self._batches.all.get(name)
        if batch is None:
            return _no_batch(name)
        if not self._batches.cancel(batch) and batch.ended:
            said = f"Batch {name} cannot be canceled because it has already ended"
            return _error(400, "invalid_request_error", said)
        return web.json_response(_shown(batch))

    def _delete(self, name: str) -> web.StreamResponse:
        batch = self._batches.all.get(name)
        if batch is None:
            return _no_batch(name)
        if not batch.ended:
            said = f"Batch {name} cannot be deleted while it is in progress; cancel it first"
            return _error(400, "invalid_request_error", said)
        del self._batches.all[name]
        return web.json_response({"id": name, "type": "message_batch_deleted"})


def _wrong(rows: Any, most: int) -> str:
    """What is refused at once. What stands in `params` is looked at when its turn comes."""
    if not isinstance(rows, list) or not rows:
        return "requests: List should have at least 1 item"
    if len(rows) > most:
        return f"requests: List should have at most {most} items"
    for place, row in enumerate(rows):
        if row.keys() != {"custom_id", "params"} or not isinstance(row["params"], dict):
            return f"requests.{place}: custom_id and params are required, and nothing else"
        if not NAME.fullmatch(str(row["custom_id"])):
            return f"requests.{place}.custom_id: String should match pattern '{NAME.pattern}'"
        if {"stream"} & row["params"].keys():
            return f"requests.{place}.params.stream: not supported in a batch"
    twice = [name for _, name in duplicates([Asked(row["custom_id"], {}) for row in rows])]
    return f"requests: custom_id {twice[0]} is not unique" if twice else ""


def _shown(batch: Batch) -> dict[str, Any]:
    created = datetime.fromtimestamp(batch.created_at, UTC)
    status = "canceling" if batch.status == "cancelling" else "in_progress"
    return {
        "id": batch.id,
        "type": "message_batch",
        "processing_status": "ended" if batch.ended else status,
        "request_counts": _counts(batch),
        "created_at": created.isoformat(),
        "expires_at": (created + timedelta(hours=24)).isoformat(),
        "ended_at": datetime.now(UTC).isoformat() if batch.ended else None,
        "cancel_initiated_at": created.isoformat() if "cancel" in batch.status else None,
        "archived_at": None,
        # As the real one has it, whatever address was asked.
        "results_url": f"https://api.anthropic.com{ROOT}/{batch.id}/results"
        if batch.ended
        else None,
    }


def _counts(batch: Batch) -> dict[str, int]:
    """All are `processing` until the whole batch has ended."""
    kinds = Counter(_kind(told) for told in batch.told) if batch.ended else Counter[str]()
    counts = {kind: kinds[kind] for kind in ("succeeded", "errored", "canceled", "expired")}
    return {"processing": len(batch.asked) - sum(counts.values()), **counts}


def _kind(told: Told) -> str:
    if told.worked is None:
        return ENDS[told.missed]
    return "succeeded" if told.good else "errored"


def _line(told: Told) -> dict[str, Any]:
    result: dict[str, Any] = {"type": _kind(told)}
    if told.worked is not None:
        result["message" if told.good else "error"] = told.worked.body
    return {"custom_id": told.name, "result": result}


def _no_batch(name: str) -> web.StreamResponse:
    return _error(404, "not_found_error", f"Batch {name} not found")


def _error(status: int, kind: str, message: str) -> web.StreamResponse:
    error = {"type": kind, "message": message, "details": None}
    body = {"type": "error", "error": error, "request_id": "req_1"}
    return web.json_response(body, status=status)
