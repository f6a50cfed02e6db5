"""Gathering: jobs that wait for a bulk are put into one, with the request that each would make."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from uuid import UUID, uuid4

from psycopg.types.json import Json

from models.words import Queue, Stage
from worker.bulk.decide import Bulk
from worker.bulk.requests import Handed, size
from worker.calls.access import EngineAccess
from worker.calls.ledger import Ledger, request_key
from worker.configs import Configs
from worker.db import Database, Statement
from worker.flow.stage import Claimed, put_back
from worker.llm.batches import Bounds
from worker.llm.engine import Request
from worker.log import logger
from worker.run.claims import JobClaims, Terms
from worker.run.job import Job
from worker.run.run import first_request, version
from worker.settings import LEASE_S

BLOCK = 500
"""Jobs that are taken at once: they are handed over well within their lease."""

FULL_BYTES = 64 * 1_048_576
"""Of all requests of a bulk: its worker holds them in memory when it hands them in."""

TWIN_S = 60.0
"""How long a job waits that asks word for word what stands in a bulk already. It looks again, for
there the answer may be long in coming."""


def in_bulk(access: EngineAccess) -> Ledger:
    """What prices the calls of bulks."""
    return replace(access.ledger, discount=access.deployment.config.batch_discount)


@dataclass(frozen=True, slots=True)
class Sorted:
    """What becomes of jobs that were taken from a line."""

    fitting: Sequence[Handed]
    over: Sequence[Handed]
    """For which there is no room left."""
    live: Sequence[Job]
    """Whose turn begins with something else than a request about their text."""


@dataclass(frozen=True, slots=True)
class Gathering:
    """Puts the jobs of one engine into bulks."""

    db: Database
    access: EngineAccess
    configs: Configs
    owner: UUID
    bounds: Bounds

    async def fill(self, bulk: Bulk) -> int:
        """Put in what waits, until nothing does or the bulk is full; how many requests it has."""
        room, requests = min(FULL_BYTES, self.bounds.bytes) - bulk.bytes, bulk.requests
        while requests < self.bounds.requests:
            claimed = await self._take(bulk, min(BLOCK, self.bounds.requests - requests))
            if not claimed.taken:
                break
            found = await self._sorted([held.payload for held in claimed.held], room)
            requests += await self._hand_over(bulk, found)
            room -= sum(one.bytes for one in found.fitting)
            if found.over:
                break
        return requests

    async def _take(self, bulk: Bulk, most: int) -> Claimed:
        def of_its_line(_: Queue, most: int) -> Statement:
            return "bulk/take_jobs", {"line": bulk.line_id, "most": most}

        terms = Terms(Stage.BULK, TWIN_S, of_its_line, in_bulk)
        claims = JobClaims(self.db, self.access, self.configs, self.owner, terms)
        return await claims.claim(Queue(Stage.BULK, bulk.engine, bulk.model), uuid4(), most)

    async def _sorted(self, jobs: Sequence[Job], room: int) -> Sorted:
        handed: list[Handed] = []
        live: list[Job] = []
        for job in jobs:
            request = await self._request(job)
            if request is None:
                live.append(job)
            else:
                key = request_key(request, version(job))
                handed.append(Handed(job.id, job.call_id, request, key, size(request)))
        fits = sum(used <= room for used in accumulate(one.bytes for one in handed))
        return Sorted(handed[:fits], handed[fits:], live)

    async def _request(self, job: Job) -> Request | None:
        try:
            return await first_request(job, self.access)
        except Exception:  # a fault of ours: it ends as a job's own when the job runs
            logger().exception("a job cannot be put into a bulk", job=job.id)
            return None

    async def _hand_over(self, bulk: Bulk, found: Sorted) -> int:
        """Hand over what fits. What another one asks already, word for word, waits; the rest runs
        at once, or is in line again."""
        rows = Json(list(found.fitting))
        put = await self.db.run("bulk/hand_over", id=bulk.id, owner=self.owner, rows=rows)
        over = {row["job_id"] for row in put}
        twins = [one for one in found.fitting if one.job_id not in over]
        unused = [one.call_id for one in (*twins, *found.over)]
        unused += [job.call_id for job in found.live]
        if unused:
            live = [job.id for job in found.live]
            await self.db.run_all(
                [
                    ("calls/drop", {"ids": unused}),
                    put_back(Stage.BULK, [one.job_id for one in twins], self.owner, TWIN_S),
                    put_back(Stage.BULK, [one.job_id for one in found.over], self.owner),
                    ("bulk/run_live", {"ids": live, "owner": self.owner}),
                ]
            )
        return len(over)


async def run_live(db: Database, owner: UUID, line: int) -> None:
    """What waits in this line is asked one by one."""
    while True:
        taking = {"claim": uuid4(), "owner": owner, "lease_s": LEASE_S}
        taken = await db.run("bulk/take_jobs", line=line, most=BLOCK, **taking)
        if not taken:
            return
        ids = [row["item_id"] for row in taken]
        await db.run("bulk/run_live", ids=ids, owner=owner)
