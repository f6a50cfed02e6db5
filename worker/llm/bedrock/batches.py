"""Bedrock's batch inference: requests in a file of S3, replies in another, for half the price."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from worker.llm.batches import Bounds, Order, Progress, Reply
from worker.llm.bedrock import jobs
from worker.llm.bedrock.dialect import Dialect
from worker.llm.bedrock.errors import refusal, said_in
from worker.llm.bedrock.jobs import Job, Place
from worker.llm.bedrock.wire import Reply as Answer
from worker.llm.bedrock.wire import Signer, Wire
from worker.llm.bodies import broken, encoded
from worker.llm.engine import Completion, Concern, EngineError, Trouble
from worker.llm.faults import billed_if
from worker.llm.results import lines_of, reply_in
from worker.llm.wordings import is_page

_SKEW = timedelta(minutes=1)
"""How far AWS's clock may be behind."""

_MOST_PAGES = 100
"""Parts of the list of jobs that are looked through."""

_MOST_CONNECTIONS = 16
_CHECK_S3 = "check batch_s3, and that its bucket is in the region of the engine"
_JOB, _JOBS_LISTED = "model-invocation-job", "model-invocation-jobs"
_NONE_THERE = "NoSuchKey"

_ENDED_ALREADY = (HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT)
"""How a job is answered that is to be stopped and has ended."""

_T = TypeVar("_T")


class BedrockBatches:
    """Bedrock's batch inference; see worker/llm/batches.py.

    `address` is that of the jobs and `storage` that of S3, by paths; each signs in its own way.
    `base` (s3://BUCKET/PREFIX) is where requests and replies lie, and `role` is what Bedrock takes
    on to read and write there. `dialect` is what is known of the models. The other arguments are
    those of worker/llm/bedrock/wire.py.
    """

    bounds = Bounds(requests=50_000, bytes=200_000_000, fewest=100)
    """https://docs.aws.amazon.com/general/latest/gr/bedrock.html"""

    def __init__(
        self,
        address: str,
        sign: Signer,
        storage: str,
        sign_storage: Signer,
        *,
        base: str,
        role: str,
        timeout_s: float = 600.0,
        proxied: bool = True,
        dialect: Dialect | None = None,
    ) -> None:
        self._dialect = dialect or Dialect()
        wire = partial(
            Wire,
            timeout_s=timeout_s,
            max_connections=_MOST_CONNECTIONS,
            proxied=proxied,
            once=True,
        )
        self._jobs = wire("Bedrock", address, sign)
        self._s3 = wire("S3", storage, sign_storage)
        self._base = jobs.place_of(base)
        self._role = role

    async def upload(self, order: Order) -> str:
        """Put the requests into S3, always at the same place; its URI. Raises EngineError."""
        place = jobs.requests_in(order, self._base)
        # In a thread: so many requests take seconds to be put into words.
        content = await asyncio.to_thread(jobs.records_of, order, self._dialect, self._s3.where)
        await self._change("PUT", place, content)
        return place.uri

    async def create(self, order: Order, upload: str) -> str:
        """Begin the job; its ARN. Raises EngineError. Asked again for the same order, AWS answers
        with the job that it has begun."""
        body = jobs.beginning(order, jobs.place_of(upload), self._role)
        return await self._ask("POST", _JOB, jobs.arn_in, body, begins=True)

    async def find(self, order: Order, since: datetime) -> Sequence[str]:
        """The job of this order, by its name. Raises EngineError."""
        name = jobs.job_name(order)
        found: list[str] = []
        after = (since - _SKEW).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        query = {"maxResults": "100", "nameContains": name, "submitTimeAfter": after}
        for _ in range(_MOST_PAGES):
            page = await self._ask(
                "GET", f"{_JOBS_LISTED}?{urlencode(query, quote_via=quote)}", jobs.page_in
            )
            found += [arn for arn, called in page.jobs if called == name]
            if not page.next:
                return found
            query["nextToken"] = page.next
        raise broken("its list of jobs does not end", self._jobs.where)

    async def progress(self, remote: str) -> Progress:
        """How far it has come. Raises EngineError."""
        return (await self._job(remote)).progress

    async def results(self, remote: str) -> AsyncGenerator[Reply, None]:
        """The replies of a job that has ended; none where it ended before it wrote any. It is asked
        first where they are: that may have been configured otherwise when it began. Raises
        EngineError."""
        job = await self._job(remote)
        where = self._s3.where

        def refused(answer: Answer) -> EngineError | None:
            missing = said_in(answer.headers, answer.body).code == _NONE_THERE
            if missing and not job.has_replies:
                return None
            return _refused(answer, where, _CHECK_S3)

        def read(line: dict[str, Any]) -> Completion:
            return jobs.answer_in(line, job.model, where)

        pieces = self._s3.pieces(job.replies.path, refused)
        with billed_if(begins=False):
            async with aclosing(pieces), aclosing(lines_of(pieces)) as lines:
                async for line in lines:
                    if reply := reply_in(line, "recordId", read, where, check=_CHECK_S3):
                        yield reply

    async def cancel(self, remote: str) -> None:
        """Ask it to stop. Raises EngineError, but not where it has ended."""
        try:
            await self._ask("POST", f"{_path_of(remote)}/stop", lambda body, where: body)
        except EngineError as exc:
            if exc.status not in _ENDED_ALREADY or exc.concern is Concern.ENGINE:
                raise

    async def forget(self, remote: str, upload: str) -> None:
        """Delete what lies in S3 of it; the job itself AWS keeps. Raises EngineError."""
        for place in jobs.kept_of(remote, upload):
            await self._change("DELETE", place)

    async def close(self) -> None:
        """Close the connections."""
        await self._jobs.close()
        await self._s3.close()

    async def _job(self, remote: str) -> Job:
        return await self._ask("GET", _path_of(remote), jobs.job_in)

    async def _ask(
        self,
        method: str,
        path: str,
        read: Callable[[bytes, str], _T],
        body: object = None,
        *,
        begins: bool = False,
    ) -> _T:
        """What is read in the answer of the API of jobs."""
        wire = self._jobs
        with billed_if(begins):
            content = b"" if body is None else encoded(body, wire.where)
            answer = await wire.send(method, path, content)
            if answer.status != HTTPStatus.OK:
                raise _refused(answer, wire.where, jobs.CHECK)
            return read(answer.body, wire.where)

    async def _change(self, method: str, place: Place, content: bytes = b"") -> None:
        """Write or delete an object."""
        with billed_if(begins=False):
            answer = await self._s3.send(method, place.path, content)
            if answer.status not in (HTTPStatus.OK, HTTPStatus.NO_CONTENT):
                raise _refused(answer, self._s3.where, _CHECK_S3)
            if is_page(answer.body.decode("utf-8", "replace")):
                said = f"{self._s3.where} answered with a page, {_CHECK_S3}"
                raise EngineError(Trouble.MISCONFIGURED, said, status=answer.status)


def _refused(answer: Answer, where: str, check: str) -> EngineError:
    said = said_in(answer.headers, answer.body)
    return refusal(answer.status, said, answer.headers, where, answer.secret, check)


def _path_of(job: str) -> str:
    return f"{_JOB}/{quote(job, safe='')}"
