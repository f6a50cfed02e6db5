"""Every statement of a worker finds its rows by key, with all that its triggers and functions do:
whatever Postgres was last told about the tables, and however long ago it planned.

Plans of prepared statements, and of functions, are kept until a table is next analysed, a minute
and thousands of rows later. Statistics say "all of them wait" long after all have ended.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg.types.json import Json

import worker
from models.sql import load_sql
from models.words import INGEST, Stage
from tests.crowds import BUSY_TABLES, add_crowd, add_others, end_crowd, never_vacuumed
from tests.plans import Scan, explained
from tests.rows import (
    CLASSIFY,
    FRONTIER,
    LOCAL,
    Batch,
    Connection,
    add_batch,
    add_jobs,
    add_pairs,
    add_unread,
    add_whole,
    column,
    let_lapse,
    rows,
    value,
)
from tests.sessions import connect
from tests.statements import Worker, as_json
from worker.db import BY_KEY
from worker.flow.housekeeping import BEGINNING

MOST = 1_000
"""Rows that one scan may look at. A statement here is about fewer; five times as many are under way
elsewhere, and a hundred times as many have ended."""

READING = {"asked": ["a"], "by": {"a": "a/b"}, "most_usd": 0.1, "share": 0.2, "cost_usd": 1}
"""Of a field that is to be read a second time."""

WHOLE = {"flow/reap_calls"}
"""It compares all calls under way with all leases: both are as many as there are slots."""

Params = dict[str, Any]


@dataclass
class Live:
    """What is under way beside the hundred thousand: ids for the statements to name."""

    owner: UUID = field(default_factory=uuid4)
    batch: int = 0
    ask: int = 0
    claim: UUID = field(default_factory=uuid4)
    classify_claim: UUID = field(default_factory=uuid4)
    ingest_claim: UUID = field(default_factory=uuid4)
    fresh_claim: UUID = field(default_factory=uuid4)
    """It has taken, and reserved nothing yet."""
    jobs: list[int] = field(default_factory=lambda: [0] * 30)
    calls: list[UUID] = field(default_factory=lambda: [UUID(int=0)] * 30)
    pairs: list[int] = field(default_factory=lambda: [0] * 20)
    keys: list[UUID] = field(default_factory=lambda: [UUID(int=0)] * 20)
    documents: list[int] = field(default_factory=lambda: [0] * 10)
    lines: list[int] = field(default_factory=lambda: [0])
    bulk: UUID = field(default_factory=uuid4)
    handed: list[UUID] = field(default_factory=lambda: [UUID(int=0)] * 30)
    """Calls that stand in it."""


def add_live(db: Connection) -> Live:
    """Some work of every stage, waiting, delayed, leased, lapsed and cancelled."""
    add_others(db)
    batch, live = add_batch(db, max_cost_usd=100, priority=1), Live()
    live.batch, live.ask = batch.id, batch.ask
    mine, lost = Worker(db, live.owner), Worker(db)
    for place in (LOCAL, FRONTIER):
        add_jobs(db, batch, 100, place)
    live.calls = list(mine.claim(FRONTIER, 30, claim=live.claim).calls.values())
    live.jobs = column(db, "SELECT item_id FROM leases WHERE claim = %s", live.claim)
    mine.take(LOCAL.queue, 30, live.fresh_claim)
    _classify(db, batch, mine, live)
    live.documents = add_unread(db, batch, 30)[:10]
    mine.take(INGEST, 10, live.ingest_claim)
    _let_some_go(db, batch, mine, lost, live)
    live.lines = column(db, "SELECT id FROM lines")
    _hand_over(db, batch, live)
    return live


def _hand_over(db: Connection, batch: Batch, live: Live) -> None:
    """Jobs that wait for a bulk, and such as stand in one; many others are closed."""
    db.execute(
        "INSERT INTO bulks (batch_id, line_id, engine, model, host, state) "
        "SELECT %s, 1, 'frontier', 'm', 'h:1', 'closed' FROM generate_series(1, 3000)",
        (batch.id,),
    )
    live.bulk = value(
        db,
        "INSERT INTO bulks (batch_id, line_id, engine, model, host, state, owner, until) "
        "VALUES (%s, %s, 'frontier', 'm', 'h:1', 'gathering', %s, now()) RETURNING id",
        *(batch.id, live.lines[0], live.owner),
    )
    jobs = add_jobs(db, batch, 60, FRONTIER)
    db.execute("DELETE FROM waiting WHERE item_id = ANY (%s)", (jobs,))
    db.execute("UPDATE jobs SET bulk = true WHERE id = ANY (%s)", (jobs,))
    db.execute("DELETE FROM waiting WHERE item_id = ANY (%s)", (jobs[:30],))
    live.handed = column(
        db,
        "WITH made AS (INSERT INTO calls (id, job_id, batch_id, local_only, purpose, zone, engine, "
        "kind, host, stand_in, model_asked, owner, attempt, state) SELECT docmill_call_id(), id, "
        "batch_id, local_only, 'run', 'frontier', engine, 'openai', 'h:1', false, model, %s, 1, "
        "'submitted' FROM jobs WHERE id = ANY (%s) RETURNING id, job_id), put AS (INSERT INTO "
        "bulk_jobs (job_id, bulk_id, call_id, request, request_key) "
        "SELECT job_id, %s, id, '{}', id FROM made) SELECT id FROM made ORDER BY id",
        *(live.bulk, jobs[:30], live.bulk),
    )


def _classify(db: Connection, batch: Batch, mine: Worker, live: Live) -> None:
    add_pairs(db, batch, 60)
    live.pairs = [row["id"] for row in mine.classify(CLASSIFY, 20, live.classify_claim)]
    live.keys = column(db, "SELECT classify_key FROM jobs WHERE id = ANY (%s)", live.pairs)


def _let_some_go(db: Connection, batch: Batch, mine: Worker, lost: Worker, live: Live) -> None:
    """A worker that died, jobs behind their moment, a batch that was cancelled, holds and gates."""
    late = [*lost.claim(LOCAL, 10).taken, *lost.take(INGEST, 3)]
    late += [row["id"] for row in lost.classify(CLASSIFY, 5)]
    let_lapse(db, sorted(set(late) - {*live.jobs, *live.pairs, *live.documents}))
    put_off = mine.take(LOCAL.queue, 10)
    mine.release(put_off, delay_s=0)
    cancelled = add_batch(db)
    add_jobs(db, cancelled, 30)
    db.execute("UPDATE batches SET state = 'cancelled' WHERE id = %s", (cancelled.id,))
    add_whole(db, batch)
    db.execute("INSERT INTO holds (engine, code, until) VALUES ('other', 'test', now())")
    db.execute(
        "INSERT INTO workers (owner, pool, host, pid, configuration_id) "
        "VALUES (%s, 'all', 'm', 1, 1)",
        (live.owner,),
    )


def run_rows(live: Live) -> list[Params]:
    """Every outcome that a turn may have."""
    plain: Params = {"state": "ready", "attempts": 1, "waits": 0, "deaths": 0}
    place = {"zone": "local", "engine": "local", "model": "n", "step": 1, "left_behind": "a/b"}
    outcomes: list[Params] = [
        {**plain, "state": "done", "value": {"a": 1}, "call_id": live.calls[0]},
        {**plain, "state": "failed", "error": {"category": "bad_json"}},
        {**plain, "delay_s": 60.0},
        {**plain, **place},
        {**plain, "parts": [{"level": 1, "first": 1, "last": 2, "tokens": 9}]},
        {**plain, **place, "value": {"a": 1}, "call_id": live.calls[0], "reading": READING},
    ]
    return [{"job_id": job, **outcomes[n % 6]} for n, job in enumerate(live.jobs)]


def statements(live: Live) -> dict[str, Params]:
    """Each statement of worker/sql with parameters as a worker gives them."""
    owner, lease = {"owner": live.owner}, {"lease_s": 15.0}
    engine = {"kind": "openai", "host": "h:1", "stand_in": False}
    leased = {"stages": [Stage.RUN] * len(live.jobs), "items": live.jobs, **owner}
    verdict = {"task": "summary", "found_by": "model", "confidence": 0.5}
    budget = {"usd_per_day": 100}
    kills = {"job_kills": 10, "document_kills": 2}
    take = {"queue": LOCAL.queue.name, "stage": "run", "most": 32, "claim": uuid4()}
    prices = {"usd_per_input": 1, "usd_per_output": 1, "usd_per_call": None}
    prices |= {"zone": "frontier", "answerer": "a"}
    chunk = {"ordinal": 1, "page_from": 1, "page_to": 1, "char_start": 0, "char_end": 1}
    job = {"ask_id": live.ask, "chunk": 1, "state": "ready", "tokens": 1, "fixed_tokens": 1}
    read = {"state": "ready", "pages": 1, "notes": [], "jobs_total": 1, "jobs_finished": 0}
    place = {"zone": "local", "engine": "local", "model": "m"}
    frontiers = {"engines": ["frontier"]}
    bulk = {"id": live.bulk, **owner}
    moved = {"state": "submitted", "delay_s": 1.0, "upload": "f", "remote": "b", "done": 1}
    documents = [{"id": i} for i in live.documents]
    settled = [{"id": i, "state": "settled", "answer": "{}"} for i in live.calls]
    held: Params = {"code": "budget", "about": {}}
    wanted = {"purpose": "repair", "reserved_usd": "0.1"}
    return {
        "bulk/back": {**bulk, "calls": live.handed},
        "bulk/begin": {"line_id": live.lines[-1], "host": "h:1"},
        "bulk/give_back": {**bulk, "calls": live.handed},
        "bulk/hand_over": {
            "rows": Json([{"job_id": i, "request": {}} for i in live.jobs]),
            **bulk,
        },
        "bulk/items": {"id": live.bulk, "after": UUID(int=0), "most": 200},
        "bulk/lines": {**frontiers, "most": 500},
        "bulk/move": {**bulk, **moved, "detail": None, "given_up": None, "keep": False},
        "bulk/remotes": {"host": "h:1", "remotes": ["a", "b"]},
        "bulk/renew": {**bulk, **lease},
        "bulk/run_live": {"ids": live.jobs, **owner},
        "bulk/take": {
            **frontiers,
            "every": ["frontier"],
            "hosts": ["h:1"],
            "silence_s": 15.0,
            **owner,
            **lease,
        },
        "bulk/take_jobs": {
            "line": live.lines[0],
            "most": 500,
            "claim": uuid4(),
            **owner,
            **lease,
        },
        "bulk/these": {"id": live.bulk, "calls": live.handed},
        "calls/drop": {"ids": live.calls},
        "calls/drop_claimed": {"claim": live.claim},
        "calls/keep_traits": {"key": "k", "traits": as_json([])},
        "calls/traits": {"key": "k"},
        "calls/rates": {"models": ["m"]},
        "calls/keep_rates": {
            "rows": as_json([{"model": "m", "script": "tamil", "mean": 1.0, "sd": 0.1, "cut": 1.2}])
        },
        "flow/abandon": {"claim": live.claim, "delay_s": 10.0},
        "calls/lock_budgets": {"claim": live.claim, "ids": live.jobs},
        "calls/lock_day": {"lock": 1},
        "calls/reserve": {
            "rows": as_json([{**wanted, "id": uuid4(), "job_id": i} for i in live.jobs]),
            **owner,
            **engine,
            **budget,
        },
        "calls/settle": {"calls": as_json(settled)},
        "calls/spent_today": {},
        "classify/claim": {
            "claim": live.classify_claim,
            **owner,
            "engine": "local",
            "kind": "ollama",
            "host": "h:1",
            "model": "m",
        },
        "classify/finish": {
            "rows": as_json(
                [{"job_id": i, "state": "ready", **verdict, **place} for i in live.pairs]
            ),
            **owner,
        },
        "classify/keep_learned_model": {
            "version": "v",
            "weights": b"",
            "report": as_json({}),
        },
        "classify/learned_models": {"ids": [1]},
        "classify/newest_learned_model": {},
        "classify/settled": {"after": 0, "most": 10, "likely": 0.8},
        "classify/verdicts": {
            "rows": as_json(
                [
                    {"key": key, "job_id": i, **verdict, "attempts": 0, "waits": 0, "deaths": 0}
                    for key, i in zip(live.keys, live.pairs, strict=True)
                ]
            )
        },
        "scores/keep": {"version": "v", "model": as_json({}), "report": as_json({})},
        "scores/models": {"ids": [1]},
        "scores/newest": {},
        "scores/ruled": {"after": 0, "most": 10},
        "flow/alive": {"machine": "m", "silence_s": 15.0},
        "flow/beat": {},
        "flow/bring_due": {"since": BEGINNING, "most": 2000},
        "flow/changed_batches": {"after": 0},
        "flow/close_batches": {"ids": [live.batch, live.batch - 1]},
        "flow/configuration": {"number": None},
        "flow/depose": {"lock": 1, "silence_s": 5.0},
        "flow/end_holds": {},
        "flow/replace_documents": {"most": 20},
        "flow/engine_queues": {"engines": ["local"]},
        "flow/fold_counts": {"after": 0},
        "flow/fold_spend": {"after": 0},
        "flow/forget_workers": {"silence_s": 15.0},
        "flow/gates": {},
        "flow/hold_engines": {},
        "flow/lead": {"lock": 1},
        "flow/leave": owner,
        "flow/make_months": {},
        "flow/move_heads": {"after": 0},
        "flow/open_batches": {"after": 0},
        "flow/peers": {**owner, "standings": ["open"], "silence_s": 15.0},
        "flow/presence": {
            **owner,
            "pool": "all",
            "machine": "m",
            "pid": 1,
            "configuration": 1,
            "servers": as_json([]),
            "gates": as_json([]),
        },
        "flow/reap": {"since": BEGINNING, "most": 500, **kills},
        "flow/reap_calls": lease,
        "flow/refresh_lines": {"after": 0},
        "flow/release": {**leased, "delay_s": None},
        "flow/renew": {**leased, **lease},
        "flow/served": {"engines": ["local"]},
        "flow/servers": {},
        "flow/silence": {},
        "flow/stopped": {"lines": live.lines},
        "flow/sweep_cancelled": {},
        "flow/take": {**take, **owner, **lease},
        "flow/unhold_engines": {},
        "flow/waiting_queues": {},
        "ingest/asks": {"batch_id": live.batch},
        "ingest/claim": {"claim": live.ingest_claim, "texts": ["text/plain"], "most_bytes": 99},
        "ingest/contents": {"id": live.documents[0]},
        "ingest/fail": {
            "rows": as_json([{**row, "state": "pending", "kills": 1} for row in documents]),
            **owner,
        },
        "ingest/finish": {
            "documents": as_json([{**row, **read} for row in documents]),
            "chunks": as_json(
                [{**chunk, "document_id": i, "tokens": 1, "text": "x"} for i in live.documents]
            ),
            "boxes": as_json(
                [
                    {"document_id": i, "page": 1, "char_start": 0, "ratio": 0.7, "words": "eA=="}
                    for i in live.documents
                ]
            ),
            "jobs": as_json(
                [
                    {**job, **place, "document_id": i, "task": "summary", "found_by": "user"}
                    for i in live.documents
                ]
            ),
            **owner,
        },
        "ingest/keep_page": {"id": live.documents[0], "page": 1, "text": "x", "notes": [], **owner},
        "ingest/scanned_pages": {"id": live.documents[0]},
        "calls/reserve_page": {
            "id": uuid4(),
            "document": live.documents[0],
            "engine": "local",
            "kind": "ollama",
            "host": "h:1",
            "model": "see",
            **owner,
        },
        "purge/begin": {"batch": live.batch, "keep_costs": True},
        "purge/begin_due": {},
        "purge/delete": {"batch": live.batch},
        "purge/next": {"batch": live.batch, "most": 10},
        "purge/next_due": {"most": 10},
        "purge/purged_calls": {"ids": live.calls},
        "purge/state": {"batch": live.batch},
        "purge/verdicts": {"most": 10},
        "reroute/adopt": {"batch": live.batch, "configuration": 1},
        "reroute/lines": {"batch": live.batch},
        "reroute/move": {
            "rows": as_json([{**place, "id": i} for i in live.jobs]),
            "line": live.lines[0],
            "before": 10**9,
        },
        "reroute/next": {"line": live.lines[0], "before": 10**9, "xact": 0, "item": 0, "most": 9},
        "calls/asks": {"ids": [live.ask]},
        "run/claim": {"claim": live.claim, **owner},
        "run/examples": {
            "gold": "g",
            "task": "extraction",
            "ask": "Find it.",
            "most": 500,
            "bytes": 6_000,
        },
        "run/drop_refused": {"ids": live.jobs, "stage": "run", **owner},
        "run/finish": {"rows": as_json(run_rows(live)), **owner},
        "run/hold": {"rows": as_json([{**held, "batch_id": live.batch or None}])},
        "run/known": {"claim": live.claim, **owner},
        "run/lock_caps": {"batches": [live.batch]},
        "run/reserve": {
            "claim": live.fresh_claim,
            **owner,
            **engine,
            **budget,
            **prices,
            "versions": as_json([{"task": "summary", "prompt": None, "version": "v1"}]),
        },
    }


def test_every_statement_is_looked_at() -> None:
    folder = Path(worker.__file__).parent / "sql"
    files = {str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.sql")}
    assert set(statements(Live())) == files


@contextmanager
def a_worker(url: str, plans: str) -> Iterator[Connection]:
    """A worker's connection, which prepares what it runs."""
    with connect(url, autocommit=True) as connection:
        connection.prepare_threshold = 0
        connection.execute(BY_KEY, prepare=False)
        connection.execute(f"SET plan_cache_mode = {plans}")
        yield connection


