"""Claims jobs of one engine: leases them, reserves their calls, and gives back what may not run."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from models.checks import OwnChecks
from models.failure import Failure
from models.reasons import HoldCode
from models.scores import Scores
from models.words import Finder, Queue, Scope, Stage, TaskType, Zone
from worker.calls.access import EngineAccess
from worker.calls.asks import recent_asks
from worker.calls.ledger import KnownAnswer, Ledger
from worker.calls.prices import MILLION
from worker.calls.reservations import budget_locks
from worker.configs import Configs
from worker.db import Database, Row, Statement
from worker.flow.stage import Claimed, Held, Lease, put_back
from worker.jsonb import as_json
from worker.log import logger
from worker.prompts import manner
from worker.prompts.files import numbers
from worker.prompts.manner import Shown
from worker.route import Facts, Place
from worker.run.examples import About, Shows
from worker.run.ground import Source
from worker.run.job import Found, Job, Reading
from worker.run.judge import SHORT_OF, judge_budget
from worker.run.models import recent_scores
from worker.run.outcome import HoldRow
from worker.run.parts import text_of
from worker.run.verify.check import FieldCheck
from worker.settings import LEASE_S, TWIN_S


def _from_queue(queue: Queue, most: int) -> Statement:
    return "flow/take", {"queue": queue.name, "stage": queue.stage, "most": most}


def _as_it_is(access: EngineAccess) -> Ledger:
    return access.ledger


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms jobs are claimed: to be asked at once, or otherwise."""

    stage: Stage = Stage.RUN
    twin_s: float = TWIN_S
    """How long one waits whose answer another is about to have, in seconds."""
    take: Callable[[Queue, int], Statement] = _from_queue
    """What takes so many of a queue at most."""
    ledger: Callable[[EngineAccess], Ledger] = _as_it_is
    """What prices their calls."""


AT_ONCE = Terms()


class JobClaims:
    """Claims the jobs of one engine."""

    def __init__(
        self,
        db: Database,
        access: EngineAccess,
        configs: Configs,
        owner: UUID,
        terms: Terms = AT_ONCE,
    ) -> None:
        self._db = db
        self._access = access
        self._configs = configs
        self._owner = owner
        self._terms = terms
        self._asks = recent_asks(db)
        self._scores = recent_scores(db)
        self._shows = Shows(db)

    async def claim(self, queue: Queue, claim: UUID, most: int) -> Claimed:
        """Lease jobs and reserve their first calls."""
        found = await self._db.run_each(self._statements(queue, claim, most))
        taken, judged, late, rows = found[0], found[-3], found[-2], found[-1]
        await self._give_back([row for row in judged if not row["reserved"]])
        answers = {row["id"]: row["answer"] for row in judged}
        answers |= {row["job_id"]: row["answer"] for row in late}
        # of an earlier try of this claim, whose COMMIT went through unheard
        answers |= {row["id"]: row["known"] for row in rows if row["known"] is not None}
        asks = await self._asks.of({row["ask_id"] for row in rows})
        scores = await self._scores.of({row["scores"] for row in rows})
        held = [
            Held(
                Lease(self._terms.stage, row["id"], claim),
                row["line_id"],
                await self._job(row, asks[row["ask_id"]], scores[row["scores"]], answers),
                alone=row["deaths"] > 0,
            )
            for row in rows
        ]
        return Claimed(len(taken), held)

    def _statements(self, queue: Queue, claim: UUID, most: int) -> list[Statement]:
        deployment, per_day = self._access.deployment, self._configs.current.limits.usd_per_day
        ledger = self._terms.ledger(self._access)
        price = ledger.price(queue.model)
        name, take = self._terms.take(queue, most)
        shared = {"claim": claim, "owner": self._owner}
        reserve = {
            "kind": deployment.config.kind,
            "host": deployment.host,
            "zone": deployment.zone,
            "stand_in": deployment.stand_in,
            "usd_per_day": per_day,
            "usd_per_call": ledger.most_per_call,
            "usd_per_input": price.input_per_mtok / MILLION if price else None,
            "usd_per_output": price.output_per_mtok / MILLION if price else None,
            "versions": _versions(
                queue.model, examples=deployment.config.carries_examples(queue.model)
            ),
            "answerer": self._access.answerer(queue.model),
        }
        return [
            (name, {**shared, **take, "lease_s": LEASE_S}),
            *budget_locks(deployment.zone, per_day, claim=claim),
            ("run/reserve", {**shared, **reserve}),
            ("run/known", shared),
            ("run/claim", shared),
        ]

    async def _give_back(self, rows: Sequence[Row]) -> None:
        """What was taken and may not run now: a twin waits, a budget holds, the policy refuses."""
        if not rows:
            return
        refused = [row["id"] for row in rows if row["short_of"] == "policy"]
        twins = [row["id"] for row in rows if row["short_of"] == "twin"]
        short = [row for row in rows if row["short_of"] in SHORT_OF]
        statements: list[Statement] = []
        if short:
            holds = _holds(short, self._configs.current.limits.usd_per_day)
            statements.append(("run/hold", {"rows": as_json(holds)}))
            statements.append(
                put_back(self._terms.stage, [row["id"] for row in short], self._owner)
            )
        if twins:
            statements.append(put_back(self._terms.stage, twins, self._owner, self._terms.twin_s))
        if refused:
            logger().error(
                "jobs that must stay in the building stood in a queue that leaves it; nothing of "
                "them was sent, and they stand in no queue now: `docmill reroute` their batches",
                engine=self._access.deployment.name,
                jobs=refused,
            )
            statements.append(
                (
                    "run/drop_refused",
                    {"ids": refused, "owner": self._owner, "stage": self._terms.stage},
                )
            )
        await self._db.run_all(statements)

    async def _job(self, row: Row, ask: Row, scores: Scores, answers: Mapping[int, Any]) -> Job:
        broken, pieces = row["broken"], row["pieces"] or ()
        own = tuple(source_of(piece) for piece in pieces if not piece["beside"])
        shown = await self._shown(row, ask, own) if ask["examples"] is not None else None
        return Job(
            id=row["id"],
            batch_id=row["batch_id"],
            facts=facts({**row, "place": ask["place"]}),
            place=Place(Zone(row["zone"]), row["engine"], row["model"]),
            step=row["step"],
            config=await self._configs.of(row["configuration_id"]),
            ask_id=row["ask_id"],
            ask=ask["text"],
            schema=ask["json_schema"],
            own=OwnChecks.from_json(ask["checks"]) if ask["checks"] is not None else None,
            pieces=own,
            beside=tuple(source_of(piece) for piece in pieces if piece["beside"]),
            attempts=row["attempts"],
            deaths=row["deaths"],
            call_id=row["call_id"],
            earlier=row["earlier"] or {},
            known=_known(answers.get(row["id"])),
            is_answered=row["is_answered"],
            is_part=row["parent_id"] is not None,
            level=row["found_level"] or row["level"],
            found=tuple(map(found_of, row["found"] or ())) if broken is None else (),
            broken=Failure(**broken) if broken is not None else None,
            scores=scores,
            accept_error=row["accept_error"],
            important=tuple(ask["important"]),
            reading=_reading(row["reading"]),
            prompt=ask["prompt"],
            shown=shown,
        )

    async def _shown(self, row: Row, ask: Row, pieces: Sequence[Source]) -> Shown | None:
        about = About(
            ask,
            TaskType(row["task"]),
            text_of(pieces),
            row["document_sha256"],
            row["gold_version"],
            Zone(row["zone"]),
            self._access.deployment.config.context_tokens,
        )
        return await self._shows.shown(about)

    async def release(self, held: Sequence[Held]) -> None:
        """Back in line, without a trace."""
        ids = [item.lease.item for item in held]
        unused = [item.payload.call_id for item in held]
        await self._db.run_all(
            [("calls/drop", {"ids": unused}), put_back(self._terms.stage, ids, self._owner)]
        )


