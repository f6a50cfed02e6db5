"""The real statements on a real Postgres against a small model of what a job may do.

Workers, the reaper and the user take turns in any order; each worker acts on what it believes to
hold, which may long be somebody else's.
"""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb, set_json_dumps
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import psycopg as dialect

from models.failure import Failure
from models.sql import load_sql
from models.states import JOB_CHANGES, JobState
from models.words import Tier
from worker.calls.retry import GiveUp, Hold, Retry, Wait
from worker.jsonb import dumps
from worker.persist import job_row
from worker.route import Route
from worker.run.outcome import Done, Escalate, Turn
from worker.settings import LEASE_S

JOBS, WORKERS, MAX_KILLS = 4, 2, 3
WHERE = {"engine": "ollama", "host": "h:1", "stand_in": False}
FAULT = Failure("bad_json", "run", True, "no")
ENDINGS = ("done", "wait", "retry", "give up", "hold", "escalate")


@dataclass
class Job:
    """What the model knows of a job."""

    state: str = "ready"
    owner: UUID | None = None
    attempts: int = 0
    kills: int = 0
    waits: int = 0
    answer: UUID | None = None
    calls: dict[UUID, str] = field(default_factory=dict)


@dataclass
class Worker:
    """A worker and what it believes to hold: job -> its call."""

    owner: UUID = field(default_factory=uuid4)
    holds: dict[int, UUID] = field(default_factory=dict)