def look(session: Connection, live: Live) -> dict[str, list[Scan]]:
    """What each statement looks at; nothing of what it does stays."""
    found: dict[str, list[Scan]] = {}
    for name, params in statements(live).items():
        with session.transaction(force_rollback=True), explained(session) as looked:
            session.execute(load_sql("worker", name), params)
        found[name] = looked.scans
    return found


def offences(found: dict[str, list[Scan]]) -> list[str]:
    """Scans that look at much, or that would where there is much."""
    return [
        f"{name}: {scan}"
        for name, scans in found.items()
        for scan in scans
        if name not in WHOLE and (scan.rows > MOST or _reads_all(scan))
    ]


def _reads_all(scan: Scan) -> bool:
    """Of a month to come, which is empty, any plan will do: its first row makes a new one."""
    to_come = (scan.table or "").startswith("calls_") and scan.rows == 0
    return not scan.keyed and (scan.table or "").startswith(BUSY_TABLES) and not to_come


def planned_while_empty(db: Connection, prepare: Callable[[], None]) -> Live:
    db.execute("ANALYZE")
    prepare()
    end_crowd(db, add_crowd(db))
    return add_live(db)


def analysed_while_everything_waits(db: Connection, prepare: Callable[[], None]) -> Live:
    batch = add_crowd(db)
    db.execute("ANALYZE")
    prepare()
    end_crowd(db, batch)
    return add_live(db)


def analysed_after_everything_ended(db: Connection, prepare: Callable[[], None]) -> Live:
    end_crowd(db, add_crowd(db))
    db.execute("ANALYZE")
    prepare()
    return add_live(db)


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    "when",
    [planned_while_empty, analysed_while_everything_waits, analysed_after_everything_ended],
)
def test_no_statement_looks_at_more_than_it_is_about(
    db: Connection, database_url: str, when: Callable[[Connection, Callable[[], None]], Live]
) -> None:
    never_vacuumed(db)
    with a_worker(database_url, "force_generic_plan") as kept:
        live = when(db, lambda: look(kept, Live()) and None)
        assert offences(look(kept, live)) == []
    for plans in ("force_generic_plan", "force_custom_plan"):
        with a_worker(database_url, plans) as fresh:
            assert offences(look(fresh, live)) == []
    assert rows(db, "SELECT count(*) > 0 FROM leases") == [(True,)]
