"""What a provider's batch API keeps and does, whatever its wire: the stubs of all of them share it.

A stub's routes read requests and write replies; here are the files, the batches, their pace, what
goes wrong with them, and the bill. In a test:

    stub.batches.meet("create", "500", done=True)    the next one begins the batch and answers 500
    stub.batches.fate(end="expired", finished=3)     the next batch expires with 3 answers
    stub.batches.book                                what was asked for and what is on the bill

From outside, POST /stub/control {"batch_faults": [{"at": "create", "fault": "500", "done": true}],
"batch_fates": [{"end": "expired", "finished": 3}], "batch_settle": true}; see process.py.
"""

import asyncio
import itertools
import json
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.stubs.broken import Broken, Dripping, cut_off
from tests.stubs.record import hash_of

ENDED = frozenset({"completed", "expired", "cancelled", "failed"})


@dataclass(frozen=True)
class Asked:
    """One request of a batch: its name, and what would be sent for it at once."""

    name: str
    body: dict[str, Any]


@dataclass(frozen=True)
class Worked:
    """What a model made of a request: the reply that it would have had at once, and the bill."""

    status: int
    body: Any
    read: int = 0
    written: int = 0
    billed: bool = False


@dataclass(frozen=True)
class Told:
    """A request's line in the results: a reply, or what ended the batch before its turn."""

    name: str
    worked: Worked | None
    missed: str = ""
    """`expired` or `cancelled`, where there is no reply."""

    @property
    def good(self) -> bool:
        """Whether it was answered, and not refused."""
        return self.worked is not None and self.worked.status < 300


@dataclass(frozen=True)
class Fate:
    """What becomes of a batch."""

    end: str = "completed"
    """`completed`, `expired`, or `failed`: refused by the check that comes first."""
    finished: int | None = None
    """Requests that are answered where it does not come to its end; None: half of them."""
    errors: Mapping[int, str] = field(default_factory=dict)
    """Requests that fail, by their place in the batch: names of the stub's faults."""
    code: str = "invalid_request"
    message: str = "The batch was refused."


@dataclass
class Batch:
    """A batch, as the provider has it."""

    id: str
    asked: Sequence[Asked]
    about: dict[str, Any]
    """What else came with it, which its routes know how to read."""
    fate: Fate
    work: Callable[[Asked, str], Worked]
    """Answers a request, or lets it meet a fault."""
    wrong: Sequence[dict[str, Any]] = ()
    """What the check found."""
    created_at: int = field(default_factory=lambda: int(time.time()))
    status: str = "validating"
    since: float = field(default_factory=time.monotonic)
    told: list[Told] = field(default_factory=list)
    """In the order of the results, which is not that of the requests."""

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    def counts(self) -> dict[str, int]:
        """How many have their reply, good or bad."""
        good = sum(told.good for told in self.told)
        bad = sum(told.worked is not None and not told.good for told in self.told)
        return {"total": len(self.asked), "completed": good, "failed": bad}


@dataclass
class Book:
    """What was asked for on the wire, and what is on the bill."""

    wire: Counter[str] = field(default_factory=Counter)
    """Requests by operation: upload, create, poll, list, fetch, cancel, delete."""
    begun: int = 0
    answered: int = 0
    """Requests on the bill."""
    read: int = 0
    written: int = 0
    """Their tokens."""
    prompts: Counter[str] = field(default_factory=Counter)
    """Times that the same request was on the bill, by the hash of its body."""

    def bill(self, asked: Asked, worked: Worked) -> None:
        """Put a request on the bill."""
        self.answered += 1
        self.read += worked.read
        self.written += worked.written
        self.prompts[hash_of([json.dumps(asked.body, sort_keys=True)])] += 1

    def totals(self) -> dict[str, Any]:
        """As JSON."""
        most = max(self.prompts.values(), default=0)
        numbers = {name: vars(self)[name] for name in ("begun", "answered", "read", "written")}
        return {**numbers, "wire": dict(self.wire), "most_of_one": most}


@dataclass(frozen=True)
class Meeting:
    """A fault that an operation meets: before it is carried out, or when it is `done`."""

    fault: str | dict[str, Any]
    done: bool = False


