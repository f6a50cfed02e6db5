"""Bedrock's batch inference on a stub, with as much of S3 as it takes; each refuses what the real
one refuses.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_CreateModelInvocationJob.html and
https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
"""

import hashlib
import html
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from tests.stubs.batches import Asked, Batch, Batches, Told, Worked, duplicates, whole
from tests.stubs.knobs import BedrockKnobs

S3 = "/s3/"
ARN = "arn:aws:bedrock:eu-west-1:111122223333:model-invocation-job/"
KNOWN = {
    "jobName",
    "roleArn",
    "clientRequestToken",
    "modelId",
    "modelInvocationType",
    "inputDataConfig",
    "outputDataConfig",
    "timeoutDurationInHours",
}
PATTERNS = {
    "jobName": r"[a-zA-Z0-9]{1,63}(-*[a-zA-Z0-9\+\-\.]){0,63}",
    "clientRequestToken": r"[a-zA-Z0-9]{1,256}(-*[a-zA-Z0-9]){0,256}",
    "roleArn": r"arn:aws(-[^:]+)?:iam::([0-9]{12})?:role/.+",
}
LONGEST_NAME = 63
URI = re.compile(r"s3://([a-z0-9][-.a-z0-9]{1,61}[a-z0-9])/((?:[-!_*'().a-z0-9A-Z]+/?)+)")
CONVERSE = {"messages", "system", "inferenceConfig", "outputConfig"}
STATES = {
    "validating": "Validating",
    "in_progress": "InProgress",
    "finalizing": "InProgress",
    "cancelling": "Stopping",
    "cancelled": "Stopped",
    "completed": "Completed",
    "failed": "Failed",
}

Answer = Callable[[web.BaseRequest, str, Asked, str], Worked]
"""What a model answers to a request of a batch, which came with this request on the wire."""


