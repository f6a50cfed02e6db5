"""The run stage's claim on a real Postgres: what may run comes back, and what may not is put where
it belongs: a twin behind its moment, a budget's jobs behind a hold, a refused one nowhere."""

from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock
from uuid import UUID, uuid4

import pytest
from psycopg.types.json import Jsonb

from models.config import Config
from models.errors import ConfigError
from models.scores import Bin, made
from models.words import Queue
from tests.recount import offences
from tests.rows import (
    FRONTIER,
    LOCAL,
    LOCAL_TOO,
    Connection,
    add_batch,
    add_jobs,
    add_whole,
    column,
    let_lapse,
    make_due,
    one,
    rows,
    states,
    value,
)
from tests.sessions import connect, meanwhile
from tests.statements import Worker, bring_due, reap, run
from tests.stubs.fake import FakeEngine
from worker.calls.access import EngineAccess
from worker.calls.admission import Unlimited
from worker.calls.answer import Valid
from worker.calls.journal import Journal
from worker.calls.ledger import Ledger
from worker.calls.prices import PriceBook
from worker.calls.reservations import NotReserved, Reservations, Wanted
from worker.configs import Configs
from worker.db import Database
from worker.deployment import Deployment
from worker.flow import pump as pump_module
from worker.flow.leases import Leases
from worker.flow.pump import Lane, Pump
from worker.flow.slots import Slots
from worker.persist import Persist
from worker.route import Place
from worker.run.claims import JobClaims
from worker.run.judge import judge
from worker.run.outcome import Done, Turn
from worker.run.stage import RunStage

DOLLAR_A_CALL = {"m": {"input_per_mtok": "0", "output_per_mtok": "20000"}}
"""[prices] at which the 50 tokens of an answer here cost a dollar."""

Make = Callable[..., RunStage]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def stage(database: Database, tmp_path: Path) -> Make:
    """Makes the run stage of a place's engine, with these tables in its docmill.toml."""

    def make(place: Place = FRONTIER, owner: UUID | None = None, **tables: Any) -> RunStage:
        config = Config.model_validate({"prices": DOLLAR_A_CALL, **tables})
        deployment = Deployment(place.engine, config.engines[place.engine], FakeEngine, "h:1")
        owner = owner or uuid4()
        journal = Journal(tmp_path / "journal")
        journal.close()
        access = EngineAccess(
            deployment=deployment,
            engine=FakeEngine(),
            journal=journal,
            ledger=Ledger(deployment, PriceBook(config), "m", lambda: 4),
            reserve=Reservations(database, owner, deployment, config.limits.usd_per_day),
            admission=Unlimited(),
        )
        persist = Persist(database, journal, owner)
        claims = JobClaims(database, access, Configs(database, 0, config), owner)
        return RunStage(access, claims, persist.finish)

    return make


async def claimed(
    stage: RunStage, queue: Queue = FRONTIER.queue, most: int = 32, claim: UUID | None = None
) -> list[int]:
    """The jobs that a claim brings."""
    return [held.lease.item for held in (await stage.claim(queue, claim or uuid4(), most)).held]


def waiting(db: Connection) -> list[int]:
    return column(db, "SELECT item_id FROM waiting ORDER BY item_id")


async def test_a_claim_brings_jobs_with_all_that_running_them_takes(
    db: Connection, stage: Make
) -> None:
    batch = add_batch(db)
    [job] = add_jobs(db, batch, 1, text="Rent: 900")
    [held] = (await stage(LOCAL).claim(LOCAL.queue, uuid4(), 8)).held
    found = held.payload
    assert (found.id, found.batch_id, found.place) == (job, batch.id, LOCAL)
    assert (found.ask, [piece.text for piece in found.pieces]) == ("Sum up.", ["Rent: 900"])
    assert found.call_id == value(db, "SELECT id FROM calls")
    assert held.line == value(db, "SELECT id FROM lines")