class Batches:
    """All batches and files of a provider. `fail` makes the reply of a fault; `pace_s`: seconds
    that a batch spends in each of its states; 0 moves it on by one at each look at it."""

    def __init__(
        self,
        fail: Callable[[web.BaseRequest, str | dict[str, Any]], web.StreamResponse],
        pace_s: Callable[[], float],
    ) -> None:
        self._fail = fail
        self._pace_s = pace_s
        self._numbers = itertools.count(1)
        self._meetings: dict[str, deque[Meeting]] = defaultdict(deque)
        self._fates: deque[Fate] = deque()
        self.files: dict[str, dict[str, Any]] = {}
        """By name: `content` and whatever the routes keep with it."""
        self.all: dict[str, Batch] = {}
        """By name, the oldest first."""
        self.book = Book()

    # -- the script

    def meet(self, at: str, fault: str | dict[str, Any], *, done: bool = False) -> None:
        """The next such operation meets a fault: the name of one of the stub's, `timeout`, `cut`
        (no answer), `cut_body`, `bad_json`, `drip`, or a dict with status, body and headers."""
        self._meetings[at].append(Meeting(fault, done))

    def fate(self, **fate: Any) -> None:
        """What becomes of the next batch; see Fate."""
        errors = {int(place): name for place, name in fate.pop("errors", {}).items()}
        self._fates.append(Fate(**fate, errors=errors))

    async def at(
        self, operation: str, request: web.BaseRequest, do: Callable[[], web.StreamResponse]
    ) -> web.StreamResponse:
        """Carry out an operation, or let it fail as the script has it."""
        self.book.wire[operation] += 1
        if not self._meetings[operation]:
            return do()
        meeting = self._meetings[operation].popleft()
        name = meeting.fault
        if name in ("cut_body", "bad_json"):
            return _half(do(), cut=name == "cut_body")
        if meeting.done:
            do()
        if name == "timeout":
            await asyncio.Event().wait()
        if name == "drip":
            return Dripping()
        return cut_off(request) if name == "cut" else self._fail(request, name)

    # -- what is kept

    def name(self, prefix: str) -> str:
        """A name that nothing else here has."""
        return f"{prefix}{next(self._numbers)}"

    def begin(
        self,
        prefix: str,
        asked: Sequence[Asked],
        work: Callable[[Asked, str], Worked],
        *,
        wrong: Sequence[dict[str, Any]] = (),
        **about: Any,
    ) -> Batch:
        """A new batch. `wrong`: what the check that comes first will say of it."""
        fate = self._fates.popleft() if self._fates else Fate()
        if fate.end == "failed" and not wrong:
            wrong = [{"code": fate.code, "line": None, "message": fate.message, "param": None}]
        batch = Batch(self.name(prefix), asked, about, fate, work, wrong)
        self.all[batch.id] = batch
        self.book.begun += 1
        return batch

    def look(self, name: str) -> Batch | None:
        """A batch as it is by now."""
        batch = self.all.get(name)
        if batch is not None:
            self._pass_time(batch)
        return batch

    def newest(self) -> list[Batch]:
        """All of them, the newest first. Looking at the list moves none of them on."""
        return list(self.all.values())[::-1]

    def cancel(self, batch: Batch) -> bool:
        """Whether there was something to stop."""
        if batch.ended or batch.status == "finalizing":
            return False
        if batch.status == "in_progress":
            self._answer(batch, batch.fate.finished, "cancelled")
        elif batch.status == "validating":
            self._answer(batch, 0, "cancelled")
        self._enter(batch, "cancelling")
        return True

    def saw(self, text: str) -> bool:
        """Whether a text arrived, in a file or a request."""
        sought = json.dumps(text)[1:-1]
        kept = [file["content"] for file in self.files.values()]
        if any(text.encode() in one or sought.encode() in one for one in kept):
            return True
        asked = (one.body for batch in self.all.values() for one in batch.asked)
        return any(sought in json.dumps(body) for body in asked)

    def settle(self) -> None:
        """Bring all batches to their end, watched or not: the bill is complete then."""
        for batch in self.all.values():
            while not batch.ended:
                self._move(batch)

    # -- the pace

    def _pass_time(self, batch: Batch) -> None:
        pace = self._pace_s()
        if not pace:
            self._move(batch)
        while pace and not batch.ended and time.monotonic() - batch.since >= pace:
            self._move(batch, batch.since + pace)

    def _move(self, batch: Batch, now: float | None = None) -> None:
        """Into its next state."""
        if batch.status == "validating":
            self._enter(batch, "failed" if batch.wrong else "in_progress", now)
        elif batch.status == "in_progress":
            complete = batch.fate.end == "completed"
            count = len(batch.asked) if complete else batch.fate.finished
            self._answer(batch, count, batch.fate.end)
            self._enter(batch, "finalizing", now)
        elif batch.status == "finalizing":
            self._enter(batch, batch.fate.end, now)
        elif batch.status == "cancelling":
            self._enter(batch, "cancelled", now)

    @staticmethod
    def _enter(batch: Batch, status: str, now: float | None = None) -> None:
        batch.status, batch.since = status, time.monotonic() if now is None else now

    def _answer(self, batch: Batch, count: int | None, missed: str) -> None:
        """Answer the first `count` requests; the results hold all of them the other way round."""
        count = len(batch.asked) // 2 if count is None else count
        for place, asked in enumerate(batch.asked):
            if place >= count:
                batch.told.append(Told(asked.name, None, missed))
                continue
            worked = batch.work(asked, batch.fate.errors.get(place, ""))
            if worked.billed:
                self.book.bill(asked, worked)
            batch.told.append(Told(asked.name, worked))
        batch.told.reverse()


def duplicates(asked: Sequence[Asked]) -> Iterator[tuple[int, str]]:
    """The place and name of each request that has the name of one before it."""
    seen: set[str] = set()
    for place, one in enumerate(asked):
        if one.name in seen:
            yield place, one.name
        seen.add(one.name)


def models_of(asked: Sequence[Asked]) -> set[Any]:
    """The models that are asked."""
    return {one.body.get("model") for one in asked}


async def whole(request: web.BaseRequest) -> bytes:
    """The body of a request, of whatever size."""
    return await request.content.read()


def _half(reply: web.StreamResponse, *, cut: bool) -> web.StreamResponse:
    """The first half of a reply; `cut`: and then the connection breaks."""
    body = reply.body if isinstance(reply, web.Response) else b""
    assert isinstance(body, bytes)
    part = body[: len(body) // 2]
    return Broken(part, len(body)) if cut else web.Response(body=part, headers=reply.headers)
