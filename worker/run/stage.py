"""The run stage of one queue: claims ready jobs and takes each through its conversation."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from models.config import Config, EngineConfig
from models.words import TaskType, Tier
from worker.calls.budget import budget_locks
from worker.calls.caller import Desk
from worker.calls.ledger import KnownAnswer
from worker.db import Database, Row, Statement
from worker.flow.stage import Held, Lease, Slot
from worker.jsonb import as_json
from worker.llm.gate import Gate
from worker.prompts import form, prompt, prompt_tokens
from worker.route import frontier_model
from worker.run.ground import Source
from worker.run.outcome import Turn
from worker.run.run import Job, run
from worker.settings import LEASE_S


class RunStage:
    """Runs the jobs of one tier."""

    def __init__(
        self,
        tier: Tier,
        db: Database,
        desk: Desk,
        finish: Callable[[Turn], Awaitable[None]],
        config: Config,
        owner: UUID,
    ) -> None:
        self.name = str(tier)
        self.gate: Gate | None = desk.gate
        self.limited = desk.admission is not None
        self._tier = tier
        self._db = db
        self._desk = desk
        self._finish = finish
        self._config = config
        self._owner = owner
        self._asks: dict[int, Row] = {}
        self._fixed: dict[int, dict[str, Any]] = {}
        """Of admitted jobs, what their prompts hold besides the text: tokens per ask and task."""
        site = desk.ledger.site
        self._where = {
            "engine": site.config.kind,
            "host": site.host,
            "stand_in": site.stand_in,
        }
        # A gateway's models are its own; local hosts of one model answer for each other.
        host = f"@{site.host}" if tier is Tier.FRONTIER else ""
        self._answerer = f"{site.config.kind}{host}"
        self._versions = as_json(
            [{"task": task, "version": version(task, site.config, config)} for task in TaskType]
        )
        limits = [(task, chosen) for task, chosen in config.tasks.items()]
        models = {chosen.model for _, chosen in limits} | {frontier_model(config)}
        prices = desk.ledger.reservations(
            [(model, task, chosen.max_tokens) for model in models for task, chosen in limits]
        )
        self._budget: dict[str, Any] = {
            "prices": as_json(prices),
            "usd_per_day": config.limits.usd_per_day,
        }

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
        for job_id in admitted:
            row = ready[job_id]
            fixed = {
                "ask_id": row["ask_id"],
                "task": row["task"],
                "tokens": self._fixed_tokens(row),
            }
            self._fixed[job_id] = fixed
        return [job_id for job_id in ids if job_id in admitted or job_id not in ready]

    def _tokens(self, row: Row) -> tuple[int, int]:
        """Prompt and output limit of a job's first call."""
        window = self._desk.ledger.site.config.context_tokens
        tokens = min(self._fixed_tokens(row) + row["tokens"], window)
        return tokens, self._config.task(TaskType(row["task"])).max_tokens

    def _fixed_tokens(self, row: Row) -> int:
        task, ask = TaskType(row["task"]), self._asks[row["ask_id"]]
        schema = ask["json_schema"] or prompt(task).schema or {}
        return prompt_tokens(task, ask["text"], form(schema))

    def decline(self, ids: Sequence[int]) -> None:
        """What was admitted is not claimed after all."""
        if self._desk.admission is not None:
            self._desk.admission.drop(ids)
        for job_id in ids:
            self._fixed.pop(job_id, None)

    async def claim(self, ids: Sequence[int]) -> list[Held]:
        """Lease ready jobs and reserve their first calls."""
        rows = await self._claim(self._admitted(ids))
        self.decline(list(set(ids) - {row["id"] for row in rows}))
        await self._learn_asks({row["ask_id"] for row in rows})
        return [Held(row["id"], row["id"], row["batch_id"], self._job(row)) for row in rows]

    def _admitted(self, ids: Sequence[int]) -> list[int]:
        return [job_id for job_id in ids if not self.limited or job_id in self._fixed]

    async def _claim(self, ids: list[int]) -> list[Row]:
        fixed = [self._fixed.pop(job_id) for job_id in ids if job_id in self._fixed]
        shared = {
            "ids": ids,
            "owner": self._owner,
            "fixed": as_json(list({(one["ask_id"], one["task"]): one for one in fixed}.values())),
            **self._budget,
            **self._where,
        }
        claim = {
            **shared,
            "queue": self._tier,
            "lease_s": LEASE_S,
            "versions": self._versions,
            "answerer": self._answerer,
        }
        locks = budget_locks(self._tier, ids, self._budget["usd_per_day"])
        hold: list[Statement] = []
        if self._tier is Tier.FRONTIER:
            hold = [("hold_over_budget", shared)]
        statements = [*locks, ("claim_ready", claim), ("claim_known", shared), *hold]
        found = await self._db.run_each(statements)
        rows, late = found[len(locks)], found[len(locks) + 1]
        answers = {row["job_id"]: row["answer"] for row in late}
        return [{**row, "answer": row["answer"] or answers.get(row["id"])} for row in rows]

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
            local_only=row["local_only"] or row["pinned"] is not None,
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
            known=_known(row["answer"]),
        )

    async def work(self, held: Held, slot: Slot) -> Turn:
        """Ask the engine; returns the turn also when cancelled."""
        return await run(held.payload, self._desk, slot, self._config)

    async def finish(self, outcome: Turn) -> None:
        """Write the turn."""
        await self._finish(outcome)

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


def version(task: TaskType, engine: EngineConfig, config: Config) -> str:
    """What of a request follows from the task alone: part of the key by which answers are shared.

    Everything else that goes into a prompt (model, ask, schema, text) claim_ready.sql adds.
    """
    limits = (config.task(task).max_tokens, engine.context_tokens, engine.short_answers)
    return "/".join(map(str, (prompt(task).version, *limits)))


def _known(answer: Mapping[str, Any] | None) -> KnownAnswer | None:
    if answer is None:
        return None
    would = answer["would_have_cost_usd"]
    return KnownAnswer(
        UUID(answer["call_id"]), answer["value"], Decimal(str(would)) if would is not None else None
    )