class InvocationJobs:
    """Requests and replies are objects of S3."""

    def __init__(self, batches: Batches, knobs: BedrockKnobs, answer: Answer) -> None:
        self._batches = batches
        self._knobs = knobs
        self._answer = answer
        self._tokens: dict[str, Batch] = {}

    async def route(self, request: web.BaseRequest) -> web.StreamResponse | None:
        """Answer a request of S3's or for a job; None: it is none."""
        if request.path.startswith(S3):
            return await self._storage(request)
        carry_out = self._batches.at
        match request.method, [unquote(part) for part in request.raw_path[1:].split("/")]:
            case "POST", ["model-invocation-job"]:
                body = json.loads(await whole(request))
                return await carry_out("create", request, lambda: self._create(request, body))
            case "GET", ["model-invocation-job", name]:
                return await carry_out("poll", request, lambda: self._poll(name))
            case "POST", ["model-invocation-job", name, "stop"]:
                return await carry_out("cancel", request, lambda: self._stop(name))
            case "GET", [path] if path.partition("?")[0] == "model-invocation-jobs":
                return await carry_out("list", request, lambda: self._list(request))
        return None

    # -- S3

    async def _storage(self, request: web.BaseRequest) -> web.StreamResponse:
        content = await whole(request)
        key = unquote(request.raw_path.removeprefix(S3))
        if refusal := _unsigned(request, content):
            return refusal
        carry_out, files = self._batches.at, self._batches.files
        if request.method == "PUT":
            return await carry_out("upload", request, lambda: self._put(key, content))
        if request.method == "DELETE":
            return await carry_out("delete", request, lambda: _deleted(files.pop(key, None)))
        return await carry_out("fetch", request, lambda: self._get(key))

    def _put(self, key: str, content: bytes) -> web.StreamResponse:
        self._batches.files[key] = {"content": content}
        return web.Response(headers={"ETag": f'"{hashlib.md5(content).hexdigest()}"'})

    def _get(self, key: str) -> web.StreamResponse:
        if key not in self._batches.files:
            return storage_error(404, "NoSuchKey", "The specified key does not exist.")
        return web.Response(body=self._batches.files[key]["content"])

    # -- jobs

    def _create(self, request: web.BaseRequest, body: dict[str, Any]) -> web.StreamResponse:
        if said := _wrong(body):
            return _error(400, "ValidationException", said)
        known = self._tokens.get(body["clientRequestToken"])
        if known is not None:
            return web.json_response({"jobArn": known.id})
        if any(batch.about["jobName"] == body["jobName"] for batch in self._batches.newest()):
            return _error(409, "ConflictException", "The job name is already in use.")
        asked, wrong = self._requests(body)
        model = body["modelId"]
        batch = self._batches.begin(
            ARN,
            asked,
            lambda one, fault: self._answer(request, model, one, fault),
            wrong=[{"message": said} for said in wrong],
            **body,
        )
        self._tokens[body["clientRequestToken"]] = batch
        return web.json_response({"jobArn": batch.id})

    def _requests(self, body: dict[str, Any]) -> tuple[list[Asked], list[str]]:
        """The requests of a job, and what its validation will say of them."""
        file = self._batches.files.get(_key(_source(body)))
        if file is None:
            return [], [f"The S3 object {_source(body)} does not exist or cannot be read."]
        asked, wrong = [], []
        for number, line in enumerate(file["content"].splitlines(), 1):
            try:
                row = json.loads(line)
                asked.append(Asked(row["recordId"], row["modelInput"]))
            except (ValueError, KeyError, TypeError):
                wrong.append(f"Line {number} is not a JSON object in the correct format.")
        knobs, count = self._knobs, len(asked)
        if len(file["content"]) > knobs.batch_bytes:
            wrong.append(f"The file is larger than {knobs.batch_bytes} bytes.")
        if count < knobs.batch_least:
            wrong.append(f"{count} records are less than {knobs.batch_least}.")
        if count > knobs.batch_requests:
            wrong.append(f"{count} records are more than {knobs.batch_requests}.")
        return asked, wrong + [
            f"The record {name} is there twice." for _, name in duplicates(asked)
        ]

    def _poll(self, name: str) -> web.StreamResponse:
        batch = self._batches.look(name)
        if batch is None:
            return _no_job(name)
        self._write(batch)
        return web.json_response(_shown(batch))

    def _list(self, request: web.BaseRequest) -> web.StreamResponse:
        query = request.query
        part = query.get("nameContains", "")
        limit, first = int(query.get("maxResults", "100")), int(query.get("nextToken", "0"))
        after = datetime.fromisoformat(query.get("submitTimeAfter", "1970-01-01T00:00:00Z"))
        found = [
            one
            for one in self._batches.newest()
            if part in one.about["jobName"] and one.created_at > after.timestamp()
        ]
        listed = [_shown(batch) for batch in found[first : first + limit]]
        more = {"nextToken": str(first + limit)} if first + limit < len(found) else {}
        return web.json_response({"invocationJobSummaries": listed, **more})

    def _stop(self, name: str) -> web.StreamResponse:
        batch = self._batches.all.get(name)
        if batch is None:
            return _no_job(name)
        if not self._batches.cancel(batch) and batch.ended:
            said = f"The job is in state {_state(batch)} and cannot be stopped."
            return _error(409, "ConflictException", said)
        return web.json_response({})

    def _write(self, batch: Batch) -> None:
        """Replies are there when a job has ended that came to some of its requests."""
        told = [one for one in batch.told if one.worked is not None]
        if not batch.ended or not told or "written" in batch.about:
            return
        batch.about["written"] = True
        inputs = {asked.name: asked.body for asked in batch.asked}
        lines = b"".join(json.dumps(_line(one, inputs)).encode() + b"\n" for one in told)
        folder = f"{_key(_target(batch.about)).rstrip('/')}/{batch.id.rpartition('/')[2]}"
        name = _source(batch.about).rpartition("/")[2]
        self._batches.files[f"{folder}/{name}.out"] = {"content": lines}
        summary = json.dumps({"totalRecordCount": len(batch.asked)}).encode()
        self._batches.files[f"{folder}/manifest.json.out"] = {"content": summary}


