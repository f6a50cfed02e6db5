"""Second readings on a real Postgres: what a frontier that is right brings, what the cap lets
through, and that local-only batches stay where they are."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from psycopg.types.json import Json

from models.config import Config
from models.words import TaskType, Zone
from producer import query
from tests.recount import offences
from tests.rows import (
    FRONTIER,
    LOCAL,
    Batch,
    Connection,
    add_batch,
    add_configuration,
    add_jobs,
    column,
    one,
    rows,
    value,
)
from tests.statements import run
from tests.stubs.fake import FakeEngine
from worker.calls.access import EngineAccess
from worker.calls.admission import Unlimited
from worker.calls.journal import Journal
from worker.calls.ledger import Ledger
from worker.calls.prices import PriceBook
from worker.calls.reservations import Reservations
from worker.configs import Configs
from worker.db import Database
from worker.deployment import Deployment
from worker.llm.engine import Completion, EngineError, Request, Trouble
from worker.persist import Persist
from worker.route import Place
from worker.run.claims import JobClaims
from worker.run.stage import RunStage

PRICES = {"m": {"input_per_mtok": "3", "output_per_mtok": "15"}}
FIELDS = ("seller", "date", "total")
SCHEMA = {
    "type": "object",
    "properties": {name: {"type": ["string", "null"]} for name in FIELDS},
    "required": list(FIELDS),
    "additionalProperties": False,
}
RIGHT = {"seller": "Larkmoor Ltd", "date": "3 May 2024"}
LARGE = Place(Zone.LOCAL, "gpu2", "large")


def text_of(number: int) -> str:
    return (
        f"Invoice {number}\nSeller: Larkmoor Ltd\nDate: 3 May 2024\n"
        f"Subtotal: {number}.10\nTotal: {number}.50\n"
    )


def total_of(request: Request) -> str:
    [found] = re.findall(r"^Total: (?:up to )?(\S+)$", request.messages[-1].content, re.MULTILINE)
    return found


@dataclass
class Reader(FakeEngine):
    """An engine that reads invoices: of `wrong` it has the total wrong. `fault` ends its calls."""

    wrong: frozenset[int] = frozenset()
    fault: EngineError | None = None
    asked: list[list[str]] = field(default_factory=list)

    async def _answer(self, request: Request) -> Completion:
        if self.fault is not None:
            raise self.fault
        assert request.schema is not None
        names = list(request.schema["properties"])
        self.asked.append(names)
        total = total_of(request)
        said = {**RIGHT, "total": "12345.67" if int(total.split(".")[0]) in self.wrong else total}
        return self._completion(request, json.dumps({name: said[name] for name in names}))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url)
    await opened.open()
    yield opened
    await opened.close()


@dataclass
class Plant:
    """A batch's jobs, and workers of every engine."""

    db: Connection
    database: Database
    journals: Path
    tables: dict[str, Any]
    engines: dict[Place, Reader]

    def submit(self, number: int, important: tuple[str, ...] = (), **columns: Any) -> Batch:
        """So many invoices, each a job."""
        configuration = add_configuration(self.db, **self.tables)
        batch = add_batch(self.db, configuration_id=configuration, **columns)
        self.db.execute(
            "UPDATE asks SET json_schema = %s, important = %s WHERE id = %s",
            (Json(SCHEMA), list(important), batch.ask),
        )
        for n in range(number):
            add_jobs(self.db, batch, 1, text=text_of(n + 1), task=TaskType.EXTRACTION)
        return batch

    def stage(self, place: Place) -> RunStage:
        """A worker process of its own for an engine."""
        config = Config.model_validate({"prices": PRICES, **self.tables})
        deployment = Deployment(place.engine, config.engines[place.engine], FakeEngine, "h:1")
        owner = uuid4()
        journal = Journal(self.journals / str(owner))
        journal.close()
        access = EngineAccess(
            deployment=deployment,
            engine=self.engines[place],
            journal=journal,
            ledger=Ledger(deployment, PriceBook(config), "m", lambda: 4),
            reserve=Reservations(self.database, owner, deployment, config.limits.usd_per_day),
            admission=Unlimited(),
        )
        persist = Persist(self.database, journal, owner)
        claims = JobClaims(self.database, access, Configs(self.database, 0, config), owner)
        return RunStage(access, claims, persist.finish)

    async def drain(self, workers: int = 1, most: int = 32) -> None:
        """Let so many workers of each engine work until nothing waits."""
        stages = [(place, self.stage(place)) for place in self.engines for _ in range(workers)]
        while any(await asyncio.gather(*(turns(stage, place, most) for place, stage in stages))):
            pass

    def right(self) -> int:
        """How many answers are right in all their fields."""
        found = rows(
            self.db,
            "SELECT value->>'total', chunks.text FROM answers a JOIN jobs j ON j.id = a.job_id "
            "JOIN chunks ON chunks.id = j.chunk_id",
        )
        return sum(f"\nTotal: {total}\n" in text for total, text in found)