class Machine(RuleBasedStateMachine):
    """Every rule runs the statement and says what it must have done."""

    connection: "psycopg.Connection[dict[str, Any]]"

    def __init__(self) -> None:
        super().__init__()
        self.batch = self._one(
            "INSERT INTO batches (name, local_only) VALUES ('b', true) RETURNING id"
        )
        ask = self._one(
            "INSERT INTO asks (batch_id, ordinal, label, text, task, scope, documents) "
            "VALUES (%s, 1, 'a', 'a', 'extraction', 'chunk', '{}') RETURNING id",
            self.batch,
        )
        self.document = self._one(
            "INSERT INTO documents (batch_id, path, media_type, bytes, sha256, state, jobs_total) "
            "VALUES (%s, 'p', 'text/plain', 1, '', 'ready', %s) RETURNING id",
            self.batch,
            JOBS,
        )
        self.jobs: dict[int, Job] = {}
        for number in range(JOBS):
            chunk = self._one(
                "INSERT INTO chunks (document_id, ordinal, page_from, page_to, char_start, "
                "char_end, tokens, text) VALUES (%s, %s, 1, 1, 0, 1, 1, 'x') RETURNING id",
                self.document,
                number,
            )
            job = self._one(
                "INSERT INTO jobs (batch_id, local_only, document_id, chunk_id, ask_id, state, "
                "task, queue, model, tokens) VALUES (%s, true, %s, %s, %s, 'ready', 'extraction', "
                "'local', 'm', 1) RETURNING id",
                self.batch,
                self.document,
                chunk,
                ask,
            )
            self.jobs[job] = Job()
        self.workers = [Worker() for _ in range(WORKERS)]
        self.batch_state = "running"
        self.late: set[int] = set()

    # --- workers

    @rule(who=st.integers(0, WORKERS - 1), wanted=st.sets(st.integers(0, JOBS - 1), min_size=1))
    def claim(self, who: int, wanted: set[int]) -> None:
        """Messages may name anything, also what is held, done or cancelled."""
        worker, ids = self.workers[who], [self._id(number) for number in wanted]
        rows = self._run(
            "claim_ready", ids=ids, queue="local", owner=worker.owner, lease_s=LEASE_S,
            prices=Jsonb([]), versions=Jsonb([]), usd_per_day=None, fixed=Jsonb([]),
            answerer="ollama", **WHERE,
        )  # fmt: skip
        free = {i for i in ids if self.jobs[i].state == "ready" and self.batch_state == "running"}
        assert {row["id"] for row in rows} == free
        for row in rows:
            job = self.jobs[row["id"]]
            job.state, job.owner, job.attempts = "running", worker.owner, job.attempts + 1
            job.calls[row["call_id"]] = "reserved"
            worker.holds[row["id"]] = row["call_id"]
            assert row["attempts"] == job.attempts

    @rule(who=st.integers(0, WORKERS - 1))
    def renew(self, who: int) -> None:
        worker = self.workers[who]
        rows = self._run("renew_jobs", ids=list(worker.holds), owner=worker.owner, lease_s=LEASE_S)
        kept = {row["id"] for row in rows}
        assert kept == self._still_held(worker)
        self.late -= kept
        worker.holds = {job: call for job, call in worker.holds.items() if job in kept}

    @rule(who=st.integers(0, WORKERS - 1))
    def release(self, who: int) -> None:
        """Everything that has not begun goes back without a trace."""
        worker = self.workers[who]
        held = self._still_held(worker)
        self._run("release_jobs", ids=list(worker.holds), owner=worker.owner)
        for number in held:
            job = self.jobs[number]
            self._back(number, "ready")
            job.attempts -= 1
            del job.calls[worker.holds[number]]
        worker.holds = {}

    @rule(
        who=st.integers(0, WORKERS - 1),
        ending=st.sampled_from(ENDINGS),
        most=st.integers(1, JOBS),
        twice=st.booleans(),
    )
    def finish(self, who: int, ending: str, most: int, twice: bool) -> None:
        """Also twice, as after a connection that broke at the commit, and also too late."""
        worker = self.workers[who]
        ended = dict(sorted(worker.holds.items())[:most])
        if not ended:
            return
        held = self._still_held(worker) & ended.keys()
        turns = [_turn(job, call, ending) for job, call in ended.items()]
        for _ in range(1 + twice):
            with self.connection.transaction():
                self._run("settle_calls", calls=Jsonb([_settled(c) for c in ended.values()]))
                rows = Jsonb([job_row(turn) for turn in turns])
                self._run("finish_jobs", rows=rows, owner=worker.owner)
        for number, call in ended.items():
            self.jobs[number].calls[call] = "settled"
            del worker.holds[number]
        for number in held:
            self._end(number, ending, ended[number])

    def _end(self, number: int, ending: str, call: UUID) -> None:
        job = self.jobs[number]
        state = {"done": "done", "give up": "failed", "hold": "held"}.get(ending, "ready")
        self._back(number, state)
        job.attempts -= ending in ("wait", "hold", "escalate")
        job.waits += ending in ("wait", "hold")
        if ending == "done":
            assert job.answer is None
            job.answer = call

    # --- time and the feeder

    @rule(numbers=st.sets(st.integers(0, JOBS - 1), min_size=1))
    def leases_run_out(self, numbers: set[int]) -> None:
        ids = [self._id(number) for number in numbers]
        self._execute(
            "UPDATE jobs SET lease_until = now() - interval '1 second' "
            "WHERE id = ANY(%s) AND state = 'running'",
            ids,
        )
        self.late |= {i for i in ids if self.jobs[i].state == "running"}

    @rule(who=st.integers(0, WORKERS - 1))
    def somebody_else_takes_over(self, who: int) -> None:
        """What a stopped worker meets when it wakes up."""
        self.leases_run_out(set(range(JOBS)))
        self.reap()
        self.claim(who, set(range(JOBS)))

    @rule()
    def reap(self) -> None:
        (row,) = self._run("reap", max_kills=MAX_KILLS)
        assert row["jobs"] == len(self.late)
        for number in list(self.late):
            job = self.jobs[number]
            job.kills += 1
            job.attempts = max(job.attempts - 1, 0)
            job.calls = {c: "lost" if s == "reserved" else s for c, s in job.calls.items()}
            self._back(number, "failed" if job.kills >= MAX_KILLS else "ready")

    @rule()
    def close(self) -> None:
        before = {number: job.state for number, job in self.jobs.items()}
        self._run("close_batches")
        if self.batch_state == "cancelled":
            for job in self.jobs.values():
                if job.state in ("pending", "ready", "held"):
                    job.state = "cancelled"
        active = {"pending", "ready", "running"}
        if self.batch_state == "running" and not active & set(before.values()):
            self.batch_state = "finished"

    # --- the user

    @precondition(lambda self: self.batch_state == "running")
    @rule()
    def pause(self) -> None:
        self._user("pause")
        if self.batch_state == "running":
            self.batch_state = "paused"

    @rule()
    def resume(self) -> None:
        self._user("resume", max_cost=None)
        if self.batch_state == "cancelled":
            return
        held = [job for job in self.jobs.values() if job.state == "held"]
        for job in held:
            job.state = "ready"
        if self.batch_state == "paused" or held:
            self.batch_state = "running"

    @rule()
    def retry(self) -> None:
        if self.batch_state == "cancelled":
            return  # the command refuses before it comes to the statement
        self._user("retry", reason=None)
        failed = [job for job in self.jobs.values() if job.state == "failed"]
        for job in failed:
            job.state, job.attempts, job.kills, job.waits = "ready", 0, 0, 0
        if failed and self.batch_state == "finished":
            self.batch_state = "running"

    @precondition(lambda self: self.batch_state in ("running", "paused"))
    @rule(really=st.integers(0, 9))
    def cancel(self, really: int) -> None:
        if really:  # rarely: nothing much happens afterwards
            return
        self._user("cancel")
        self.batch_state = "cancelled"
        for job in self.jobs.values():
            if job.state in ("pending", "ready", "held"):
                job.state = "cancelled"

    # --- what must always hold

    @invariant()
    def rows_are_what_the_model_says(self) -> None:
        rows = self._query(
            "SELECT id, state, owner, attempts, kills, waits, lease_until FROM jobs "
            "WHERE batch_id = %s",
            self.batch,
        )
        found = {
            row["id"]: (row["state"], row["owner"], row["attempts"], row["kills"], row["waits"])
            for row in rows
        }
        assert found == {
            number: (job.state, job.owner, job.attempts, job.kills, job.waits)
            for number, job in self.jobs.items()
        }
        assert all((row["lease_until"] is None) == (row["state"] != "running") for row in rows)

    @invariant()
    def one_answer_for_each_done_job_and_none_for_others(self) -> None:
        rows = self._query(
            "SELECT job_id, call_id FROM answers WHERE job_id = ANY(%s)", list(self.jobs)
        )
        done = {number: job.answer for number, job in self.jobs.items() if job.state == "done"}
        assert {row["job_id"]: row["call_id"] for row in rows} == done
        assert len(rows) == len(done)

    @invariant()
    def the_ledger_is_what_the_model_says(self) -> None:
        rows = self._query("SELECT id, state FROM calls WHERE batch_id = %s", self.batch)
        known = {call: state for job in self.jobs.values() for call, state in job.calls.items()}
        assert {row["id"]: row["state"] for row in rows} == known

    @invariant()
    def the_document_counts_its_finished_jobs(self) -> None:
        (row,) = self._query(
            "SELECT state, jobs_finished FROM documents WHERE id = %s", self.document
        )
        over = [job.state for job in self.jobs.values()]
        finished = sum(state in ("done", "failed") for state in over)
        if self.batch_state != "cancelled":  # cancelled jobs count too, once they were swept
            assert row["jobs_finished"] == finished
            assert (row["state"] == "done") == (finished == JOBS)

    @invariant()
    def the_batch_is_what_the_model_says(self) -> None:
        assert self._one("SELECT state FROM batches WHERE id = %s", self.batch) == self.batch_state

    def teardown(self) -> None:
        self._execute("DELETE FROM batches WHERE id = %s", self.batch)

    # --- helpers

    def _id(self, number: int) -> int:
        return sorted(self.jobs)[number]

    def _still_held(self, worker: Worker) -> set[int]:
        return {number for number in worker.holds if self.jobs[number].owner == worker.owner}

    def _back(self, number: int, state: str) -> None:
        job = self.jobs[number]
        assert JobState(state) in JOB_CHANGES[JobState(job.state)]
        job.state, job.owner = state, None
        self.late.discard(number)

    def _run(self, name: str, **params: Any) -> list[dict[str, Any]]:
        return self._fetch(self.connection.execute(load_sql("worker", name), params))

    def _user(self, name: str, **params: Any) -> None:
        sql = text(load_sql("producer", name)).compile(dialect=dialect.dialect())
        self.connection.execute(str(sql), {"batch": self.batch, **params})

    def _execute(self, sql: str, *params: Any) -> None:
        self.connection.execute(sql, params)

    def _query(self, sql: str, *params: Any) -> list[dict[str, Any]]:
        return self._fetch(self.connection.execute(sql, params))

    def _one(self, sql: str, *params: Any) -> Any:
        return next(iter(self._query(sql, *params)[0].values()))

    def _fetch(self, cursor: "psycopg.Cursor[dict[str, Any]]") -> list[dict[str, Any]]:
        return cursor.fetchall() if cursor.description else []


def _turn(job: int, call: UUID, ending: str) -> Turn:
    match ending:
        case "done":
            return Turn(job, Done({"a": 1}, True, None, call))
        case "wait":
            return Turn(job, Wait(FAULT, 0.0))
        case "retry":
            return Turn(job, Retry(FAULT, 0.0))
        case "give up":
            return Turn(job, GiveUp(FAULT))
        case "hold":
            return Turn(job, Hold(FAULT, "top up"))
    return Turn(job, Escalate(Route(Tier.LOCAL, "other"), "m", FAULT))


def _settled(call: UUID) -> dict[str, Any]:
    return {"id": call, "state": "settled", "input_tokens": 1, "output_tokens": 1}


def test_any_order_of_events_leaves_the_jobs_as_the_model_says(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_json_dumps(dumps)
    with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as connection:
        connection.execute("SET synchronous_commit = off")
        monkeypatch.setattr(Machine, "connection", connection, raising=False)
        run = Machine.TestCase()
        run.settings = settings(
            max_examples=80,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        run.runTest()
