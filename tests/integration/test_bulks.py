"""Bulks on a real Postgres, against a provider's batch API: what is handed in comes back once, is
paid once, and is found by the jobs when they run."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from models.config import Config
from models.states import BulkState
from models.words import Scope
from tests.recount import offences
from tests.rows import (
    FRONTIER,
    Batch,
    Connection,
    add_batch,
    add_jobs,
    add_unread,
    add_whole,
    column,
    one,
    rows,
    states,
    value,
)
from tests.statements import bring_due, reap, run
from tests.stubs.batch_rigs import BatchRig, batch_rig
from tests.stubs.fake import FakeEngine
from worker.bulk.advance import BulkEngine, Bulks
from worker.bulk.decide import Bulk
from worker.bulk.gather import Gathering
from worker.calls.access import EngineAccess
from worker.calls.admission import Unlimited
from worker.calls.journal import Journal
from worker.calls.ledger import Ledger
from worker.calls.prices import PriceBook
from worker.calls.reservations import Reservations
from worker.configs import Configs
from worker.db import Database
from worker.deployment import Deployment
from worker.flow.stage import Slot
from worker.llm.batches import Bounds
from worker.persist import Persist
from worker.run.claims import JobClaims
from worker.run.outcome import Done, Split
from worker.run.stage import RunStage

PRICES = {"m": {"input_per_mtok": "1000", "output_per_mtok": "2000"}}
"""USD: a token in is a tenth of a cent, one out two."""

TABLES: dict[str, Any] = {
    "prices": PRICES,
    "engines": {"frontier": {"provider_batch": "openai", "batch_poll_s": 1}},
}


@dataclass
class Office:
    """A worker process that serves the frontier engine, and the provider behind it."""

    db: Database
    rows: Connection
    rig: BatchRig
    access: EngineAccess
    persist: Persist
    owner: UUID
    configs: Configs
    bounds: Bounds | None = None

    @property
    def bulks(self) -> Bulks:
        bounds = self.bounds or self.rig.api.bounds
        gathering = Gathering(self.db, self.access, self.configs, self.owner, bounds)
        engine = BulkEngine(self.access, self.rig.api, gathering)
        return Bulks(self.db, self.owner, {"frontier": engine})

    def another(self) -> "Office":
        """Another process, which comes when this one went away."""
        return replace(self, owner=uuid4())

    async def step(self) -> bool:
        """What is due next, as the loop would."""
        await self.bulks._begin()
        self.rows.execute("UPDATE bulks SET due_at = now()")
        return await self.bulks._advance()

    async def until(self, state: str) -> None:
        """Step by step until the bulk is there."""
        for _ in range(30):
            if state in column(self.rows, "SELECT state FROM bulks"):
                return
            await self.step()
        raise AssertionError(f"no bulk is {state}: {column(self.rows, 'SELECT state FROM bulks')}")

    async def through(self) -> None:
        """Until no bulk is open."""
        for _ in range(40):
            if not await self.step():
                return
        raise AssertionError("a bulk does not come to its end")

    async def run_live(self, most: int = 64) -> dict[int, Any]:
        """What waits to run runs; the outcome by job."""
        claims = JobClaims(self.db, self.access, self.configs, self.owner)
        stage = RunStage(self.access, claims, self.persist.finish)
        found = {}
        for held in (await stage.claim(FRONTIER.queue, uuid4(), most)).held:
            slot: Slot = _Free()
            turn = await stage.work(held, slot)
            await stage.finish(turn)
            found[held.lease.item] = turn.outcome
        return found


class _Free:
    async def __aenter__(self) -> None:
        pass

    async def __aexit__(self, *_: object) -> None:
        pass


@pytest.fixture(params=["openai", "openrouter"])
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[BatchRig]:
    async with batch_rig(request.param) as made:
        yield made


@pytest.fixture
async def office(
    database_url: str, db: Connection, tmp_path: Path, rig: BatchRig
) -> AsyncIterator[Office]:
    database, owner = Database(database_url), uuid4()
    await database.open()
    config = Config.model_validate(TABLES)
    deployment = Deployment("frontier", config.engines["frontier"], FakeEngine, "h:1")
    journal = Journal(tmp_path / "journal")
    access = EngineAccess(
        deployment=deployment,
        engine=FakeEngine(models=("m",)),
        journal=journal,
        ledger=Ledger(deployment, PriceBook(config), "m", lambda: 4),
        reserve=Reservations(database, owner, deployment, None),
        admission=Unlimited(),
    )
    configs = Configs(database, 0, config)
    persist = Persist(database, journal, owner)
    yield Office(database, db, rig, access, persist, owner, configs)
    journal.close()
    await database.close()


def waiting_jobs(db: Connection, number: int = 6, **columns: Any) -> list[int]:
    """Jobs that wait for a bulk."""
    batch = add_batch(db, allow_provider_batch=True, **columns)
    jobs = add_jobs(db, batch, number, FRONTIER)
    _to_bulk(db, jobs)
    return jobs


def _bulk(row: dict[str, Any]) -> Bulk:
    return Bulk(**{**row, "state": BulkState(row["state"])})


def _to_bulk(db: Connection, jobs: list[int]) -> None:
    db.execute("DELETE FROM waiting WHERE item_id = ANY (%s)", (jobs,))
    db.execute("UPDATE jobs SET bulk = true WHERE id = ANY (%s)", (jobs,))


def answered(office: Office) -> int:
    return office.rig.batches.book.answered


def asked_at_once(office: Office) -> int:
    engine = office.access.engine
    assert isinstance(engine, FakeEngine)
    return len(engine.requests)


def make_late(db: Connection) -> None:
    """There is no time left before the deadline."""
    db.execute("UPDATE batches SET deadline = now() + interval '1 minute'")


async def test_jobs_come_back_with_their_answers_and_cost_half(
    db: Connection, office: Office
) -> None:
    jobs = waiting_jobs(db)
    await office.until("submitted")
    assert states(db) == {"submitted": 6}
    assert one(db, "SELECT DISTINCT state, owner = (SELECT id FROM bulks) FROM calls") == (
        "submitted",
        True,
    )
    assert value(db, "SELECT sum(under_way) FROM spend") == 6
    await office.through()
    assert states(db) == {"ready": 6}
    found = await office.run_live()
    assert {type(outcome) for outcome in found.values()} == {Done}
    assert states(db) == {"done": 6}
    assert (answered(office), asked_at_once(office)) == (6, 0)
    assert value(db, "SELECT count(*) FROM calls") == 6
    book = office.rig.batches.book
    cost, source, latency = one(
        db, "SELECT sum(cost_usd), min(price_source), max(latency_ms) FROM calls"
    )
    assert cost == Decimal(book.read + 2 * book.written) / 1000 / 2
    assert (source, latency) == ("config, provider batch", None)
    assert sorted(found) == jobs
    assert offences(db) == []


@pytest.mark.parametrize("fault", ["500", "cut"])
async def test_what_began_without_a_word_is_found_and_not_begun_again(
    db: Connection, office: Office, fault: str
) -> None:
    waiting_jobs(db)
    office.rig.batches.meet("create", fault, done=True)
    await office.until("creating")
    await office.another().through()
    assert (office.rig.batches.book.begun, answered(office)) == (1, 6)
    await office.run_live()
    assert states(db) == {"done": 6}


async def test_what_did_not_begin_is_begun_again_once_the_list_is_sure(
    db: Connection, office: Office
) -> None:
    waiting_jobs(db)
    office.rig.batches.meet("create", "cut")
    await office.until("creating")
    sent = value(db, "SELECT sent_at FROM bulks")
    await office.step()
    assert column(db, "SELECT state FROM bulks") == ["creating"]
    assert value(db, "SELECT sent_at FROM bulks") == sent
    db.execute("UPDATE bulks SET sent_at = now() - interval '1 minute'")
    await office.through()
    assert (office.rig.batches.book.begun, answered(office)) == (1, 6)


@pytest.mark.parametrize("state", ["gathered", "uploaded", "submitted", "ended", "fetched"])
async def test_a_worker_that_goes_away_leaves_all_that_the_next_one_needs(
    db: Connection, office: Office, state: str
) -> None:
    waiting_jobs(db)
    await office.until(state)
    db.execute("UPDATE bulks SET owner = %s, until = now() + interval '1 hour'", (uuid4(),))
    assert not await office.step()
    db.execute("UPDATE bulks SET until = now() - interval '1 second'")
    await office.another().through()
    assert (office.rig.batches.book.begun, answered(office)) == (1, 6)
    await office.run_live()
    assert (states(db), asked_at_once(office)) == ({"done": 6}, 0)
    assert offences(db) == []


async def test_a_worker_that_lost_the_bulk_writes_nothing_about_it(
    db: Connection, office: Office
) -> None:
    waiting_jobs(db)
    await office.until("uploaded")
    api = office.rig.api
    create = api.create

    async def too_late(*given: Any) -> str:
        remote = await create(*given)
        db.execute("UPDATE bulks SET owner = %s, until = now() + interval '1 hour'", (uuid4(),))
        return remote

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api, "create", too_late)
        await office.step()
    assert one(db, "SELECT state, remote FROM bulks") == ("creating", None)
    [made] = office.rig.batches.all.values()
    assert made.status == "cancelling" or not office.rig.provider.stops


async def test_jobs_that_a_dying_worker_took_are_in_line_again_and_nothing_is_lost(
    db: Connection, office: Office
) -> None:
    jobs = waiting_jobs(db)
    await office.bulks._begin()
    [bulk] = await office.db.run(
        "bulk/take",
        engines=["frontier"],
        every=["frontier"],
        hosts=["h:1"],
        owner=office.owner,
        lease_s=15.0,
        silence_s=15.0,
    )
    await office.bulks._engines["frontier"].gathering._take(_bulk(bulk), 64)
    db.execute("UPDATE leases SET until = now() - interval '1 second'")
    reap(db)
    run(db, "flow/reap_calls", lease_s=0.0)
    assert column(db, "SELECT item_id FROM waiting ORDER BY 1") == jobs
    assert one(db, "SELECT sum(kills), (SELECT count(*) FROM calls) FROM jobs") == (0, 0)
    assert offences(db) == []


async def test_near_the_deadline_the_rest_is_asked_at_once(db: Connection, office: Office) -> None:
    waiting_jobs(db, deadline=datetime.now(UTC) + timedelta(days=1))
    office.rig.batches.fate(end="expired", finished=4)
    await office.until("submitted")
    await office.step()  # the provider is at work
    make_late(db)
    await office.through()
    assert answered(office) == 4
    assert states(db) == {"ready": 6}
    await office.run_live()
    assert (states(db), asked_at_once(office)) == ({"done": 6}, 2)
    costs = rows(db, "SELECT state, count(*), sum(cost_usd) = 0 FROM calls GROUP BY 1 ORDER BY 1")
    assert costs == [("refused", 2, True), ("settled", 6, False)]


async def test_what_has_no_time_is_never_handed_in(db: Connection, office: Office) -> None:
    waiting_jobs(db, deadline=datetime.now(UTC) + timedelta(days=1))
    make_late(db)
    await office.step()
    assert (states(db), value(db, "SELECT count(*) FROM bulks")) == ({"ready": 6}, 0)
    assert len(await office.run_live()) == asked_at_once(office) == 6


async def test_what_was_handed_in_and_has_no_time_left_comes_back_before_it_begins(
    db: Connection, office: Office
) -> None:
    waiting_jobs(db, deadline=datetime.now(UTC) + timedelta(days=1))
    await office.until("uploaded")
    make_late(db)
    await office.through()
    assert value(db, "SELECT count(*) FROM calls") == 0
    assert office.rig.batches.book.begun == len(office.rig.batches.files) == 0
    assert len(await office.run_live()) == 6


async def test_a_policy_that_is_taken_back_sends_nothing_more(
    db: Connection, office: Office
) -> None:
    waiting_jobs(db)
    db.execute("UPDATE batches SET allow_provider_batch = false")
    await office.step()
    assert (states(db), value(db, "SELECT count(*) FROM bulks")) == ({"ready": 6}, 0)
    assert column(db, "SELECT DISTINCT stage FROM waiting JOIN lines ON id = line_id") == ["run"]


async def test_a_cancelled_batch_is_over_when_the_provider_has_stopped(
    db: Connection, office: Office
) -> None:
    waiting_jobs(db)
    office.rig.batches.fate(end="expired", finished=2)
    await office.until("submitted")
    await office.step()  # the provider is at work
    db.execute("UPDATE batches SET state = 'cancelled'")
    assert not value(db, "SELECT docmill_is_over(id) FROM batches")
    assert states(db) == {"submitted": 6}
    await office.through()
    run(db, "flow/sweep_cancelled")
    assert value(db, "SELECT docmill_is_over(id) FROM batches")
    assert states(db) == {"cancelled": 6}
    assert value(db, "SELECT count(*) FROM calls WHERE state = 'settled'") == answered(office) == 2


async def test_a_refused_batch_costs_nothing_and_its_jobs_run_at_once(
    db: Connection, office: Office
) -> None:
    waiting_jobs(db)
    office.rig.batches.fate(end="failed", message="the file is odd")
    await office.through()
    assert value(db, "SELECT count(*) FROM calls") == 0
    assert "the file is odd" in value(db, "SELECT given_up FROM bulks")
    assert len(await office.run_live()) == asked_at_once(office) == 6


async def test_an_error_of_one_request_concerns_its_job_alone(
    db: Connection, office: Office
) -> None:
    waiting_jobs(db)
    office.rig.batches.fate(errors={1: "400", 2: "429"})
    await office.through()
    await office.run_live()
    assert (states(db), asked_at_once(office)) == ({"done": 6}, 2)


async def test_what_is_asked_twice_word_for_word_is_handed_in_once(
    db: Connection, office: Office
) -> None:
    batch = add_batch(db, allow_provider_batch=True)
    jobs = [add_jobs(db, batch, 1, FRONTIER, text="Rent: 900")[0] for _ in range(3)]
    _to_bulk(db, jobs)
    await office.until("submitted")
    assert states(db) == {"submitted": 1, "ready": 2}
    await office.through()
    assert (answered(office), len(await office.run_live())) == (1, 1)
    db.execute("UPDATE delayed SET due_at = now()")
    bring_due(db)
    await office.through()
    assert len(await office.run_live()) == 2
    assert (states(db), answered(office), asked_at_once(office)) == ({"done": 3}, 1, 0)


async def test_a_document_that_is_asked_in_parts_runs_at_once(
    db: Connection, office: Office
) -> None:
    batch = add_batch(db, scope=Scope.DOCUMENT, allow_provider_batch=True)
    job = add_whole(db, batch, 3, FRONTIER)
    db.execute("UPDATE chunks SET text = repeat('long ', 100000)")
    _to_bulk(db, [job])
    await office.through()
    assert (answered(office), states(db)) == (0, {"ready": 1})
    assert value(db, "SELECT count(*) FROM calls") == value(db, "SELECT count(*) FROM bulks") == 0
    [outcome] = (await office.run_live()).values()
    assert isinstance(outcome, Split)


async def test_a_budget_covers_twice_as_many_and_holds_the_rest(
    db: Connection, office: Office
) -> None:
    waiting_jobs(db, 6, max_cost_usd=Decimal("0.35"))  # 0.051 each at most, half of 0.101
    await office.until("submitted")
    assert states(db)["submitted"] == 6
    assert value(db, "SELECT sum(reserved_usd) FROM calls") < Decimal("0.35")


async def test_a_bulk_holds_no_more_than_the_provider_takes(db: Connection, office: Office) -> None:
    waiting_jobs(db)
    small = replace(office, bounds=Bounds(requests=4, bytes=10_000_000))
    await small.through()
    assert sorted(column(db, "SELECT requests FROM bulks")) == [2, 4]
    assert answered(office) == 6


async def test_fewer_than_the_provider_takes_run_at_once(db: Connection, office: Office) -> None:
    waiting_jobs(db)
    choosy = replace(office, bounds=Bounds(requests=1_000, bytes=10_000_000, fewest=100))
    await choosy.step()
    assert (states(db), value(db, "SELECT count(*) FROM bulks")) == ({"ready": 6}, 0)
    assert len(await office.run_live()) == 6


async def test_what_waits_for_the_rest_of_its_batch_is_not_handed_in(
    db: Connection, office: Office
) -> None:
    waiting_jobs(db)
    batch = value(db, "SELECT id FROM batches")
    add_unread(db, Batch(batch, 0, False))
    assert not await office.step()
    assert value(db, "SELECT count(*) FROM bulks") == 0


async def test_the_provider_keeps_nothing_once_the_answers_are_here(
    db: Connection, office: Office
) -> None:
    waiting_jobs(db)
    await office.until("submitted")
    await office.through()
    batches = office.rig.batches
    assert not batches.files
    assert not batches.all or office.rig.provider.uploads


async def test_a_batch_that_its_provider_forgot_counts_with_its_upper_bound(
    db: Connection, office: Office
) -> None:
    waiting_jobs(db)
    await office.until("submitted")
    office.rig.batches.all.clear()
    await office.through()
    assert one(db, "SELECT min(state), max(state), count(*) FROM calls") == ("lost", "lost", 6)
    assert value(db, "SELECT sum(cost_usd) = sum(reserved_usd) FROM calls")
    assert len(await office.run_live()) == asked_at_once(office) == 6


async def test_a_step_that_fails_by_a_fault_of_ours_is_said_and_tried_again(
    db: Connection, office: Office
) -> None:
    waiting_jobs(db)
    await office.until("gathered")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(office.rig.api, "upload", lambda _: 1 / 0)
        await office.step()
    assert value(db, "SELECT detail FROM bulks") == "internal error: ZeroDivisionError"
    await office.through()
    assert answered(office) == 6


async def test_jobs_of_an_engine_that_has_no_batch_api_any_more_run_at_once(
    db: Connection, office: Office
) -> None:
    waiting_jobs(db)
    await Bulks(office.db, office.owner, {}, {"frontier": office.access})._begin()
    assert (states(db), value(db, "SELECT count(*) FROM bulks")) == ({"ready": 6}, 0)
    assert len(await office.run_live()) == 6


async def test_a_bulk_that_nobody_reaches_any_more_is_told_of_and_given_up_when_cancelled(
    db: Connection, office: Office
) -> None:
    waiting_jobs(db)
    await office.until("submitted")
    elsewhere = Bulks(office.db, office.owner, {}, {"frontier": office.access})
    db.execute("UPDATE bulks SET due_at = now()")
    assert await elsewhere._advance()
    assert value(db, "SELECT detail FROM bulks").startswith("no worker reaches")
    assert value(db, "SELECT state FROM bulks") == "submitted"
    db.execute("UPDATE batches SET allow_provider_batch = false")
    db.execute("UPDATE bulks SET due_at = now()")
    assert await elsewhere._advance()
    assert (states(db), value(db, "SELECT state FROM bulks")) == ({"ready": 6}, "closed")
    assert column(db, "SELECT DISTINCT state FROM calls") == ["lost"]


async def test_a_bulk_at_another_address_is_left_to_the_workers_that_reach_it(
    db: Connection, office: Office
) -> None:
    waiting_jobs(db)
    await office.until("submitted")
    db.execute("UPDATE bulks SET host = 'another:1', due_at = now()")
    db.execute(
        "INSERT INTO workers (owner, pool, host, pid, configuration_id)"
        " SELECT gen_random_uuid(), 'frontier', 'a', 1, configuration_id FROM batches"
    )
    db.execute(
        "INSERT INTO servers (owner, engine, zone, kind, address, models, slots, in_use)"
        " SELECT owner, 'frontier', 'frontier', 'openai', 'another:1', '{}', 1, 0 FROM workers"
    )
    assert not await office.bulks._advance()
    db.execute("DELETE FROM workers")
    assert await office.bulks._advance()
    assert value(db, "SELECT detail FROM bulks").startswith("no worker reaches another:1")
    assert states(db) == {"submitted": 6}


async def test_nothing_is_begun_for_a_batch_that_is_paused(db: Connection, office: Office) -> None:
    waiting_jobs(db)
    await office.until("uploaded" if office.rig.provider.uploads else "gathered")
    db.execute("UPDATE batches SET state = 'paused'")
    assert not await office.step()
    assert office.rig.batches.book.begun == 0
    db.execute("UPDATE batches SET state = 'running'")
    await office.through()
    assert answered(office) == 6


async def test_a_batch_with_texts_at_the_provider_cannot_be_purged(
    db: Connection, office: Office
) -> None:
    waiting_jobs(db)
    await office.until("submitted")
    [batch] = column(db, "SELECT id FROM batches")
    db.execute("UPDATE batches SET state = 'cancelled'")
    assert not run(db, "purge/begin", batch=batch, keep_costs=True)
    assert run(db, "purge/state", batch=batch)[0]["busy"]
    await office.through()
    assert run(db, "purge/begin", batch=batch, keep_costs=True)


async def test_a_paid_answer_whose_question_has_changed_is_no_call_for_nothing(
    db: Connection, office: Office
) -> None:
    waiting_jobs(db, 1)
    await office.through()
    db.execute("UPDATE calls SET request_key = gen_random_uuid()")
    await office.run_live()
    assert (states(db), asked_at_once(office)) == ({"done": 1}, 1)
    assert value(db, "SELECT min(reserved_usd) > 0 FROM calls") is True
    assert offences(db) == []