async def turns(stage: RunStage, place: Place, most: int) -> int:
    """Take what waits for an engine through its turns, side by side; how many there were."""
    held = (await stage.claim(place.queue, uuid4(), most)).held

    async def turn(one: Any) -> None:
        await stage.finish(await stage.work(one, nullcontext()))

    await asyncio.gather(*map(turn, held))
    return len(held)


@pytest.fixture
def plant(db: Connection, database: Database, tmp_path: Path) -> Plant:
    tables = {
        "prices": PRICES,
        "engines": {
            "local": {"model": "m"},
            "gpu2": {"zone": "local", "kind": "ollama", "url": "http://gpu2", "model": "large"},
            "frontier": {"model": "m"},
        },
        "tasks": {"extraction": {"model": "m", "escalate": "frontier/m"}},
        "escalation": {"share": 1},
    }
    readers = {
        LOCAL: Reader(models=("m",), wrong=frozenset(range(1, 13))),
        LARGE: Reader(models=("large",), wrong=frozenset(range(1, 13))),
        FRONTIER: Reader(models=("m",)),
    }
    return Plant(db, database, tmp_path, tables, readers)


async def test_a_frontier_that_is_right_mends_what_was_wrong_and_is_asked_about_that_alone(
    plant: Plant, db: Connection
) -> None:
    """Twelve of forty have a wrong total."""
    batch = plant.submit(40)
    await plant.drain()
    assert plant.right() == 40
    assert plant.engines[FRONTIER].asked == [["total"]] * 12
    found = rows(
        db,
        "SELECT chain, escalated_from, escalation_reason, fields->'total'->>'by', "
        "fields->'seller'->>'by', fields->'total'->>'outcome', grounded, tier FROM results "
        "WHERE escalated_from IS NOT NULL",
    )
    reason = "fields: total wrong (not_in_text)"
    row = (["local/m", "frontier/m"], "m", reason, "frontier/m", "local/m", "sure", True)
    assert found == [(*row, "frontier")] * 12
    [brought] = query.escalations(batch.id)
    paid = value(db, "SELECT sum(cost_usd) FROM calls WHERE zone = 'frontier'")
    assert (brought["jobs"], brought["of_jobs"], brought["fields"]) == (12, 40, 12)
    assert (brought["mended"], Decimal(brought["cost_usd"])) == (12, paid)
    assert Decimal(brought["usd_per_mended"]) == pytest.approx(paid / 12)
    assert column(db, "SELECT job_id FROM readings") == []
    assert offences(db) == []


@pytest.mark.parametrize(
    ("share", "let_through"), [(1.0, 12), (0.2, 8), (0.21, 9), (0.01, 1), (0.0, 0)]
)
async def test_the_share_is_kept_by_many_workers_together(
    plant: Plant, db: Connection, share: float, let_through: int
) -> None:
    plant.tables["escalation"] = {"share": share}
    plant.submit(40)
    await plant.drain(workers=4, most=5)
    assert len(plant.engines[FRONTIER].asked) == let_through
    assert plant.right() == 28 + let_through
    stood = rows(
        db,
        "SELECT DISTINCT state, escalated_from, escalation_reason, fields->'total'->>'outcome', "
        "chain FROM results WHERE escalation_reason LIKE 'share_cap%'",
    )
    reason = "share_cap: fields: total wrong (not_in_text)"
    assert stood == [("done", None, reason, "wrong", ["local/m"])] * (let_through < 12)
    assert offences(db) == []


async def test_the_cost_is_kept_by_many_workers_together_and_what_was_not_spent_is_given_back(
    plant: Plant, db: Connection
) -> None:
    """An answer may take 512 tokens, and takes a few: each reserves about 0.0085 USD, and spends
    about 0.0007."""
    plant.tables["escalation"] = {"share": 1, "cost_usd": "0.02"}
    batch = plant.submit(40)
    await plant.drain(workers=4, most=5)
    paid = value(db, "SELECT sum(cost_usd) FROM calls WHERE zone = 'frontier'")
    [brought] = query.escalations(batch.id)
    assert 2 <= brought["jobs"] < 12
    assert paid <= Decimal("0.02")
    assert Decimal(brought["cost_usd"]) == paid
    reasons = column(db, "SELECT escalation_reason FROM jobs WHERE escalation_reason LIKE '%cap%'")
    assert reasons == ["cost_cap: fields: total wrong (not_in_text)"] * (12 - brought["jobs"])
    assert offences(db) == []


@pytest.mark.parametrize("price", [{}, PRICES], ids=["unknown", "known"])
async def test_a_cap_on_money_needs_a_price(plant: Plant, db: Connection, price: Any) -> None:
    plant.tables |= {"prices": price, "escalation": {"share": 1, "cost_usd": "5"}}
    plant.submit(12)
    await plant.drain()
    assert len(plant.engines[FRONTIER].asked) == (12 if price else 0)


