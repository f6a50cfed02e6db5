"""Long lists and wide schemas on a real Postgres: claimed, split, asked, merged and written."""

from collections.abc import AsyncIterator
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from psycopg.types.json import Jsonb

from models.config import Config
from tests.bank import ACCOUNT, SCHEMA, Clerk, pages_of, rows_of
from tests.recount import offences
from tests.rows import LOCAL, Connection, add_batch, add_read, let_lapse, one, rows, value
from tests.statements import reap
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
from worker.ingest.chunk import chunk
from worker.jsonb import as_json
from worker.persist import Persist
from worker.read.kinds import Text
from worker.run.claims import JobClaims
from worker.run.stage import RunStage


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url)
    await opened.open()
    yield opened
    await opened.close()


def add_document(db: Connection, pages: list[str], schema: Any) -> int:
    """An extraction about a whole document, ready to run."""
    batch = add_batch(db)
    document = add_read(db, batch, 0, 1, None)
    for each in chunk(Text.of(pages), 300):
        row = {**asdict(each), "document": document}
        db.execute(
            "INSERT INTO chunks (document_id, ordinal, page_from, page_to, char_start, char_end, "
            "tokens, text, sha256) VALUES (%(document)s, %(ordinal)s, %(page_from)s, %(page_to)s, "
            "%(char_start)s, %(char_end)s, %(tokens)s, %(text)s, "
            "sha256(convert_to(%(text)s, 'UTF8')))",
            row,
        )
    db.execute("UPDATE asks SET json_schema = %s", (Jsonb(schema),))
    return value(
        db,
        "INSERT INTO jobs (batch_id, local_only, document_id, ask_id, state, task, found_by, "
        "zone, engine, model, tokens) "
        "VALUES (%s, %s, %s, %s, 'ready', 'extraction', 'user', %s, %s, %s, 1) RETURNING id",
        *(batch.id, batch.local_only, document, batch.ask),
        *(LOCAL.zone, LOCAL.engine, LOCAL.model),
    )


class Office:
    """One worker's run stage, with an engine."""

    def __init__(self, database: Database, folder: Path, engine: FakeEngine) -> None:
        config = Config.model_validate({"engines": {"local": {"context_tokens": 2_500}}})
        deployment = Deployment("local", config.engines["local"], FakeEngine, "h:1")
        owner, journal = uuid4(), Journal(folder / "journal")
        journal.close()
        access = EngineAccess(
            deployment=deployment,
            engine=engine,
            journal=journal,
            ledger=Ledger(deployment, PriceBook(config), "m", lambda: 4),
            reserve=Reservations(database, owner, deployment, None),
            admission=Unlimited(),
        )
        claims = JobClaims(database, access, Configs(database, 0, config), owner)
        self.persist = Persist(database, journal, owner)
        self.stage = RunStage(access, claims, self.persist.finish)

    async def run(self) -> int:
        """What waits runs; how many jobs that were."""
        held = (await self.stage.claim(LOCAL.queue, uuid4(), 64)).held
        for each in held:
            await self.stage.finish(await self.stage.work(each, nullcontext()))
        return len(held)


async def test_a_statement_over_many_pages_comes_back_row_by_row(
    db: Connection, database: Database, tmp_path: Path
) -> None:
    said = rows_of(150)
    job = add_document(db, pages_of(said, 12), SCHEMA)
    engine = Clerk(models=(LOCAL.model,))
    office = Office(database, tmp_path, engine)
    while await office.run():
        pass
    answer, fields, grounded = one(
        db, "SELECT value, fields, grounded FROM results WHERE job = %s", job
    )
    assert answer == {"account": ACCOUNT, "rows": said}
    assert (grounded, "rows" in fields) == (True, False)
    assert {check["outcome"] for check in fields.values()} <= {"sure", "check"}
    assert value(db, "SELECT count(*) FROM jobs WHERE parent_id = %s", job) >= 3
    assert len(engine.requests) == value(db, "SELECT count(*) FROM calls WHERE state = 'settled'")
    assert offences(db) == []


async def test_rows_that_are_missing_are_said_in_the_row(
    db: Connection, database: Database, tmp_path: Path
) -> None:
    said = rows_of(60)
    job = add_document(db, pages_of(said, 5), SCHEMA)
    engine = Clerk(models=(LOCAL.model,), drops=lambda row: row["text"] == "Rent")
    office = Office(database, tmp_path, engine)
    while await office.run():
        pass
    answer, check = one(db, "SELECT value, fields->'rows' FROM results WHERE job = %s", job)
    assert answer["rows"] == [row for row in said if row["text"] != "Rent"]
    assert (check["outcome"], check["code"]) == ("check", "gaps")


WIDE = {
    "type": "object",
    "properties": {f"field_{n}": {"type": "string"} for n in range(369)},
    "required": [f"field_{n}" for n in range(369)],
    "additionalProperties": False,
}


async def test_a_schema_of_369_fields_is_joined_and_what_a_crash_left_is_not_asked_again(
    db: Connection, database: Database, tmp_path: Path
) -> None:
    job = add_document(db, ["A form of many words and more words of it"], WIDE)
    engine = FakeEngine(models=(LOCAL.model,))
    crashing = Office(database, tmp_path, engine)
    [held] = (await crashing.stage.claim(LOCAL.queue, uuid4(), 8)).held
    turn = await crashing.stage.work(held, nullcontext())
    asked = len(engine.requests)
    half = turn.calls[: len(turn.calls) // 2]
    # what a worker's journal held when it was killed is settled by another
    await database.run_all([("calls/settle", {"calls": as_json(half)})])
    let_lapse(db)
    reap(db)
    office = Office(database, tmp_path, engine)
    while await office.run():
        pass
    answer = value(db, "SELECT value FROM results WHERE job = %s", job)
    assert answer.keys() == WIDE["properties"].keys()
    assert len(engine.requests) == asked + asked - len(half)
    assert asked > 8
    assert rows(db, "SELECT DISTINCT state FROM jobs") == [("done",)]
    assert offences(db) == []
