"""The workers' own statements on a plain connection, with the parameters that the stages give them.

What a test gains by it: several workers in one thread, and transactions that it ends when it likes.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from models.sql import load_sql
from models.words import Queue, Stage, TaskType, Zone
from tests.rows import LOCAL, Connection
from worker.calls.reservations import budget_locks
from worker.flow.housekeeping import BEGINNING, MOST_DUE
from worker.jsonb import dumps
from worker.persist import job_row
from worker.route import Place
from worker.run.outcome import HoldRow, Turn
from worker.settings import LEASE_S, MAX_DOCUMENT_KILLS, MAX_KILLS

Row = dict[str, Any]


def run(db: Connection, name: str, **params: Any) -> list[Row]:
    """A statement of worker/sql and the rows that it brings."""
    with db.cursor(row_factory=dict_row) as cursor:
        cursor.execute(load_sql("worker", name), params)
        return cursor.fetchall() if cursor.description else []


def run_producer(db: Connection, name: str, **params: Any) -> list[Row]:
    """A statement of producer/sql and the rows that it brings."""
    sql = load_sql("producer", name)
    with db.cursor(row_factory=dict_row) as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall() if cursor.description else []


def as_json(rows: Sequence[Any]) -> Jsonb:
    """Rows as one parameter."""
    return Jsonb(list(rows), dumps=dumps)


def reap(db: Connection, since: datetime = BEGINNING, most: int = 500) -> Row:
    """Put back what lapsed, as the leader does; what it says of it."""
    kills = {"job_kills": MAX_KILLS, "document_kills": MAX_DOCUMENT_KILLS}
    [late] = run(db, "flow/reap", since=since, most=most, **kills)
    return late


def bring_due(db: Connection) -> None:
    """Put what is due back in line, as the leader does."""
    run(db, "flow/bring_due", since=BEGINNING, most=MOST_DUE)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a claim brought."""

    taken: list[int]
    judged: dict[int, Row]
    """By job: what stands in its way, if anything."""
    rows: dict[int, Row]
    """By job: those that may run."""

    @property
    def calls(self) -> dict[int, UUID]:
        """By job: the call that was reserved for it."""
        return {job: row["call_id"] for job, row in self.rows.items()}

    @property
    def short_of(self) -> dict[int, str]:
        """By job: why it may not run."""
        return {job: row["short_of"] for job, row in self.judged.items() if not row["reserved"]}


@dataclass
class Worker:
    """One worker process, as Postgres knows it."""

    db: Connection
    owner: UUID = field(default_factory=uuid4)

    def take(
        self, queue: Queue = LOCAL.queue, most: int = 32, claim: UUID | None = None
    ) -> list[int]:
        """Lease what waits in a queue."""
        found = run(
            self.db,
            "flow/take",
            claim=claim or uuid4(),
            owner=self.owner,
            queue=queue.name,
            stage=queue.stage,
            most=most,
            lease_s=LEASE_S,
        )
        return [row["item_id"] for row in found]

    def claim(
        self,
        place: Place = LOCAL,
        most: int = 32,
        *,
        claim: UUID | None = None,
        usd_per_token: str = "0.001",
        usd_per_day: str | None = None,
        answerer: str = "a",
        stand_in: bool = False,
    ) -> Claim:
        """Lease jobs and reserve their calls, in one transaction as RunStage.claim does."""
        claim = claim or uuid4()
        day = Decimal(usd_per_day) if usd_per_day is not None else None
        price = Decimal(usd_per_token) if place.zone is Zone.FRONTIER else None
        shared = {"claim": claim, "owner": self.owner}
        with self.db.transaction():
            taken = self.take(place.queue, most, claim)
            for name, params in budget_locks(place.zone, day, claim=claim):
                run(self.db, name, **params)
            judged = run(
                self.db,
                "run/reserve",
                **shared,
                kind="openai",
                host="h:1",
                zone=place.zone,
                stand_in=stand_in,
                usd_per_day=day,
                usd_per_call=None,
                usd_per_input=price,
                usd_per_output=price,
                versions=as_json([{"task": TaskType.SUMMARY, "version": "v1"}]),
                answerer=answerer,
            )
            late = run(self.db, "run/known", **shared)
            found = run(self.db, "run/claim", **shared)
        answers = {row["id"]: row["answer"] for row in judged}
        answers |= {row["job_id"]: row["answer"] for row in late}
        rows = {row["id"]: {**row, "answer": answers.get(row["id"])} for row in found}
        return Claim(taken, {row["id"]: row for row in judged}, rows)

    def classify(self, queue: Queue, most: int = 32, claim: UUID | None = None) -> list[Row]:
        """Lease jobs that wait for their task type, and look what is known of their pairs."""
        claim = claim or uuid4()
        with self.db.transaction():
            self.take(queue, most, claim)
            return run(
                self.db,
                "classify/claim",
                claim=claim,
                owner=self.owner,
                engine=queue.engine,
                model=queue.model,
                kind="ollama",
                host="h:1",
            )

    def renew(self, items: Sequence[int], stage: Stage = Stage.RUN) -> set[int]:
        """Keep these leases; those that are still this worker's."""
        found = run(self.db, "flow/renew", **self._leases(items, stage), lease_s=LEASE_S)
        return {row["item_id"] for row in found}

    def release(
        self,
        items: Sequence[int],
        stage: Stage = Stage.RUN,
        *,
        delay_s: float | None = None,
        unused: Sequence[UUID] = (),
    ) -> None:
        """Give back what was not begun, with the calls that were reserved for it."""
        with self.db.transaction():
            if unused:
                run(self.db, "calls/drop", ids=list(unused))
            run(self.db, "flow/release", **self._leases(items, stage), delay_s=delay_s)

    def _leases(self, items: Sequence[int], stage: Stage) -> Row:
        return {"stages": [stage] * len(items), "items": list(items), "owner": self.owner}

    def settle(self, *calls: Row) -> None:
        """Write what calls came to."""
        run(self.db, "calls/settle", calls=as_json(calls))

    def finish(self, *turns: Turn) -> None:
        """Write turns as Persist does: calls, then jobs."""
        calls = [asdict(call) for turn in turns for call in turn.calls]
        unused = [call for turn in turns for call in turn.unused]
        with self.db.transaction():
            run(self.db, "run/lock_caps", batches=[turn.batch_id for turn in turns])
            if calls:
                self.settle(*calls)
            if unused:
                run(self.db, "calls/drop", ids=unused)
            run(
                self.db,
                "run/finish",
                rows=as_json([job_row(turn) for turn in turns]),
                owner=self.owner,
            )

    def hold(self, *held: HoldRow) -> None:
        """Hold what a budget does not cover."""
        run(self.db, "run/hold", rows=as_json(held))