@pytest.mark.parametrize("why", ["local-only", "pinned"])
async def test_what_must_stay_escalates_in_the_building_alone(
    plant: Plant, db: Connection, why: str
) -> None:
    plant.tables["tasks"]["extraction"]["escalate"] = ["gpu2/large", "frontier/m"]
    plant.submit(12, local_only=why == "local-only")
    if why == "pinned":
        db.execute("UPDATE chunks SET pinned = 'pan'")
        db.execute("SET session_replication_role = replica")  # they stand in line already
        db.execute("UPDATE jobs SET pinned = 'pan'")
        db.execute("RESET session_replication_role")
    await plant.drain()
    assert plant.engines[LARGE].asked == [["total"]] * 12
    assert plant.engines[FRONTIER].requests == []
    assert column(db, "SELECT DISTINCT zone FROM calls") == ["local"]
    assert column(db, "SELECT DISTINCT state FROM jobs") == ["done"]
    assert offences(db) == []


async def test_a_local_only_batch_with_nowhere_to_go_inside_escalates_nowhere(
    plant: Plant, db: Connection
) -> None:
    plant.submit(12, local_only=True)
    await plant.drain()
    assert plant.engines[FRONTIER].requests == plant.engines[LARGE].requests == []
    assert column(db, "SELECT DISTINCT escalation_reason FROM jobs") == [None]
    assert query.escalations(None) == []


async def test_what_is_still_wrong_goes_on_to_the_last_place_and_counts_once(
    plant: Plant, db: Connection
) -> None:
    plant.tables["tasks"]["extraction"]["escalate"] = ["gpu2/large", "frontier/m"]
    plant.tables["escalation"] = {"share": 0.3}
    batch = plant.submit(40)
    await plant.drain(workers=2)
    assert plant.right() == 40
    [brought] = query.escalations(batch.id)
    assert (brought["jobs"], brought["fields"], brought["mended"]) == (12, 12, 12)
    chains = column(db, "SELECT chain FROM results WHERE escalated_from IS NOT NULL")
    assert chains == [["local/m", "gpu2/large", "frontier/m"]] * 12


async def test_an_important_field_is_read_again_where_it_is_only_to_be_checked(
    plant: Plant, db: Connection
) -> None:
    plant.engines[LOCAL].wrong = frozenset()
    plant.submit(3, important=("total",))
    db.execute("UPDATE chunks SET text = replace(text, 'Total: ', 'Total: up to ')")
    await plant.drain()
    assert plant.engines[FRONTIER].asked == [["total"]] * 3
    found = rows(db, "SELECT escalation_reason, fields->'total'->>'code' FROM results")
    assert found == [("fields: total check (qualified)", "qualified")] * 3


async def test_a_second_reading_that_cannot_be_had_leaves_the_answer_as_it_was(
    plant: Plant, db: Connection
) -> None:
    plant.engines[FRONTIER].fault = EngineError(Trouble.CONTENT_FILTER, "not that")
    batch = plant.submit(3)
    await plant.drain()
    found = one(
        db,
        "SELECT state, escalation_reason, fields->'total'->>'by', value->>'total' FROM results "
        "LIMIT 1",
    )
    reason = "unread: total wrong (not_in_text); at frontier/m: content_filter: not that"
    assert found == ("done", reason, "local/m", "12345.67")
    [brought] = query.escalations(batch.id)
    assert (brought["jobs"], brought["mended"], brought["cost_usd"]) == (3, 0, "0")
    assert offences(db) == []


async def test_what_the_batchs_budget_does_not_cover_is_not_waited_for(
    plant: Plant, db: Connection
) -> None:
    plant.submit(40, max_cost_usd=Decimal("0.012"))
    for _ in range(40):
        await plant.drain()
        db.execute("UPDATE holds SET until = now() WHERE passing")
        run(db, "flow/end_holds")
    assert column(db, "SELECT DISTINCT state FROM jobs") == ["done"]
    paid = value(db, "SELECT sum(cost_usd) FROM calls WHERE zone = 'frontier'")
    assert 0 < paid <= Decimal("0.012")
    assert 2 <= plant.right() - 28 < 12
    why = "unread: total wrong (not_in_text); at frontier/m: budget: no budget covers a second "
    stood = column(db, "SELECT escalation_reason FROM jobs WHERE escalation_reason LIKE 'unread%'")
    assert stood == [f"{why}reading"] * (40 - plant.right())
    assert column(db, "SELECT id FROM calls WHERE state = 'reserved'") == []
    assert offences(db) == []


async def test_an_answer_with_a_frontiers_words_is_not_used_again_as_a_local_one(
    plant: Plant, db: Connection
) -> None:
    plant.submit(12)
    await plant.drain()
    batch = plant.submit(12, local_only=True)
    await plant.drain()
    said = column(
        db,
        "SELECT DISTINCT a.value->>'total' FROM answers a JOIN jobs j ON j.id = a.job_id "
        "WHERE j.batch_id = %s",
        batch.id,
    )
    assert said == ["12345.67"]
