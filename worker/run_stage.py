"""The run stage of one queue: claims ready jobs and takes each through its conversation."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from models.config import Config
from models.words import TaskType, Tier
from worker.asking import Desk, NotReserved
from worker.db import Database, Row, Statement
from worker.gate import Gate
from worker.ground import Source
from worker.group import GroupCommit
from worker.ledger import Ledger
from worker.llm.engine import Request
from worker.outcome import Turn
from worker.persist import Persist, as_json
from worker.prompts import prompt, task_messages
from worker.route import frontier_model
from worker.run import Job, run
from worker.settings import LEASE_S
from worker.stage import Held, Lease
from worker.tokens import estimate


class Reservations:
    """Writes follow-up calls into the ledger in groups, before they are made."""

    def __init__(self, db: Database, owner: UUID, where: dict[str, Any], ledger: Ledger) -> None:
        self._db = db
        self._owner = owner
        self._where = where
        self._ledger = ledger
        self._group: GroupCommit[dict[str, Any]] = GroupCommit(self._write)

    async def __call__(self, call_id: UUID, job_id: int, purpose: str, request: Request) -> None:
        """Reserve one call. Raises NotReserved."""
        tokens = sum(estimate(message.content) for message in request.messages)
        row = {
            "id": call_id,
            "job_id": job_id,
            "purpose": purpose,
            "reserved_usd": self._ledger.upper_bound(request, tokens),
        }
        await self._group.put(row)
        if row.get("lost"):
            raise NotReserved

    async def _write(self, rows: Sequence[dict[str, Any]]) -> None:
        written = await self._db.run(
            "reserve_calls", rows=as_json(rows), owner=self._owner, **self._where
        )
        ids = {row["id"] for row in written}
        for row in rows:
            row["lost"] = row["id"] not in ids


class RunStage:
    """Runs the jobs of one tier."""

    def __init__(
        self, tier: Tier, db: Database, desk: Desk, persist: Persist, config: Config, owner: UUID
    ) -> None:
        self.name = str(tier)
        self.gate: Gate | None = desk.gate
        self.limited = desk.admission is not None
        self._tier = tier
        self._db = db
        self._desk = desk
        self._persist = persist
        self._config = config
        self._owner = owner
        self._asks: dict[int, Row] = {}
        site = desk.ledger.site
        self._where = {
            "engine": site.config.kind,
            "host": site.host,
            "stand_in": site.stand_in,
        }
        limits = [(task, chosen) for task, chosen in config.tasks.items()]
        models = {chosen.model for _, chosen in limits} | {frontier_model(config)}
        self._prices = as_json(
            desk.ledger.reservations(
                [(model, task, chosen.max_tokens) for model in models for task, chosen in limits]
            )
        )

    async def admit(self, ids: Sequence[int]) -> list[int]:
        """Wait until the rate limit lets some of these go. What is not ready needs no leave."""
        if self._desk.admission is None:
            return list(ids)
        rows = await self._db.run("peek_ready", ids=list(ids), queue=self._tier)
        await self._learn_asks({row["ask_id"] for row in rows})
        ready = {row["id"]: row for row in rows}
        wanted = [(row, *self._tokens(row)) for row in map(ready.get, ids) if row is not None]
        if not wanted:
            return list(ids)
        admitted = await self._desk.admission.admit(wanted)
        return [job_id for job_id in ids if job_id in admitted or job_id not in ready]

    def _tokens(self, row: Row) -> tuple[int, int]:
        """Prompt and output limit of a job's first call."""
        task, ask = TaskType(row["task"]), self._asks[row["ask_id"]]
        schema = ask["json_schema"] or prompt(task).schema or {}
        fixed = task_messages(task, ask["text"], "", schema)
        tokens = sum(estimate(message.content) for message in fixed) + row["tokens"]
        window = self._desk.ledger.site.config.context_tokens
        return min(tokens, window), self._config.task(task).max_tokens

    def decline(self, ids: Sequence[int]) -> None:
        """What was admitted is not claimed after all."""
        if self._desk.admission is not None:
            self._desk.admission.drop(ids)

    async def claim(self, ids: Sequence[int]) -> list[Held]:
        """Lease ready jobs and reserve their first calls."""
        rows = await self._claim(list(ids))
        self.decline(list(set(ids) - {row["id"] for row in rows}))
        await self._learn_asks({row["ask_id"] for row in rows})
        return [Held(row["id"], row["id"], row["batch_id"], self._job(row)) for row in rows]

    async def _claim(self, ids: list[int]) -> list[Row]:
        claim: Statement = (
            "claim_ready",
            {
                "ids": ids,
                "queue": self._tier,
                "owner": self._owner,
                "lease_s": LEASE_S,
                "prices": self._prices,
                **self._where,
            },
        )
        if self._tier is Tier.LOCAL:
            return await self._db.run_all([claim])
        hold: Statement = ("hold_over_budget", {"ids": ids, "prices": self._prices})
        lock: Statement = ("lock_budgets", {"ids": ids, "queue": self._tier})
        _, rows, _ = await self._db.run_each([lock, claim, hold])
        return rows

    async def _learn_asks(self, ids: set[int]) -> None:
        missing = [ask_id for ask_id in ids if ask_id not in self._asks]
        if missing:
            for row in await self._db.run("load_asks", ids=missing):
                self._asks[row["id"]] = row

    def _job(self, row: Row) -> Job:
        ask = self._asks[row["ask_id"]]
        return Job(
            id=row["id"],
            batch_id=row["batch_id"],
            local_only=row["local_only"],
            task=TaskType(row["task"]),
            tier=self._tier,
            model_name=row["model"],
            ask_id=row["ask_id"],
            ask=ask["text"],
            schema=ask["json_schema"],
            pieces=tuple(Source(piece["start"], piece["text"]) for piece in row["pieces"]),
            attempts=row["attempts"],
            waits=row["waits"],
            call_id=row["call_id"],
            earlier=row["earlier"] or {},
        )

    async def work(self, held: Held) -> Turn:
        """Ask the engine; returns the turn also when cancelled."""
        return await run(held.payload, self._desk, self._config)

    async def finish(self, outcome: Turn) -> None:
        """Write the turn."""
        await self._persist.finish(outcome)

    async def release(self, held: Sequence[Held]) -> None:
        """Back to ready, without a trace."""
        ids = [item.lease for item in held]
        self.decline(ids)
        await self._db.run("release_jobs", ids=ids, owner=self._owner)

    async def renew(self, leases: Collection[Lease]) -> set[Lease]:
        """Prolong leases. Raises psycopg.OperationalError when Postgres is away."""
        params = {"ids": list(leases), "owner": self._owner, "lease_s": LEASE_S}
        [rows] = await self._db.run_once([("renew_jobs", params)])
        return {row["id"] for row in rows}