@lru_cache(maxsize=64)
def _versions(model: str, *, examples: bool) -> Jsonb:
    """What the answers of a model follow from, besides ask and text: each version of the prompt of
    each task, and the current one, which has no number."""
    rows = [
        {
            "task": task,
            "prompt": number,
            "version": manner(task, model, number=number, examples=examples).version,
        }
        for task in TaskType
        for number in (None, *numbers(task))
    ]
    return as_json(rows)


def facts(row: Row) -> Facts:
    """What the row of a job says of it."""
    return Facts(
        task=TaskType(row["task"]),
        found_by=Finder(row["found_by"]),
        confidence=row["confidence"],
        language=row["language"],
        tokens=row["tokens"],
        scope=Scope.CHUNK if row["chunk_id"] is not None else Scope.DOCUMENT,
        local_only=row["stays"],
        pinned=row["stays"],
        allow_provider_batch=row["allow_provider_batch"],
        place=row["place"],
    )


def _holds(rows: Iterable[Row], usd_per_day: Decimal | None) -> list[HoldRow]:
    """One hold for each budget that is used up; the first job that it does not cover says which."""
    holds: dict[tuple[int | None, HoldCode], HoldRow] = {}
    for row in rows:
        spent, budget = (
            (row["day_usd"], usd_per_day)
            if row["short_of"] == "day"
            else (row["batch_usd"], row["max_cost_usd"])
        )
        about = {"model": row["model"], "spent_usd": spent, "budget_usd": budget}
        under_way = bool(row["under_way"])
        hold = judge_budget(row["batch_id"], row["short_of"], about, under_way=under_way).hold
        holds.setdefault((hold.batch_id, hold.code), hold)
    return list(holds.values())


def source_of(piece: Mapping[str, Any]) -> Source:
    """A chunk as a row names it."""
    first, last = piece["pages"]
    return Source(piece["start"], piece["text"], piece["ordinal"], (first, last))


def found_of(part: Mapping[str, Any]) -> Found:
    """What a part came to, as a row names it."""
    call_id, fields = UUID(part["call_id"]), _checks(part["fields"])
    return Found(part["part"], part["value"], call_id, fields, part["spans"] or {})


def _checks(stored: Mapping[str, Any] | None) -> dict[str, FieldCheck]:
    return {path: FieldCheck.from_json(check) for path, check in (stored or {}).items()}


def _reading(row: Mapping[str, Any] | None) -> Reading | None:
    if row is None:
        return None
    return Reading(
        row["value"],
        UUID(row["call_id"]),
        tuple(row["asked"]),
        row["by"],
        row["short_of"],
        _checks(row["fields"]),
    )


def _known(answer: Mapping[str, Any] | None) -> KnownAnswer | None:
    if answer is None:
        return None
    would = answer["would_have_cost_usd"]
    return KnownAnswer(
        UUID(answer["call_id"]), answer["value"], Decimal(str(would)) if would is not None else None
    )
