"""Reroute: what is not begun of a batch goes where the current configuration sends it.

Documents that are not read yet follow by themselves: a batch's number of its configuration is all
that they are routed by.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg

from models.config import Config
from models.configuration import applied
from models.errors import InputError
from models.words import Stage
from worker.db import Row, fetch, one_connection
from worker.jsonb import as_json
from worker.route import classifier, route
from worker.run.claims import facts

MOVED = ("id", "zone", "engine", "model", "bulk")

BLOCK = 1_000
"""Jobs that are looked at in one transaction."""


@dataclass(frozen=True, slots=True)
class Move:
    """A job's new place: a row for reroute/move.sql."""

    id: int
    zone: str
    engine: str
    model: str
    bulk: bool
    escalation_reason: str | None = None


def reroute(batch: int) -> int:
    """Route a batch anew and say what went where. Raises InputError where it is over."""
    configuration = applied()
    with one_connection() as connection:
        adopt = {"batch": batch, "configuration": configuration.number}
        if not fetch(connection, "reroute/adopt", **adopt):
            raise InputError(f"there is no batch {batch} that is running or paused")
        moved: Counter[str] = Counter()
        for line in fetch(connection, "reroute/lines", batch=batch):
            moved += _reroute_line(connection, line, configuration.config)
    places = "".join(f"  {n:,} jobs: {place}\n" for place, n in sorted(moved.items()))
    said = f"batch {batch} goes by configuration {configuration.number} from now on; "
    sys.stdout.write(f"{said}{moved.total():,} jobs that waited go elsewhere\n{places}")
    return 0


def _reroute_line(
    connection: "psycopg.Connection[Row]", line: Row, config: Config
) -> "Counter[str]":
    moved: Counter[str] = Counter()
    for rows in _waiting(connection, line):
        moves = {job["id"]: move for job in rows if (move := _move(job, line, config))}
        params = {"line": line["id"], "before": line["before"]}
        gone = fetch(connection, "reroute/move", rows=as_json(list(moves.values())), **params)
        for row in gone:
            move = moves[row["id"]]
            moved[f"{move.engine}/{move.model}"] += 1
    return moved


def _waiting(connection: "psycopg.Connection[Row]", line: Row) -> Iterator[list[Row]]:
    """The jobs of a line that nobody has begun, block by block."""
    after = {"xact": 0, "item": 0}
    where = {"line": line["id"], "before": line["before"], "most": BLOCK}
    while rows := fetch(connection, "reroute/next", **where, **after):
        after = {"xact": rows[-1]["xact"], "item": rows[-1]["item_id"]}
        yield [row for row in rows if row["id"] is not None]


def _move(job: Row, line: Row, config: Config) -> Move | None:
    if line["stage"] == Stage.CLASSIFY:
        queue = classifier(config)
        move = Move(job["id"], job["zone"], queue.engine, queue.model, bulk=False)
    else:
        way = route(facts(job), config)
        place = way.first
        move = Move(job["id"], place.zone, place.engine, place.model, way.bulk, way.reason)
    same = all(job[key] == getattr(move, key) for key in MOVED)
    return None if same else move