def storage_error(
    status: int, code: str, message: str, headers: Mapping[str, str] | None = None
) -> web.StreamResponse:
    """An error as S3 words it."""
    words = html.escape(message, quote=False)
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{words}'
    return web.Response(
        status=status,
        text=f"{text}</Message></Error>",
        content_type="application/xml",
        headers=headers,
    )


def _unsigned(request: web.BaseRequest, content: bytes) -> web.StreamResponse | None:
    """S3 wants requests that are signed for it, and bodies whose hash is signed, too."""
    said = request.headers.get("Authorization", "")
    if "/s3/aws4_request" not in said or "x-amz-content-sha256" not in said:
        return storage_error(403, "SignatureDoesNotMatch", "The signature does not match.")
    if request.headers["x-amz-content-sha256"] != hashlib.sha256(content).hexdigest():
        return storage_error(400, "XAmzContentSHA256Mismatch", "The body is not what was signed.")
    return None


def _deleted(_: object) -> web.StreamResponse:
    return web.Response(status=204)  # whether it was there or not


def _wrong(body: dict[str, Any]) -> str:
    """What is refused at once of the body that begins a job."""
    if body.keys() ^ KNOWN:
        return f"1 validation error detected: {(body.keys() ^ KNOWN).pop()}"
    for name, pattern in PATTERNS.items():
        if not re.fullmatch(pattern, body[name]):
            return f"Value '{body[name]}' at '{name}' failed to satisfy constraint: {pattern}"
    if len(body["jobName"]) > LONGEST_NAME:
        return "Value at 'jobName' failed to satisfy constraint: length at most 63"
    if body["modelInvocationType"] not in ("InvokeModel", "Converse"):
        return "Value at 'modelInvocationType' failed to satisfy constraint"
    if not 24 <= body["timeoutDurationInHours"] <= 168:
        return "Value at 'timeoutDurationInHours' failed to satisfy constraint"
    wrong = [uri for uri in (_source(body), _target(body)) if not URI.fullmatch(uri)]
    return f"Value '{wrong[0]}' at 's3Uri' failed to satisfy constraint" if wrong else ""


def _source(body: dict[str, Any]) -> str:
    return str(body["inputDataConfig"]["s3InputDataConfig"]["s3Uri"])


def _target(body: dict[str, Any]) -> str:
    return str(body["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"])


def _key(uri: str) -> str:
    """As objects are kept: behind their bucket."""
    return uri.removeprefix("s3://")


def _state(batch: Batch) -> str:
    """A batch that ran out of time before it came to any request has never begun."""
    if batch.status == "expired":
        return "PartiallyCompleted" if any(one.worked for one in batch.told) else "Expired"
    return STATES[batch.status]


def _shown(batch: Batch) -> dict[str, Any]:
    counts, about = batch.counts(), batch.about
    shown = {name: about[name] for name in KNOWN}
    moment = datetime.fromtimestamp(batch.created_at, UTC).isoformat().replace("+00:00", "Z")
    failed = {"message": batch.wrong[0]["message"]} if batch.status == "failed" else {}
    return {
        **shown,
        **failed,
        "jobArn": batch.id,
        "status": _state(batch),
        "submitTime": moment,
        "totalRecordCount": counts["total"],
        "processedRecordCount": counts["completed"] + counts["failed"],
        "successRecordCount": counts["completed"],
        "errorRecordCount": counts["failed"],
    }


def _line(told: Told, inputs: dict[str, Any]) -> dict[str, Any]:
    worked = told.worked
    assert worked is not None
    found = {"modelInput": inputs[told.name], "recordId": told.name}
    if told.good:
        return {**found, "modelOutput": worked.body}
    error = {"errorCode": worked.status, "errorMessage": worked.body["message"]}
    return {**found, "error": {**error, "expired": False, "retryable": worked.status >= 429}}


def _no_job(name: str) -> web.StreamResponse:
    return _error(404, "ResourceNotFoundException", f"Could not find job {name}")


def _error(status: int, code: str, message: str) -> web.StreamResponse:
    headers = {"x-amzn-errortype": f"{code}:http://internal.amazon.com/coral/"}
    return web.json_response({"message": message}, status=status, headers=headers)
