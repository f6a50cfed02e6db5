"""A plan that is made while the tables are small, and kept, still finds rows by key."""

import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from models.sql import load_sql
from tests.integration.test_leases import claim, insert_jobs
from worker.db import prefer_indexes

Connection = psycopg.Connection[tuple[Any, ...]]
Node = dict[str, Any]

AFTER_A_CALL = ("settle_calls", "finish_jobs", "finish_pending", "retry_pending", "fail_pending")
AFTER_A_DOCUMENT = ("finish_documents", "fail_documents")
OF_LEASES = ("renew_jobs", "renew_pending")

SMALL = {"ix_classifications_leased"}
"""Of what is under way only: read whole it does no harm."""


def numbered(sql: str) -> str:
    """A statement with $1, $2, ... for its names: what a prepared one is planned from."""
    names: dict[str, str] = {}
    return re.sub(
        r"%\((\w+)\)s", lambda name: names.setdefault(name[1], f"${len(names) + 1}"), sql
    ).replace("%%", "%")


def nodes(plan: Node) -> Iterator[Node]:
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)


def whole(node: Node) -> bool:
    """Whether it reads all that it is of."""
    scan = node["Node Type"].endswith("Scan") and node["Node Type"] not in (
        "Bitmap Heap Scan",  # the index scan below it says what it reads
        "CTE Scan",
        "Function Scan",
        "Subquery Scan",
        "WorkTable Scan",
    )
    return scan and "Index Cond" not in node and node.get("Index Name") not in SMALL


def a_few_jobs(db: Connection) -> None:
    """A worker's first seconds: some jobs wait, some are under way, nothing has been analysed."""
    ids = insert_jobs(db, 600)
    claim(db, ids[:200], uuid4())
    waiting = (
        "UPDATE jobs SET state = 'pending', classify_key = gen_random_uuid() WHERE id = ANY(%s)"
    )
    db.execute(waiting, (ids[200:400],))
    db.execute(
        "INSERT INTO classifications (key, owner) SELECT classify_key, gen_random_uuid() FROM jobs "
        "WHERE classify_key IS NOT NULL LIMIT 100"
    )


async def plan(url: str, name: str) -> Node:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await prefer_indexes(connection)  # type: ignore[arg-type]
        # as bytes: the numbers are Postgres' own, not psycopg's
        statement = f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {numbered(load_sql('worker', name))}"
        cursor = await connection.execute(statement.encode())
        row = await cursor.fetchone()
        assert row is not None
        return dict(row[0][0]["Plan"])


@pytest.mark.parametrize("name", AFTER_A_CALL + AFTER_A_DOCUMENT + OF_LEASES)
async def test_a_statement_that_names_rows_by_key_reads_no_table_whole(
    db: Connection, database_url: str, name: str
) -> None:
    a_few_jobs(db)
    read = [
        f"{node['Node Type']} {node.get('Relation Name')} {node.get('Index Name')}"
        for node in nodes(await plan(database_url, name))
        if whole(node)
    ]
    assert read == []