async def test_an_answer_is_scored_by_what_counts_at_its_claim_and_accepted_at_its_batchs_error(
    db: Connection, stage: Make
) -> None:
    own = made({"sure": 4.0, "wrong": -4.0}, (Bin(0.982, 199, 0), Bin(0.018, 0, 9)), {})
    db.execute(
        "INSERT INTO score_models (version, model, report) VALUES (%s, %s, '{}')",
        (own.version, Jsonb(own.as_json())),
    )
    batch = add_batch(db)
    add_jobs(db, batch, 2)
    db.execute("UPDATE chunks SET text = 'Rent: 900'")
    db.execute("UPDATE batches SET accept_error = 0.02")
    db.execute("UPDATE jobs SET task = 'extraction'")
    running = stage(LOCAL)
    claimed_jobs = (await running.claim(LOCAL.queue, uuid4(), 8)).held
    for held, rent in zip(claimed_jobs, ("900", "901"), strict=True):
        job = held.payload
        outcome = judge(job, Valid({"rent": rent}), job.call_id, PriceBook(job.config))
        await running.finish(Turn(job.id, job.batch_id, outcome))
    found = rows(
        db,
        "SELECT w.scored_by, w.fields->'rent'->'accepted', r.accepted, r.scored_by "
        "FROM answers w JOIN results r ON r.job = w.job_id ORDER BY w.job_id",
    )
    assert found == [
        (own.version, True, True, own.version),
        (own.version, False, False, own.version),
    ]


async def test_a_whole_document_comes_with_all_its_text_in_order(
    db: Connection, stage: Make
) -> None:
    add_whole(db, add_batch(db), 4)
    [held] = (await stage(LOCAL).claim(LOCAL.queue, uuid4(), 8)).held
    assert [piece.ordinal for piece in held.payload.pieces] == [1, 2, 3, 4]


async def test_a_claim_whose_commit_was_not_heard_of_is_repeated_under_its_name(
    db: Connection, stage: Make
) -> None:
    jobs = add_jobs(db, add_batch(db), 5, FRONTIER)
    owner, claim = uuid4(), uuid4()
    for _ in range(2):
        assert await claimed(stage(owner=owner), most=3, claim=claim) == jobs[:3]
    assert states(db, "calls") == {"reserved": 3}
    assert waiting(db) == jobs[3:]


async def test_a_twin_is_back_in_line_a_moment_later(db: Connection, stage: Make) -> None:
    first, second = add_jobs(db, add_batch(db), 2, FRONTIER, text="same")
    assert await claimed(stage()) == [first]
    assert column(db, "SELECT item_id FROM delayed WHERE due_at > now()") == [second]
    assert states(db) == {"running": 1, "ready": 1}
    make_due(db)
    bring_due(db)
    assert waiting(db) == [second]


async def test_what_was_claimed_and_not_begun_is_given_back_without_a_trace(
    db: Connection, stage: Make
) -> None:
    jobs = add_jobs(db, add_batch(db), 3, FRONTIER)
    one_stage = stage()
    held = (await one_stage.claim(FRONTIER.queue, uuid4(), 8)).held
    await one_stage.release(held)
    assert waiting(db) == jobs
    assert states(db, "calls") == {}
    assert value(db, "SELECT coalesce(sum(usd), 0) FROM spend") == 0


async def test_a_call_that_was_never_made_is_on_no_bill_though_it_was_given_up_as_lost(
    db: Connection, stage: Make
) -> None:
    made, unmade = add_jobs(db, add_batch(db, max_cost_usd=9), 2, FRONTIER)
    one_stage, owner = stage(), uuid4()
    held = (await one_stage.claim(FRONTIER.queue, uuid4(), 8)).held
    let_lapse(db)
    reap(db)
    assert states(db, "calls") == {"lost": 2}
    assert sorted(await claimed(stage(owner=owner))) == [made, unmade]
    await one_stage.release([one for one in held if one.lease.item == unmade])
    spent = one(db, "SELECT sum(usd), sum(known_usd), sum(under_way), sum(lost) FROM spend")
    assert spent == (3, 1, 2, 1)
    assert states(db, "calls") == {"lost": 1, "reserved": 2}
    assert column(db, "SELECT item_id FROM leases WHERE owner = %s", owner) == [made, unmade]
    assert offences(db) == []


