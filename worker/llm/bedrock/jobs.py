"""What a job of batch inference is told and what it says. Pure.

https://docs.aws.amazon.com/bedrock/latest/userguide/batch-inference-data.html and
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_GetModelInvocationJob.html
"""

import hashlib
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from worker.llm.batches import Order, Progress
from worker.llm.bedrock.dialect import Dialect
from worker.llm.bedrock.errors import refusal, said_of_record
from worker.llm.bedrock.replies import completion_in
from worker.llm.bodies import broken, encoded, object_in
from worker.llm.counts import count
from worker.llm.engine import Completion
from worker.llm.faults import brief

CHECK = "that is not where Bedrock's jobs are, check region, or AWS_ENDPOINT_URL_BEDROCK"
"""What to do where it is something else that answered."""

_REQUESTS = "requests.jsonl"
_SUMMARY = "manifest.json.out"
_STATUSES = frozenset(map(str, range(400, 600)))
"""The codes of records that are statuses."""

_ENDED = frozenset({"Completed", "PartiallyCompleted", "Failed", "Stopped", "Expired"})


@dataclass(frozen=True, slots=True)
class Place:
    """An object of S3, or all that begin like it."""

    bucket: str
    key: str

    @property
    def uri(self) -> str:
        """As jobs name it."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def path(self) -> str:
        """As requests name it, behind the address of S3."""
        return f"{self.bucket}/{quote(self.key, safe='/~')}"

    @property
    def folder(self) -> "Place":
        """Where it lies."""
        return Place(self.bucket, posixpath.dirname(self.key))

    def __truediv__(self, name: str) -> "Place":
        return Place(self.bucket, f"{self.key.rstrip('/')}/{name}")


def place_of(uri: str) -> Place:
    """The place that a URI names."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return Place(bucket, key)


@dataclass(frozen=True, slots=True)
class Job:
    """A job, as the API describes it."""

    arn: str
    model: str
    status: str
    message: str
    done: int
    requests: Place
    output: Place

    @property
    def has_replies(self) -> bool:
        """Whether it surely came to some of its requests."""
        return self.status in ("Completed", "PartiallyCompleted")

    @property
    def progress(self) -> Progress:
        """How far it has come."""
        return Progress(self.status in _ENDED, self.done, self._refused())

    @property
    def replies(self) -> Place:
        """Where its replies are."""
        return replies_of(self.arn, self.requests, self.output)

    def _refused(self) -> str | None:
        if self.status == "Expired":
            return "Bedrock did not begin with the batch in time"
        if self.status == "Failed" and not self.done:
            return f"Bedrock refused the batch: {brief(self.message) or 'it does not say why'}"
        return None


def job_name(order: Order) -> str:
    """What a job is called, which is an order's alone: AWS takes 63 letters, digits and dashes."""
    return f"docmill-{_digest(order)[:32]}"


def requests_in(order: Order, base: Place) -> Place:
    """Where an order's requests lie."""
    return base / job_name(order) / _REQUESTS


def replies_of(arn: str, requests: Place, output: Place) -> Place:
    """Where the replies of a job come to lie."""
    return output / posixpath.basename(arn) / f"{posixpath.basename(requests.key)}.out"


def kept_of(arn: str, upload: str) -> tuple[Place, ...]:
    """All that lies in S3 of an order, of which there may be no requests, and no job either."""
    if not upload:
        return ()
    requests = place_of(upload)
    if not arn:
        return (requests,)
    replies = replies_of(arn, requests, requests.folder)
    return requests, replies, replies.folder / _SUMMARY


def records_of(order: Order, dialect: Dialect, where: str) -> bytes:
    """The requests as a file, each as it would be sent at once. Raises EngineError where a text
    cannot be encoded."""
    records = (
        {"recordId": item.name, "modelInput": dialect.body(item.request)} for item in order.items
    )
    return b"".join(encoded(record, where) + b"\n" for record in records)


def beginning(order: Order, requests: Place, role: str) -> dict[str, Any]:
    """The body that begins a job. AWS begins one for each token, however often it is asked
    (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_CreateModelInvocationJob.html)."""
    return {
        "jobName": job_name(order),
        "clientRequestToken": _digest(order),
        "roleArn": role,
        "modelId": order.items[0].request.model_name,
        "modelInvocationType": "Converse",
        "inputDataConfig": {"s3InputDataConfig": {"s3InputFormat": "JSONL", "s3Uri": requests.uri}},
        "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": f"{requests.folder.uri}/"}},
        "timeoutDurationInHours": 24,
    }


def arn_in(content: bytes, where: str) -> str:
    """The job that an answer says has begun. Raises EngineError where it says of none."""
    return _arn(object_in(content, where, check=CHECK), where)


def job_in(content: bytes, where: str) -> Job:
    """The job that an answer describes. Raises EngineError where it describes none."""
    found = object_in(content, where, check=CHECK)
    taken = _object(_object(found.get("inputDataConfig")).get("s3InputDataConfig"))
    given = _object(_object(found.get("outputDataConfig")).get("s3OutputDataConfig"))
    return Job(
        arn=_arn(found, where),
        model=str(found.get("modelId") or ""),
        status=str(found.get("status") or ""),
        message=str(found.get("message") or ""),
        done=count(found.get("processedRecordCount")) or 0,
        requests=place_of(str(taken.get("s3Uri") or "")),
        output=place_of(str(given.get("s3Uri") or "")),
    )


@dataclass(frozen=True, slots=True)
class Page:
    """A part of the list of jobs: the ARN and the name of each."""

    jobs: tuple[tuple[str, str], ...]
    next: str
    """The token of the next part; empty: there is no more."""


def page_in(content: bytes, where: str) -> Page:
    """A part of the list. Raises EngineError where it is none."""
    page = object_in(content, where, check=CHECK)
    listed = page.get("invocationJobSummaries")
    if not isinstance(listed, list):
        raise broken("the answer lists no jobs", where)
    jobs = tuple((_arn(_object(each), where), str(_object(each).get("jobName"))) for each in listed)
    return Page(jobs, str(page.get("nextToken") or ""))


def answer_in(line: Mapping[str, Any], model: str, where: str) -> Completion:
    """The Completion of `model` that a line of the replies holds. Raises EngineError where it holds
    none."""
    if "error" in line:
        error = said_of_record(line["error"])
        status = int(error.code) if error.code in _STATUSES else 500
        raise refusal(status, error, {}, where)
    return completion_in(_object(line.get("modelOutput")), model, 0, where)


def _arn(found: dict[str, Any], where: str) -> str:
    arn = found.get("jobArn")
    if not isinstance(arn, str) or not arn:
        raise broken("the answer names no job", where)
    return arn


def _digest(order: Order) -> str:
    return hashlib.sha256(order.name.encode()).hexdigest()


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
