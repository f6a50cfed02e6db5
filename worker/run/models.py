"""The scores that this process goes by: the product's own, or the installation's newest."""

from collections.abc import Sequence

import psycopg

from models.errors import DocmillError
from models.scores import Scores, opened, shipped
from worker.db import Database, Row, fetch
from worker.log import logger
from worker.recent import Recent


def recent_scores(db: Database) -> Recent[int, Scores]:
    """Models of scores by their number; 0 is the product's own."""

    async def load(ids: Sequence[int]) -> dict[int, Scores]:
        own = [n for n in ids if n]
        rows = await db.run("scores/models", ids=own) if own else []
        found = {row["id"]: _readable(row) for row in rows}
        return dict.fromkeys(ids, shipped()) | found

    return Recent(load)


def newest_scores(connection: "psycopg.Connection[Row]") -> Scores:
    """The model that counts, for a command."""
    rows = fetch(connection, "scores/newest")
    return _readable(rows[0]) if rows else shipped()


def _readable(row: Row) -> Scores:
    """A model of the installation; the product's own where this version cannot read it."""
    try:
        return opened(row["model"])
    except DocmillError as exc:
        logger().warning("scores cannot be read", number=row["id"], problem=str(exc))
        return shipped()