async def test_what_a_claim_took_and_could_not_make_use_of_is_back_in_line_and_no_worse_for_it(
    db: Connection, database: Database, stage: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = add_jobs(db, add_batch(db, max_cost_usd=9), 3, FRONTIER)
    one_stage = stage()
    cannot = AsyncMock(side_effect=ConfigError("a newer one"))
    monkeypatch.setattr(one_stage._claims, "_job", cannot)
    monkeypatch.setattr(pump_module, "AFTER_FAULT_S", 0.0)
    pump = Pump("p", Slots(4), Leases("postgresql://nobody@127.0.0.1:9/none", uuid4()), database)
    claimed_by_pump = await pump._claimed(Lane(FRONTIER.queue, one_stage), 8)
    assert claimed_by_pump.taken == 0
    assert column(db, "SELECT item_id FROM delayed WHERE due_at > now() ORDER BY 1") == jobs
    assert states(db, "calls") == {}
    assert column(db, "SELECT DISTINCT kills FROM jobs") == [0]
    assert offences(db) == []


# --- budgets --------------------------------------------------------------------------------------


async def test_a_budget_of_a_batch_lets_as_many_run_as_it_covers_then_holds_the_rest_in_one_row(
    db: Connection, stage: Make
) -> None:
    batch, other = add_batch(db, max_cost_usd=2), add_batch(db)
    jobs, free = add_jobs(db, batch, 5, FRONTIER), add_jobs(db, other, 2, FRONTIER)
    assert sorted(await claimed(stage())) == [*jobs[:2], *free]
    hold = "SELECT batch_id, zone, code, passing, until IS NULL FROM holds"
    assert rows(db, hold) == [(batch.id, "frontier", "budget_under_way", True, False)]
    db.execute("UPDATE calls SET state = 'settled', cost_usd = 1")
    db.execute("DELETE FROM holds")
    assert await claimed(stage()) == []
    assert rows(db, hold) == [(batch.id, "frontier", "budget", False, True)]
    assert states(db) == {"running": 4, "held": 3}
    assert waiting(db) == jobs[2:]


async def test_money_that_comes_back_is_there_for_the_next_job(db: Connection, stage: Make) -> None:
    jobs = add_jobs(db, add_batch(db, max_cost_usd=1), 2, FRONTIER)
    assert await claimed(stage(), most=1) == jobs[:1]
    assert await claimed(stage()) == []
    db.execute("UPDATE calls SET state = 'settled', cost_usd = 0")
    db.execute("UPDATE holds SET until = now()")
    run(db, "flow/end_holds")
    assert await claimed(stage()) == jobs[1:]


async def test_where_seconds_are_billed_a_call_reserves_all_that_it_may_run(
    db: Connection, stage: Make
) -> None:
    jobs = add_jobs(db, add_batch(db, max_cost_usd=2), 5, FRONTIER)
    engine = {"kind": "replicate", "usd_per_second": "0.01", "timeout_s": 100}
    assert await claimed(stage(engines={"frontier": engine}, prices={})) == jobs[:2]
    assert column(db, "SELECT reserved_usd FROM calls") == [Decimal(1), Decimal(1)]


async def test_the_days_budget_holds_every_batch_until_the_day_is_over(
    db: Connection, stage: Make
) -> None:
    first, second = (add_jobs(db, add_batch(db), 2, FRONTIER) for _ in "12")
    local = add_jobs(db, add_batch(db), 2)
    day = {"limits": {"usd_per_day": "1"}}
    [ran] = await claimed(stage(**day))
    db.execute("UPDATE calls SET state = 'settled', cost_usd = 1")
    db.execute("DELETE FROM holds")
    assert await claimed(stage(**day)) == []
    assert one(db, "SELECT batch_id, zone, code, passing FROM holds") == (
        *(None, "frontier", "day_budget"),
        False,
    )
    assert value(db, "SELECT until = date_trunc('day', now(), 'UTC') + interval '1 day' FROM holds")
    assert set(waiting(db)) == {*first, *second, *local} - {ran}
    assert await claimed(stage(LOCAL, **day), LOCAL.queue) == local
    db.execute("UPDATE spend SET day = day - 1")
    db.execute("UPDATE holds SET until = now()")
    run(db, "flow/end_holds")
    assert len(await claimed(stage(**day))) == 1


async def test_without_a_models_price_no_budget_can_be_kept_and_that_model_alone_is_held(
    db: Connection, stage: Make
) -> None:
    batch = add_batch(db, max_cost_usd=5)
    add_jobs(db, batch, 2, Place(FRONTIER.zone, "frontier", "of no known price"))
    priced = add_jobs(db, batch, 2, FRONTIER)
    assert (
        await claimed(stage(), Queue(FRONTIER.queue.stage, "frontier", "of no known price")) == []
    )
    assert rows(db, "SELECT code, model FROM holds") == [("no_price", "of no known price")]
    assert await claimed(stage()) == priced


async def test_without_any_budget_no_price_is_needed(db: Connection, stage: Make) -> None:
    jobs = add_jobs(db, add_batch(db), 2, FRONTIER)
    assert await claimed(stage(prices={})) == jobs
    assert column(db, "SELECT reserved_usd FROM calls") == [None, None]


@pytest.mark.parametrize("limit", ["batch", "day"])
async def test_an_answer_that_is_known_needs_no_budget(
    db: Connection, stage: Make, limit: str
) -> None:
    owner, batch = uuid4(), add_batch(db)
    [first] = add_jobs(db, batch, 1, FRONTIER, text="same")
    asked = stage(owner=owner)
    [held] = (await asked.claim(FRONTIER.queue, uuid4(), 1)).held
    worker = Worker(db, owner)
    worker.settle({"id": held.payload.call_id, "state": "settled", "cost_usd": "0"})
    worker.finish(Turn(first, batch.id, Done({"a": 1}, None, None, held.payload.call_id)))
    poor = add_batch(db, max_cost_usd=Decimal("0.5") if limit == "batch" else None)
    dear = add_jobs(db, poor, 1, FRONTIER)
    [known] = add_jobs(db, poor, 1, FRONTIER, text="same")
    budget = {"limits": {"usd_per_day": "0.5"}} if limit == "day" else {}
    [held] = (await stage(**budget).claim(FRONTIER.queue, uuid4(), 8)).held
    assert (held.lease.item, held.payload.known.value) == (known, {"a": 1})
    assert waiting(db) == dear
    assert column(db, "SELECT code FROM holds") == ["budget" if limit == "batch" else "day_budget"]


@pytest.mark.parametrize("limit", ["batch", "day"])
def test_two_claims_at_the_same_moment_spend_no_more_than_the_budget(
    db: Connection, database_url: str, limit: str
) -> None:
    add_jobs(db, add_batch(db, max_cost_usd="0.12" if limit == "batch" else None), 4, FRONTIER)
    day = "0.12" if limit == "day" else None
    got = []
    with connect(database_url) as first:
        first.execute("BEGIN")
        got.append(Worker(first).claim(FRONTIER, most=2, usd_per_day=day))
        with meanwhile(
            db,
            database_url,
            lambda other: got.append(Worker(other).claim(FRONTIER, usd_per_day=day)),
        ):
            first.commit()
    assert [len(claim.rows) for claim in got] == [2, 0]
    assert set(got[1].short_of.values()) == {limit}
    assert value(db, "SELECT sum(usd) FROM spend") == Decimal("0.102")


async def test_a_further_call_that_a_budget_does_not_cover_is_refused_with_its_reason(
    db: Connection, database: Database, stage: Make
) -> None:
    owner = uuid4()
    [job] = add_jobs(db, add_batch(db, max_cost_usd=3), 1, FRONTIER)
    one_stage = stage(owner=owner)
    await claimed(one_stage)
    reserve = one_stage._access.reserve
    await reserve(Wanted(uuid4(), job, "repair", Decimal(2)))
    with pytest.raises(NotReserved) as refused:
        await reserve(Wanted(uuid4(), job, "repair", Decimal(1)))
    assert refused.value.short_of == "batch"
    assert value(db, "SELECT sum(usd) FROM spend") == 3


# --- policy ---------------------------------------------------------------------------------------


async def test_a_job_that_may_not_leave_the_building_is_taken_out_of_the_frontiers_way(
    db: Connection, stage: Make
) -> None:
    """However it came there: the constraints are taken away here."""
    db.execute("ALTER TABLE jobs DROP CONSTRAINT ck_jobs_local_only")
    db.execute("ALTER TABLE jobs DROP CONSTRAINT ck_jobs_pinned")
    kept, free = add_batch(db, local_only=True), add_batch(db)
    add_jobs(db, kept, 2, FRONTIER)
    others = add_jobs(db, free, 2, FRONTIER)
    assert await claimed(stage()) == others
    assert waiting(db) == []
    assert value(db, "SELECT count(*) FROM leases") == 2
    assert column(db, "SELECT DISTINCT batch_id FROM calls") == [free.id]


async def test_a_queue_is_its_engines_and_models_own(db: Connection, stage: Make) -> None:
    batch = add_batch(db)
    here, there = add_jobs(db, batch, 2, LOCAL), add_jobs(db, batch, 2, LOCAL_TOO)
    assert await claimed(stage(LOCAL), LOCAL.queue) == here
    assert await claimed(stage(LOCAL), LOCAL_TOO.queue) == there
