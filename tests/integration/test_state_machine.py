"""The real statements on a real Postgres against a small model of what may become of a job.

Workers, the leader, time and the user take turns in any order; each worker acts on what it believes
to hold, which may long be somebody else's.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from math import ceil
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from models.config import EscalationConfig
from models.failure import Failure
from models.states import JOB_CHANGES, CallState, JobState
from models.words import INGEST, Queue, Stage
from tests.recount import offences
from tests.rows import (
    CLASSIFY,
    FRONTIER,
    LOCAL,
    LOCAL_TOO,
    Batch,
    Connection,
    add_batch,
    add_unread,
    column,
    let_lapse,
    make_due,
    rows,
)
from tests.statements import Worker, as_json, bring_due, run, run_producer
from worker.calls.ledger import CallRow
from worker.calls.retry import GiveUp, Retry, Wait
from worker.flow.housekeeping import BEGINNING
from worker.route import Place
from worker.run.outcome import Done, Escalate, Outcome, Part, Reread, Split, Turn
from worker.settings import LEASE_S

JOB_KILLS, DOCUMENT_KILLS = 3, 2
MOST = 3
FAULT = Failure("bad_json", "run", True, "no")
PLACES = (LOCAL, LOCAL_TOO, FRONTIER)
NEVER = datetime.max.replace(tzinfo=UTC)
DEADLINES = (datetime(2026, 12, 1, tzinfo=UTC), datetime(2026, 12, 2, tzinfo=UTC), NEVER)
HOLDS: tuple[dict[str, str], ...] = (
    {"zone": "frontier"},
    {"engine": "local", "model": "m"},
    {"engine": "local"},
    {},
)

NO_CAP = EscalationConfig.model_construct(share=1_000.0)
"""A job that failed and is tried again counts again."""

workers = st.integers(0, 1)
endings = st.sampled_from(
    ["done", "split", "give up", "escalate", "reread", "wait", "wait long", "retry", "done"]
)
batches = st.integers(0, 1)


@dataclass
class Item:
    """What the model knows of a document that is read, or of a job."""

    batch: int
    queue: str
    state: str
    where: str | None = "waiting"
    """waiting, delayed, leased; None: nowhere."""
    owner: UUID | None = None
    lapsed: bool = False
    kills: int = 0


@dataclass
class Job(Item):
    """And of a job in particular."""

    place: Place = LOCAL
    attempts: int = 0
    waits: int = 0
    chain: int = 0
    document: int = 0
    whole: bool = False
    known: bool = False
    """Its task type was found, though it may not have been written on it."""
    parent: int | None = None
    parts: list[int] = field(default_factory=list)
    answer: UUID | None = None
    calls: dict[UUID, str] = field(default_factory=dict)


@dataclass
class Lot:
    """What the model knows of a batch."""

    batch: Batch
    state: str = "running"
    priority: int = 0
    deadline: datetime = NEVER
    over: bool = False
    holds: list[dict[str, str]] = field(default_factory=list)

    @property
    def rank(self) -> tuple[int, datetime]:
        """The least goes first."""
        return -self.priority, self.deadline


@dataclass
class Believer:
    """A worker and what it believes to hold: job -> its call."""

    worker: Worker
    jobs: dict[int, UUID] = field(default_factory=dict)
    pairs: dict[int, UUID | None] = field(default_factory=dict)
    documents: set[int] = field(default_factory=set)

    @property
    def owner(self) -> UUID:
        return self.worker.owner


class Machine(RuleBasedStateMachine):
    """Every rule runs the statements and says what they must have done."""

    db: Connection

    def __init__(self) -> None:
        super().__init__()
        self.db.execute("SELECT setseed(0)")  # takes draw lots; a run must be repeatable
        self.lots = [Lot(add_batch(self.db, priority=n), priority=n) for n in (0, 1)]
        self.workers = [Believer(Worker(self.db)) for _ in range(2)]
        self.jobs: dict[int, Job] = {}
        self.documents: dict[int, Item] = {}
        self.everywhere: list[dict[str, str]] = []
        for number in (0, 1):
            self.submit(number)
            self.read_all()

    # --- submit and ingest

    @rule(batch=batches)
    def submit(self, batch: int) -> None:
        lot = self.lots[batch]
        if len(self.documents) < 5 and lot.state == "running" and not lot.over:
            [document] = add_unread(self.db, lot.batch)
            self.documents[document] = Item(batch, INGEST.name, "pending")

    @rule(who=workers)
    def take_documents(self, who: int) -> None:
        believer = self.workers[who]
        taken = believer.worker.take(INGEST, MOST)
        self._took(taken, self.documents, INGEST, MOST, believer.owner)
        believer.documents |= set(taken)
        for document in taken:
            page = {"id": document, "page": 1, "text": "x", "notes": []}
            run(self.db, "ingest/keep_page", **page, owner=believer.owner)

    @precondition(lambda self: self._believe("documents"))
    @rule(who=workers, ending=st.sampled_from(["read", "blank", "again", "failed", "release"]))
    def finish_documents(self, who: int, ending: str) -> None:
        believer = self._who(who, "documents")
        held = self._still_held(believer.owner, believer.documents, self.documents)
        ids, believer.documents = sorted(believer.documents), set()
        match ending:
            case "read" | "blank":
                self._write_documents(believer.owner, ids, held, blank=ending == "blank")
            case "release":
                believer.worker.release(ids, Stage.INGEST)
                self._to_line(self.documents[i] for i in held)
            case _:
                self._fail_documents(believer.owner, ids, held, again=ending == "again")

    def _write_documents(
        self, owner: UUID, ids: list[int], held: list[int], *, blank: bool
    ) -> None:
        made = [] if blank else [row for i in ids for row in self._jobs_of(i)]
        chunks = [
            {"document_id": i, "ordinal": n, "page_from": 1, "page_to": 1, "char_start": n}
            | {"char_end": n + 1, "tokens": 1, "text": f"{i} {n}"}
            for i in ids
            for n in range(1, 5)
        ]
        documents = [
            {"id": i, "state": "skipped" if blank else "ready", "pages": 1, "notes": []}
            | {"jobs_total": n, "jobs_finished": min(n, 1)}
            for i in ids
            for n in [sum(row["document_id"] == i for row in made)]
        ]
        given = {
            "documents": documents,
            "chunks": [] if blank else chunks,
            "boxes": [],
            "jobs": made,
        }
        run(
            self.db,
            "ingest/finish",
            **{name: as_json(part) for name, part in given.items()},
            owner=owner,
        )
        for i in held:
            self._leave(self.documents[i], "skipped" if blank else "ready")
            self._learn_jobs(i)

    def _jobs_of(self, document: int) -> list[dict[str, Any]]:
        """Two chunks for the local engine, one for the frontier, one to be classified or blank, and
        the whole document."""
        lot = self.lots[self.documents[document].batch]
        row: dict[str, Any] = {"document_id": document, "ask_id": lot.batch.ask, "tokens": 1}
        ready = row | {"state": "ready", "task": "summary", "found_by": "user", "fixed_tokens": 1}
        local = {"zone": "local", "engine": "local", "model": "m"}
        key = {"classify_key": str(uuid4())}
        return [
            ready | local | {"chunk": 1},
            ready | {"chunk": 2, "zone": "frontier", "engine": "frontier", "model": "m"},
            row | local | key | {"chunk": 3, "state": "pending", "fixed_tokens": 1},
            row | {"chunk": 4, "state": "skipped", "reason": "blank", "fixed_tokens": 0},
            ready | local | {"chunk": None},
        ]

    def _learn_jobs(self, document: int) -> None:
        found = rows(
            self.db,
            "SELECT id, state, zone, engine, model, chunk_id IS NULL, queue FROM "
            "(SELECT *, coalesce(docmill_queue(state, engine, model), '') AS queue FROM jobs) j "
            "WHERE document_id = %s",
            document,
        )
        for job, state, zone, engine, model, whole, queue in found:
            place = Place(zone, engine, model)
            batch = self.documents[document].batch
            where = "waiting" if state != "skipped" else None
            self.jobs[job] = Job(
                batch, queue, state, where, place=place, document=document, whole=whole
            )

    def _fail_documents(self, owner: UUID, ids: list[int], held: list[int], *, again: bool) -> None:
        state = "pending" if again else "failed"
        given = {"state": state, "kills": int(again), "delay_s": 60 if again else None}
        run(
            self.db,
            "ingest/fail",
            rows=as_json([{"id": i, "error": FAULT.as_json(), **given} for i in ids]),
            owner=owner,
        )
        for i in held:
            self.documents[i].kills += again
            self._leave(self.documents[i], state, "delayed" if again else None)

    def read_all(self) -> None:
        """What a fresh batch needs before there is much to do."""
        self.take_documents(0)
        self.finish_documents(0, "read")

    # --- classify

    @rule(who=workers, again=st.booleans())
    def classify(self, who: int, again: bool) -> None:
        believer, claim = self.workers[who], uuid4()
        for _ in range(1 + again):
            found = believer.worker.classify(CLASSIFY, MOST, claim)
        self._took([row["id"] for row in found], self.jobs, CLASSIFY, MOST, believer.owner)
        for row in found:
            assert (row["task"] is not None, row["to_ask"]) == (
                self.jobs[row["id"]].known,
                not self.jobs[row["id"]].known,
            )
            believer.pairs[row["id"]] = row["call_id"]
            if row["call_id"] is not None:
                self.jobs[row["id"]].calls[row["call_id"]] = "reserved"

    @precondition(lambda self: self._believe("pairs"))
    @rule(who=workers, frontier=st.booleans(), found=st.booleans(), twice=st.booleans())
    def sort(self, who: int, frontier: bool, found: bool, twice: bool) -> None:
        """A verdict, or none: then the job goes back in line for a while."""
        believer = self._who(who, "pairs")
        pairs, believer.pairs = believer.pairs, {}
        held = self._still_held(believer.owner, pairs, self.jobs)
        place = FRONTIER if frontier else LOCAL_TOO
        verdict = {"task": "summary", "found_by": "model", "confidence": 0.5}
        keys = dict(
            rows(
                self.db, "SELECT id, classify_key::text FROM jobs WHERE id = ANY (%s)", list(pairs)
            )
        )
        tried = [
            {"key": keys[job], "job_id": job, "waits": 0, "deaths": 0, "attempts": 1}
            for job in pairs
        ]
        route = {"state": "ready", "zone": place.zone, "engine": place.engine, "model": place.model}
        for _ in range(1 + twice):
            believer.worker.settle(*(asdict(_settled(call)) for call in pairs.values() if call))
            if found:
                tried = [{**one, **verdict, "attempts": 0} for one in tried]
                routed = [{**verdict, **route, "job_id": job, "fixed_tokens": 1} for job in pairs]
                run(self.db, "classify/verdicts", rows=as_json(tried))
                run(self.db, "classify/finish", rows=as_json(routed), owner=believer.owner)
            else:
                run(self.db, "classify/verdicts", rows=as_json(tried))
                believer.worker.release(list(pairs), Stage.CLASSIFY, delay_s=60)
        for job, call in pairs.items():
            self._settled(job, call)
        for job in held:
            known = self.jobs[job]
            if found:
                known.place, known.queue = place, place.queue.name
                self._leave(known, "ready", "waiting")
            else:
                self._leave(known, "pending", "delayed")
        known_now = column(self.db, "SELECT key::text FROM classifications WHERE task IS NOT NULL")
        for job, key in keys.items():
            self.jobs[job].known = key in known_now

    # --- run

    @rule(who=workers, place=st.sampled_from(PLACES), again=st.booleans())
    def claim(self, who: int, place: Place, again: bool) -> None:
        """Also twice under one id, as after a COMMIT whose answer was lost."""
        believer, claim = self.workers[who], uuid4()
        for _ in range(1 + again):
            got = believer.worker.claim(place, MOST, claim=claim)
        assert sorted(got.taken) == sorted(got.rows)
        self._took(got.taken, self.jobs, place.queue, MOST, believer.owner)
        for job, row in got.rows.items():
            known = self.jobs[job]
            assert row["attempts"] == known.attempts
            assert (row["level"], row["broken"] is None) == (
                int(known.parent is not None),
                all(self.jobs[part].state == "done" for part in known.parts),
            )
            known.calls[row["call_id"]] = "reserved"
        believer.jobs |= got.calls

    @precondition(lambda self: self._believe("jobs"))
    @rule(who=workers)
    def renew(self, who: int) -> None:
        believer = self._who(who, "jobs")
        kept = believer.worker.renew(list(believer.jobs))
        assert kept == set(self._still_held(believer.owner, believer.jobs, self.jobs))
        for job in kept:
            self.jobs[job].lapsed = False
        believer.jobs = {job: call for job, call in believer.jobs.items() if job in kept}

    @precondition(lambda self: self._believe("jobs"))
    @rule(who=workers, delay=st.booleans())
    def release(self, who: int, delay: bool) -> None:
        """What has not begun goes back without a trace, though it was given up as lost."""
        believer = self._who(who, "jobs")
        held = self._still_held(believer.owner, believer.jobs, self.jobs)
        believer.worker.release(
            list(believer.jobs),
            delay_s=60 if delay else None,
            unused=list(believer.jobs.values()),
        )
        for job, call in believer.jobs.items():
            if self.jobs[job].calls[call] in ("reserved", "lost"):
                del self.jobs[job].calls[call]
        self._to_line((self.jobs[job] for job in held), "delayed" if delay else "waiting")
        believer.jobs = {}

    @precondition(lambda self: self._believe("jobs"))
    @rule(who=workers, endings=st.lists(endings, min_size=1, max_size=4), twice=st.booleans())
    def finish(self, who: int, endings: list[str], twice: bool) -> None:
        """Also twice, as after a connection that broke at the commit, and also too late."""
        believer = self._who(who, "jobs")
        ended = dict(sorted(believer.jobs.items())[: len(endings)])
        held = self._still_held(believer.owner, ended, self.jobs)
        turns = [
            Turn(job, 0, self._outcome(job, call, ending), [_settled(call)])
            for (job, call), ending in zip(ended.items(), endings, strict=False)
        ]
        for _ in range(1 + twice):
            believer.worker.finish(*turns)
        for job, call in ended.items():
            self._settled(job, call)
            del believer.jobs[job]
        for turn in turns:
            if turn.job_id in held:
                self._end(turn.job_id, turn.outcome)

    def _outcome(self, job: int, call: UUID, ending: str) -> Outcome:
        known = self.jobs[job]
        if ending == "split" and not (known.whole and not known.parts and not known.parent):
            ending = "done"
        if ending == "reread" and known.parent:  # a part is not looked up, for the whole is
            ending = "done"
        return {
            "done": Done({"a": 1}, True, None, call),
            "wait": Wait(FAULT, 0.0),
            "wait long": Wait(FAULT, 60.0),
            "retry": Retry(FAULT, 60.0),
            "give up": GiveUp(FAULT),
            "escalate": Escalate(LOCAL_TOO, known.chain + 1, known.place, FAULT),
            "reread": Reread(
                Done({"a": 1}, True, None, call),
                LOCAL_TOO,
                known.chain + 1,
                known.place,
                ("a",),
                "fields: a",
                Decimal(0),
                NO_CAP,
            ),
            "split": Split((Part(1, 1, 2, 2), Part(1, 3, 4, 2))),
        }[ending]

    def _end(self, job: int, outcome: Outcome) -> None:
        known = self.jobs[job]
        match outcome:
            case Done(call_id=call):
                assert known.answer is None
                known.attempts, known.answer = known.attempts + 1, call
                self._over(job, "done")
            case GiveUp():
                known.attempts += 1
                self._over(job, "failed")
            case Retry():
                known.attempts += 1
                self._leave(known, "ready", "delayed")
            case Wait(delay_s=delay_s):
                known.waits += 1
                self._leave(known, "ready", "delayed" if delay_s else "waiting")
            case Escalate(place=place) | Reread(place=place):
                known.place, known.queue = place, place.queue.name
                known.attempts, known.chain = 0, known.chain + 1
                self._leave(known, "ready", "waiting")
            case Split():
                self._leave(known, "ready", None)
                known.parts = column(
                    self.db, "SELECT id FROM jobs WHERE parent_id = %s ORDER BY first", job
                )
                assert len(known.parts) == 2
                for part in known.parts:
                    self.jobs[part] = Job(
                        known.batch, known.queue, "ready", place=known.place, parent=job
                    )

    @rule(
        who=workers,
        place=st.sampled_from(PLACES),
        endings=st.lists(endings, min_size=1, max_size=3),
    )
    def work(self, who: int, place: Place, endings: list[str]) -> None:
        """As things mostly go."""
        self.claim(who, place, False)
        if self.workers[who].jobs:
            self.finish(who, endings, False)

    @rule(who=workers, endings=st.lists(endings, min_size=3, max_size=3))
    def work_for_long(self, who: int, endings: list[str]) -> None:
        """Until little is left to do but what must wait."""
        for _ in range(3):
            self.moments_come()
            self.take_documents(who)
            self.finish_documents(who, "read")
            self.classify(who, False)
            self.sort(who, False, True, False)
            for place in (*PLACES, *PLACES):
                self.work(who, place, endings)

    # --- time and the leader

    @precondition(lambda self: self._where("leased"))
    @rule(numbers=st.sets(st.integers(0, 19), min_size=1))
    def leases_run_out(self, numbers: set[int]) -> None:
        leased = [*self._leased(self.jobs), *self._leased(self.documents)]
        ids = {leased[n][0] for n in numbers if n < len(leased)}
        let_lapse(self.db, list(ids))
        for i, item in leased:
            item.lapsed = item.lapsed or i in ids

    @precondition(lambda self: any(item.lapsed for item in self._all()))
    @rule()
    def reap(self) -> None:
        kills = {"job_kills": JOB_KILLS, "document_kills": DOCUMENT_KILLS}
        [found] = run(self.db, "flow/reap", since=BEGINNING, most=500, **kills)
        documents = [i for _, i in self._leased(self.documents) if i.lapsed]
        late = [(n, job) for n, job in self._leased(self.jobs) if isinstance(job, Job)]
        late = [(n, job) for n, job in late if job.lapsed]
        assert found["all_of_them"] == len(documents) + len(late)
        for document in documents:
            document.kills += 1
            over = document.kills >= DOCUMENT_KILLS
            self._leave(document, "failed" if over else "pending", None if over else "waiting")
        for number, job in late:
            job.calls = {c: "lost" if s == "reserved" else s for c, s in job.calls.items()}
            job.kills += job.state == "ready"
            if job.kills >= JOB_KILLS and job.state == "ready":
                self._over(number, "failed")
            else:
                self._leave(job, job.state, "waiting")

    @rule(
        who=workers,
        place=st.sampled_from(PLACES),
        endings=st.lists(endings, min_size=1, max_size=3),
    )
    def somebody_else_takes_over(self, who: int, place: Place, endings: list[str]) -> None:
        """A worker is stopped in the middle of its work, and wakes up when others are at it."""
        self.claim(who, place, False)
        self.classify(who, False)
        self.leases_run_out(set(range(20)))
        self.reap()
        self.claim(1 - who, place, False)
        self.classify(1 - who, False)
        if self.workers[who].jobs:
            self.finish(who, endings, False)
        if self.workers[who].pairs:
            self.sort(who, False, True, False)

    @precondition(lambda self: self._where("delayed"))
    @rule()
    def moments_come(self) -> None:
        make_due(self.db)
        bring_due(self.db)
        for item in self._all():
            if item.where == "delayed":
                item.where = "waiting"

    @rule()
    def fold(self) -> None:
        self.db.execute("UPDATE counts SET at = at - interval '21 seconds'")
        run(self.db, "flow/fold_counts", after=0)
        run(self.db, "flow/fold_spend", after=0)
        assert column(self.db, "SELECT 1 FROM counts WHERE NOT folded") == []
        assert column(self.db, "SELECT 1 FROM spend WHERE NOT folded") == []

    @rule()
    def look_after_lines(self) -> None:
        run(self.db, "flow/refresh_lines", after=0)
        run(self.db, "flow/move_heads", after=0)

    @rule()
    def look_for_calls_without_a_lease(self) -> None:
        run(self.db, "flow/reap_calls", lease_s=LEASE_S)

    @precondition(lambda self: any(lot.state == "cancelled" for lot in self.lots))
    @rule()
    def sweep(self) -> None:
        run(self.db, "flow/sweep_cancelled")
        for item in self._all():
            lot = self.lots[item.batch]
            if lot.state == "cancelled" and not lot.over and item.where in ("waiting", "delayed"):
                item.where = None

    @rule()
    def close(self) -> None:
        run(self.db, "flow/close_batches", ids=[lot.batch.id for lot in self.lots])
        for number, lot in enumerate(self.lots):
            items = [item for item in self._all() if item.batch == number]
            busy = any(item.where == "leased" for item in items)
            to_do = any(
                item.state == "pending" or (isinstance(item, Job) and item.state == "ready")
                for item in items
            )
            if lot.state == "running" and not busy and not to_do:
                lot.state, lot.over = "finished", True
            elif lot.state == "cancelled" and all(item.where is None for item in items):
                lot.over = True

    # --- the user

    @rule(batch=batches)
    def pause(self, batch: int) -> None:
        self._user("pause", batch)
        if self.lots[batch].state == "running":
            self.lots[batch].state = "paused"

    @precondition(
        lambda self: any(lot.state == "paused" or lot.holds for lot in self.lots) or self.everywhere
    )
    @rule(batch=batches)
    def resume(self, batch: int) -> None:
        """Lifts what concerns a line of it."""
        lot = self.lots[batch]
        lines = rows(
            self.db, "SELECT zone, engine, model FROM lines WHERE batch_id = %s", lot.batch.id
        )
        held = [
            hold
            for hold in (*lot.holds, *self.everywhere)
            if any(_concerns(hold, *line) for line in lines)
        ]
        self._user("resume", batch, max_cost=None)
        if lot.state == "paused" or (lot.state == "running" and held):
            lot.state = "running"
            lot.holds = [hold for hold in lot.holds if hold not in held]
            self.everywhere = [hold for hold in self.everywhere if hold not in held]

    @rule(batch=batches, really=st.integers(0, 9))
    def cancel(self, batch: int, really: int) -> None:
        if really == 7:  # rarely: nothing much happens afterwards
            self._user("cancel", batch)
            if self.lots[batch].state in ("running", "paused"):
                self.lots[batch].state = "cancelled"

    @rule(batch=batches, priority=st.integers(0, 1))
    def prioritise(self, batch: int, priority: int) -> None:
        self._user("priority", batch, priority=priority)
        self.lots[batch].priority = priority

    @rule(batch=batches, deadline=st.sampled_from(DEADLINES))
    def put_off(self, batch: int, deadline: datetime) -> None:
        due = None if deadline == NEVER else deadline
        self.db.execute(
            "UPDATE batches SET deadline = %s WHERE id = %s", (due, self.lots[batch].batch.id)
        )
        self.lots[batch].deadline = deadline

    @rule(batch=st.sampled_from([0, 1, None]), about=st.sampled_from(HOLDS))
    def hold(self, batch: int | None, about: dict[str, str]) -> None:
        lot = self.lots[batch] if batch is not None else None
        given = {"batch_id": lot.batch.id if lot else None, "code": "test", **about}
        self.db.execute(
            f"INSERT INTO holds ({', '.join(given)}) "
            f"VALUES ({', '.join(['%s'] * len(given))}) ON CONFLICT DO NOTHING",
            list(given.values()),
        )
        holds = lot.holds if lot else self.everywhere
        if about not in holds:
            holds.append(about)

    @precondition(lambda self: any(lot.holds for lot in self.lots) or self.everywhere)
    @rule()
    def lift(self) -> None:
        self.db.execute("UPDATE holds SET until = now()")
        run(self.db, "flow/end_holds")
        self.everywhere = []
        for lot in self.lots:
            lot.holds = []

    @precondition(lambda self: any(item.state == "failed" for item in self._all()))
    @rule(batch=batches)
    def retry(self, batch: int) -> None:
        lot = self.lots[batch]
        if lot.state == "cancelled":
            return  # the command refuses before it comes to the statement
        self._user("retry_documents", batch, reason=None, most=100)
        self._user("retry", batch, reason=None, most=100)
        documents = [i for i in self.documents.values() if (i.batch, i.state) == (batch, "failed")]
        failed = [
            job
            for job in self.jobs.values()
            if (job.batch, job.state, job.parent) == (batch, "failed", None)
        ]
        parts = [
            self.jobs[p] for job in failed for p in job.parts if self.jobs[p].state == "failed"
        ]
        for document in documents:
            document.state, document.kills, document.where = "pending", 0, "waiting"
        for job in (*failed, *parts):
            assert JobState.READY in JOB_CHANGES[JobState(job.state)]
            job.state, job.attempts, job.kills, job.waits = "ready", 0, 0, 0
        for job in (*failed, *parts):
            job.where = None if self._open_parts(job) else "waiting"
        if lot.state == "finished" and (documents or failed):
            lot.state, lot.over = "running", False

    # --- what must always hold

    @invariant()
    def every_sum_equals_a_recount_and_everything_stands_in_one_place(self) -> None:
        assert offences(self.db) == []

    @invariant()
    def jobs_are_what_the_model_says(self) -> None:
        found = rows(
            self.db,
            "SELECT j.id, j.state, j.engine, j.model, j.attempts, j.waits, j.kills, j.open_parts, "
            "s.owner FROM jobs j LEFT JOIN leases s ON s.item_id = j.id AND s.stage <> 'ingest'",
        )
        assert {row[0]: row[1:] for row in found} == {
            number: (
                *(job.state, job.place.engine, job.place.model, job.attempts, job.waits),
                *(job.kills, self._open_parts(job), job.owner),
            )
            for number, job in self.jobs.items()
        }

    @invariant()
    def documents_are_what_the_model_says(self) -> None:
        found = rows(
            self.db,
            "SELECT d.id, d.state, d.kills, s.owner FROM documents d "
            "LEFT JOIN leases s ON s.item_id = d.id AND s.stage = 'ingest'",
        )
        expected = {i: (self._shown(i), d.kills, d.owner) for i, d in self.documents.items()}
        assert {row[0]: row[1:] for row in found} == expected

    @invariant()
    def everything_waits_where_the_model_says(self) -> None:
        for where in ("waiting", "delayed"):
            found = Counter(
                rows(
                    self.db,
                    f"SELECT l.queue, w.item_id FROM {where} w JOIN lines l ON l.id = w.line_id",
                )
            )
            assert found == Counter(
                (item.queue, number)
                for items in (self.jobs, self.documents)
                for number, item in items.items()
                if item.where == where
            )

    @invariant()
    def the_ledger_and_the_answers_are_what_the_model_says(self) -> None:
        found = dict(rows(self.db, "SELECT id, state FROM calls"))
        assert found == {c: s for job in self.jobs.values() for c, s in job.calls.items()}
        answers = dict(rows(self.db, "SELECT job_id, call_id FROM answers"))
        assert answers == {i: job.answer for i, job in self.jobs.items() if job.state == "done"}

    @invariant()
    def batches_are_what_the_model_says(self) -> None:
        found = rows(self.db, "SELECT state, finished_at IS NOT NULL FROM batches ORDER BY id")
        assert found == [(lot.state, lot.over) for lot in self.lots]

    def teardown(self) -> None:
        self.db.execute(
            "TRUNCATE batches, holds, waiting, delayed, leases, counts, spend, classifications "
            "RESTART IDENTITY CASCADE"
        )

    # --- the model's own

    def _believe(self, what: str) -> bool:
        return any(getattr(believer, what) for believer in self.workers)

    def _who(self, who: int, what: str) -> Believer:
        """That worker, or the other one where it believes to hold nothing."""
        believer = self.workers[who]
        return believer if getattr(believer, what) else self.workers[1 - who]

    def _where(self, where: str) -> bool:
        return any(item.where == where for item in self._all())

    def _all(self) -> list[Item]:
        return [*self.jobs.values(), *self.documents.values()]

    def _leased(self, items: Mapping[int, Item]) -> list[tuple[int, Item]]:
        return [(number, item) for number, item in items.items() if item.where == "leased"]

    def _still_held(
        self, owner: UUID, believed: Iterable[int], items: Mapping[int, Item]
    ) -> list[int]:
        return [number for number in believed if items[number].owner == owner]

    def _took(
        self, taken: list[int], items: Mapping[int, Item], queue: Queue, most: int, owner: UUID
    ) -> None:
        """The highest priority and nearest deadline alone, their lines alike, and no less than
        there is."""
        there = [number for number, item in items.items() if self._may_be_taken(item, queue)]
        first = min((self.lots[items[number].batch].rank for number in there), default=None)
        there = [number for number in there if self.lots[items[number].batch].rank == first]
        lines = Counter(items[number].batch for number in there)
        share = ceil(most / len(lines)) if lines else 0
        assert set(taken) <= set(there)
        assert len(taken) == min(most, sum(min(share, n) for n in lines.values()))
        assert all(n <= share for n in Counter(items[number].batch for number in taken).values())
        for number in taken:
            items[number].where, items[number].owner = "leased", owner

    def _may_be_taken(self, item: Item, queue: Queue) -> bool:
        lot = self.lots[item.batch]
        line = (LINES[queue.name], queue.engine or None, queue.model or None)
        held = any(_concerns(hold, *line) for hold in (*lot.holds, *self.everywhere))
        waits = item.where == "waiting" and item.queue == queue.name
        return waits and lot.state == "running" and not held

    def _leave(self, item: Item, state: str, where: str | None = None) -> None:
        if isinstance(item, Job) and state != item.state:
            assert JobState(state) in JOB_CHANGES[JobState(item.state)]
        item.state = state
        self._to_line([item], where)

    def _to_line(self, items: Iterable[Item], where: str | None = "waiting") -> None:
        for item in items:
            item.where, item.owner, item.lapsed = where, None, False

    def _over(self, number: int, state: str) -> None:
        """A job has ended; the last part of a document puts that back in line."""
        job = self.jobs[number]
        self._leave(job, state)
        if job.parent is not None and not self._open_parts(self.jobs[job.parent]):
            self.jobs[job.parent].where = "waiting"

    def _open_parts(self, job: Job) -> int:
        return sum(self.jobs[part].state == "ready" for part in job.parts)

    def _settled(self, job: int, call: UUID | None) -> None:
        if call is not None:
            self.jobs[job].calls[call] = "settled"

    def _shown(self, document: int) -> str:
        """A document that was read is done once all its jobs are."""
        item = self.documents[document]
        jobs = [job for job in self.jobs.values() if job.document == document]
        over = all(job.state in ("done", "failed", "skipped") for job in jobs)
        return "done" if item.state == "ready" and over else item.state

    def _user(self, name: str, batch: int, **params: Any) -> None:
        run_producer(self.db, name, batch=self.lots[batch].batch.id, **params)


LINES = {
    INGEST.name: None,
    CLASSIFY.name: "local",
    **{place.queue.name: str(place.zone) for place in PLACES},
}
"""By queue: the zone of its lines."""


def _concerns(
    hold: Mapping[str, str], zone: str | None, engine: str | None, model: str | None
) -> bool:
    line = {"zone": zone, "engine": engine, "model": model}
    return all(line[name] == said for name, said in hold.items())


def _settled(call: UUID) -> CallRow:
    return CallRow(call, CallState.SETTLED, input_tokens=1, output_tokens=1)


@pytest.mark.timeout(1_800)
def test_any_order_of_events_leaves_everything_as_the_model_says(
    db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    db.execute("SET synchronous_commit = off")
    monkeypatch.setattr(Machine, "db", db, raising=False)
    machine = Machine.TestCase()
    machine.settings = settings(
        max_examples=settings.default.max_examples // 4,  # each is sixty steps, with a recount
        stateful_step_count=60,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    machine.runTest()
