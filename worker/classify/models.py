"""The learned models that this process goes by: the product's own, or the installation's newest."""

from collections.abc import Sequence

import psycopg

from models.errors import DocmillError
from worker.classify.learned import Learned, shipped, unpack
from worker.db import Database, Row, fetch
from worker.log import logger
from worker.recent import Recent


def recent_models(db: Database) -> Recent[int, Learned]:
    """Learned models by their number; 0 is the product's own."""

    async def load(ids: Sequence[int]) -> dict[int, Learned]:
        own = [n for n in ids if n]
        rows = await db.run("classify/learned_models", ids=own) if own else []
        return dict.fromkeys(ids, shipped()) | {
            row["id"]: opened(row["id"], bytes(row["weights"])) for row in rows
        }

    return Recent(load)


def newest(connection: "psycopg.Connection[Row]") -> Learned:
    """The model that counts, for a command."""
    rows = fetch(connection, "classify/newest_learned_model")
    return opened(rows[0]["id"], bytes(rows[0]["weights"])) if rows else shipped()


def opened(number: int, packed: bytes) -> Learned:
    """A model of the installation; the product's own where this version cannot read it."""
    try:
        return unpack(packed)
    except DocmillError as exc:
        logger().warning("learned model cannot be read", number=number, problem=str(exc))
        return shipped()
