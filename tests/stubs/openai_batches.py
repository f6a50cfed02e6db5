"""The batch APIs that speak of chat completions: OpenAI's with its files, and OpenRouter's.

OpenAI: https://platform.openai.com/docs/api-reference/batch. OpenRouter:
https://openrouter.ai/docs/batch-quickstart. Each refuses what the real one refuses.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from aiohttp import web

from tests.stubs.batches import Asked, Batch, Batches, Told, Worked, duplicates, models_of, whole
from tests.stubs.knobs import OpenAIKnobs

CHAT = "/v1/chat/completions"
LONGEST_PAGE = 100
MOST_PAIRS, LONGEST_KEY, LONGEST_VALUE = 16, 64, 512

Answer = Callable[[web.BaseRequest, Asked, str], Worked]
"""What a request of a batch is answered, which came with this request on the wire."""


class FileBatches:
    """OpenAI's: requests and results are files."""

    def __init__(self, batches: Batches, knobs: OpenAIKnobs, answer: Answer) -> None:
        self._batches = batches
        self._knobs = knobs
        self._answer = answer

    async def route(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request below /v1/files or /v1/batches."""
        if (refusal := _no_key(request, self._knobs)) is not None:
            return refusal
        kind, name, action = _path(request)
        carry_out = self._batches.at
        match request.method, kind, name, action:
            case "POST", "files", "", "":
                form = await _form(request)
                return await carry_out("upload", request, lambda: self._upload(form))
            case "POST", "batches", "", "":
                body = await whole(request)
                return await carry_out("create", request, lambda: self._create(request, body))
            case "GET", "batches", "", "":
                return await carry_out("list", request, lambda: self._list(request))
            case "GET", "batches", _, "":
                return await carry_out("poll", request, lambda: self._poll(name))
            case "POST", "batches", _, "cancel":
                return await carry_out("cancel", request, lambda: self._cancel(name))
            case "GET", "files", _, "content":
                return await carry_out("fetch", request, lambda: self._content(name))
            case "DELETE", "files", _, "":
                return await carry_out("delete", request, lambda: self._delete(name))
        return _error(404, f"Invalid URL ({request.method} {request.path})")

    def _upload(self, form: dict[str, Any]) -> web.StreamResponse:
        if form.get("purpose") not in ("batch", "assistants", "fine-tune", "user_data"):
            return _error(400, f"'{form.get('purpose')}' is not one of ['batch', ...] - 'purpose'")
        if "file" not in form:
            return _error(400, "'file' is a required property")
        if len(form["file"]) > self._knobs.batch_bytes and form["purpose"] == "batch":
            return _error(413, "The file is larger than 200 MB", "request_too_large")
        name = self._keep(form["file"], form["purpose"])
        return web.json_response({**self._file(name), "object": "file", "status": "processed"})

    def _keep(self, content: bytes, purpose: str) -> str:
        name = self._batches.name("file-")
        self._batches.files[name] = {"content": content, "purpose": purpose}
        return name

    def _file(self, name: str) -> dict[str, Any]:
        kept = self._batches.files[name]
        return {"id": name, "bytes": len(kept["content"]), "purpose": kept["purpose"]}

    def _create(self, request: web.BaseRequest, content: bytes) -> web.StreamResponse:
        body = _object(content)
        said = _wrong_order(body, {"input_file_id", "endpoint", "completion_window", "metadata"})
        file = self._batches.files.get(str(body.get("input_file_id")))
        if said is None and file is None:
            said = f"Cannot find file {body.get('input_file_id')}, or it is not yours."
        if said is None and file is not None and file["purpose"] != "batch":
            said = f"File {body['input_file_id']} has purpose '{file['purpose']}', not 'batch'"
        if said is not None:
            return _error(400, said)
        asked, wrong = _lines(file["content"], body["endpoint"])
        wrong += _wrong_with(asked, self._knobs.batch_requests)
        batch = self._batches.begin(
            "batch_",
            asked,
            lambda one, fault: self._answer(request, one, fault),
            wrong=wrong,
            input_file_id=body["input_file_id"],
            endpoint=body["endpoint"],
            metadata=body.get("metadata"),
        )
        return web.json_response(self._shown(batch))

    def _shown(self, batch: Batch) -> dict[str, Any]:
        about = batch.about
        if batch.ended and batch.told and "output_file_id" not in about:
            self._write_results(batch)
        failed = batch.status == "failed"
        return {
            "id": batch.id,
            "object": "batch",
            "endpoint": about["endpoint"],
            "errors": {"object": "list", "data": list(batch.wrong)} if failed else None,
            "input_file_id": about["input_file_id"],
            "completion_window": "24h",
            "status": batch.status,
            "output_file_id": about.get("output_file_id"),
            "error_file_id": about.get("error_file_id"),
            "created_at": batch.created_at,
            "request_counts": batch.counts(),
            "metadata": about["metadata"] if self._knobs.keeps_metadata else None,
        }

    def _write_results(self, batch: Batch) -> None:
        """Answers go into one file, all else into the other; neither is there empty."""
        good = [_line(told) for told in batch.told if told.good]
        bad = [_line(told) for told in batch.told if not told.good]
        for key, lines in (("output_file_id", good), ("error_file_id", bad)):
            batch.about[key] = self._keep(b"".join(lines), "batch_output") if lines else None

    def _poll(self, name: str) -> web.StreamResponse:
        batch = self._batches.look(name)
        return web.json_response(self._shown(batch)) if batch else _no_batch(name)

    def _list(self, request: web.BaseRequest) -> web.StreamResponse:
        return _page(request, self._batches.newest(), self._shown)

    def _cancel(self, name: str) -> web.StreamResponse:
        batch = self._batches.all.get(name)
        if batch is None:
            return _no_batch(name)
        if not self._batches.cancel(batch) and batch.ended:
            return _error(409, f"Cannot cancel a batch with status '{batch.status}'.")
        return web.json_response(self._shown(batch))

    def _content(self, name: str) -> web.StreamResponse:
        if name not in self._batches.files:
            return _error(404, f"No such File object: {name}")
        return web.Response(body=self._batches.files[name]["content"])

    def _delete(self, name: str) -> web.StreamResponse:
        if self._batches.files.pop(name, None) is None:
            return _error(404, f"No such File object: {name}")
        return web.json_response({"id": name, "object": "file", "deleted": True})


class InlineBatches:
    """OpenRouter's: requests come with the batch, results with its state. It stops none, and keeps
    no word with one."""

    def __init__(self, batches: Batches, knobs: OpenAIKnobs, answer: Answer) -> None:
        self._batches = batches
        self._knobs = knobs
        self._answer = answer

    async def route(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request below /v1/batches."""
        if (refusal := _no_key(request, self._knobs)) is not None:
            return refusal
        kind, name, action = _path(request)
        carry_out = self._batches.at
        match request.method, kind, name, action:
            case "POST", "batches", "", "":
                body = await whole(request)
                return await carry_out("create", request, lambda: self._create(request, body))
            case "GET", "batches", "", "":
                return await carry_out("list", request, lambda: self._list(request))
            case "GET", "batches", _, "":
                # One address for both: who comes again for what has ended comes for the results.
                batch = self._batches.all.get(name)
                operation = "fetch" if batch and batch.ended else "poll"
                return await carry_out(operation, request, lambda: self._get(name))
            case "DELETE", "batches", _, "":
                return await carry_out("delete", request, lambda: self._delete(name))
        return _error(404, "Not Found")

    def _create(self, request: web.BaseRequest, content: bytes) -> web.StreamResponse:
        if len(content) > self._knobs.batch_bytes:
            return _error(413, "Batch payload exceeds 200 MB", 413)
        body = _object(content)
        said = _wrong_order(body, {"endpoint", "model", "completion_window", "requests"})
        if said is None and list(body)[-1] != "requests":
            said = "`endpoint` and `model` must appear before `requests`"
        rows = body.get("requests")
        if said is None and not (rows and all(isinstance(row, dict) for row in rows)):
            said = "`requests` must be an array of objects, and not empty"
        if said is not None:
            return _error(400, said, 400)
        asked = [Asked(str(row.get("custom_id") or ""), row.get("body") or {}) for row in rows]
        if self._knobs.models and body["model"] not in self._knobs.models:
            return _error(404, f"No endpoints found for {body['model']}", 404)
        wrong = _wrong_with(asked, self._knobs.batch_requests)
        if models_of(asked) - {body["model"], None}:
            wrong.append(_found("mismatched_model", "a body names another model than the batch"))
        batch = self._batches.begin(
            "batch-",
            asked,
            lambda one, fault: self._answer(request, one, fault),
            wrong=wrong,
            endpoint=body["endpoint"],
            model=body["model"],
        )
        return web.json_response(self._shown(batch), status=202)

    def _shown(self, batch: Batch, *, listed: bool = True) -> dict[str, Any]:
        failed = batch.status == "failed"
        whole = batch.ended and not failed and not listed
        return {
            "id": batch.id,
            "object": "batch",
            "endpoint": batch.about["endpoint"],
            "model": batch.about["model"],
            "completion_window": "24h",
            "created_at": batch.created_at,
            "request_counts": batch.counts(),
            "results": [_result(told) for told in batch.told] if whole else None,
            "status": batch.status,
            "error": {"message": batch.wrong[0]["message"]} if failed else None,
        }

    def _get(self, name: str) -> web.StreamResponse:
        batch = self._batches.look(name)
        return web.json_response(self._shown(batch, listed=False)) if batch else _no_batch(name)

    def _list(self, request: web.BaseRequest) -> web.StreamResponse:
        return _page(request, self._batches.newest(), self._shown)

    def _delete(self, name: str) -> web.StreamResponse:
        batch = self._batches.all.get(name)
        if batch is None:
            return _no_batch(name)
        if not batch.ended:
            return _error(409, "Only batches in a terminal status can be deleted", 409)
        del self._batches.all[name]
        return web.json_response({"id": name, "object": "batch", "deletion": {}})


# -- what comes


def _path(request: web.BaseRequest) -> tuple[str, str, str]:
    """What it is about, its name, and what is to be done with it, of /v1/KIND/NAME/ACTION."""
    parts = [*request.path.removeprefix("/v1/").split("/"), "", ""]
    return parts[0], parts[1], parts[2]


def _no_key(request: web.BaseRequest, knobs: OpenAIKnobs) -> web.StreamResponse | None:
    said = request.headers.get("Authorization", "")
    wanted = f"Bearer {knobs.api_key}"
    known = said == wanted if knobs.api_key else said.startswith(("Bearer ", "Basic "))
    return None if known else _error(401, "Incorrect API key provided", "invalid_api_key")


async def _form(request: web.BaseRequest) -> dict[str, Any]:
    reader = await request.multipart()
    form: dict[str, Any] = {}
    while (part := await reader.next()) is not None:
        content = await part.read()
        form[part.name] = bytes(content) if part.name == "file" else content.decode()
    return form


def _object(content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _wrong_order(body: dict[str, Any], known: set[str]) -> str | None:
    """What is refused at once of the body that begins a batch."""
    if unknown := body.keys() - known:
        return f"Unknown parameter: '{unknown.pop()}'."
    if body.get("endpoint") != CHAT:
        return f"Invalid value: '{body.get('endpoint')}' is no endpoint of batches."
    if body.get("completion_window") != "24h":
        return "Invalid value: 'completion_window' must be '24h'."
    metadata = body.get("metadata") or {}
    fits = all(
        isinstance(value, str) and len(key) <= LONGEST_KEY and len(value) <= LONGEST_VALUE
        for key, value in metadata.items()
    )
    return None if fits and len(metadata) <= MOST_PAIRS else "Invalid 'metadata'."


def _lines(content: bytes, endpoint: str) -> tuple[list[Asked], list[dict[str, Any]]]:
    """The requests of a file, and what is wrong with its lines."""
    asked, wrong = [], []
    for number, line in enumerate(content.splitlines(), 1):
        row = _object(line)
        if not row:
            wrong.append(_found("invalid_json_line", "This line is not a JSON object.", number))
        elif row.get("method") != "POST" or row.get("url") != endpoint:
            said = f"The URL and method of a line must be those of the batch: POST {endpoint}"
            wrong.append(_found("mismatched_endpoint", said, number))
        elif not isinstance(row.get("custom_id"), str) or not isinstance(row.get("body"), dict):
            said = "A line needs 'custom_id' and 'body'."
            wrong.append(_found("missing_required_parameter", said, number))
        else:
            asked.append(Asked(row["custom_id"], row["body"]))
    return asked, wrong


def _wrong_with(asked: Sequence[Asked], most: int) -> list[dict[str, Any]]:
    """What the check of a whole batch finds."""
    return list(_findings(asked, most))


def _findings(asked: Sequence[Asked], most: int) -> Iterator[dict[str, Any]]:
    if not asked:
        yield _found("empty_file", "The batch holds no requests.")
    if len(asked) > most:
        yield _found("too_many_requests", f"The batch holds more than {most} requests.")
    if not all(one.name for one in asked):
        yield _found("missing_required_parameter", "A request has no custom_id.")
    for place, name in duplicates(asked):
        yield _found("duplicate_custom_id", f"The custom_id {name} is there twice.", place + 1)
    if len(models_of(asked)) > 1:
        yield _found("mismatched_model", "All requests of a batch must be for one model.")


def _found(code: str, message: str, line: int | None = None) -> dict[str, Any]:
    return {"code": code, "line": line, "message": message, "param": None}


# -- what is answered

_MISSED = {
    "expired": "This request could not be executed before the completion window expired.",
    "cancelled": "This request was not executed, for its batch was cancelled.",
}


def _line(told: Told) -> bytes:
    return json.dumps(_result(told)).encode() + b"\n"


def _result(told: Told) -> dict[str, Any]:
    found: dict[str, Any] = {"id": f"batch_req_{told.name}", "custom_id": told.name}
    if told.worked is None:
        error = {"code": f"batch_{told.missed}", "message": _MISSED[told.missed]}
        return {**found, "response": None, "error": error}
    reply = {"status_code": told.worked.status, "request_id": "req", "body": told.worked.body}
    return {**found, "response": reply, "error": None}


def _page(
    request: web.BaseRequest, newest: Sequence[Batch], shown: Callable[[Batch], dict[str, Any]]
) -> web.StreamResponse:
    names = [batch.id for batch in newest]
    after, limit = request.query.get("after"), int(request.query.get("limit", "20"))
    if not 1 <= limit <= LONGEST_PAGE:
        return _error(400, "'limit' must be from 1 to 100")
    if after is not None and after not in names:
        return _error(400, f"There is no batch {after} to list after")
    first = 0 if after is None else names.index(after) + 1
    data = [shown(batch) for batch in newest[first : first + limit]]
    ends = {"first_id": data[0]["id"], "last_id": data[-1]["id"]} if data else {}
    more = first + limit < len(newest)
    return web.json_response({"object": "list", "data": data, "has_more": more, **ends})


def _no_batch(name: str) -> web.StreamResponse:
    return _error(404, f"No batch found with id '{name}'.")


def _error(status: int, message: str, code: str | int | None = None) -> web.StreamResponse:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return web.json_response({"error": error}, status=status)
