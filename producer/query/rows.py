"""Rows of the statements of producer/sql, and how their money and moments are shown."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from psycopg.rows import dict_row

from models.database import ready_connection
from models.errors import NotFound
from models.sql import load_sql

Row = Mapping[str, Any]

FETCH = 1_000
"""Rows of results in memory at a time."""


def one(name: str, /, **params: Any) -> Row | None:
    """The first row of a statement of producer/sql, if any."""
    rows = every(name, **params)
    return rows[0] if rows else None


def every(name: str, /, **params: Any) -> list[Row]:
    """All rows of a statement of producer/sql."""
    with ready_connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
        return list(cursor.execute(load_sql("producer", name), params))


def fetched(name: str, params: Row) -> Iterator[Row]:
    """The rows of a statement of producer/sql, a few at a time."""
    with (
        ready_connection() as connection,
        connection.transaction(),
        connection.cursor(name, row_factory=dict_row) as cursor,
    ):
        cursor.itersize = FETCH
        yield from cursor.execute(load_sql("producer", name), params)


def require(batch: int) -> None:
    """Raises NotFound when there is no such batch. Any number may be asked for."""
    query = "SELECT FROM batches WHERE id = %s"
    with ready_connection() as connection:
        if connection.execute(query, (batch,)).fetchone() is None:
            raise no_batch(batch)


def no_batch(batch: int) -> NotFound:
    """What says that there is none of this number."""
    return NotFound(f"there is no batch {batch}; `docmill list` shows those that are")


def money(value: Decimal | None) -> str | None:
    """USD as a plain decimal string."""
    if value is None:
        return None
    text_form = format(value.normalize(), "f")
    return "0" if text_form in ("-0", "") else text_form


def moment(value: Any) -> str | None:
    """A timestamp in ISO 8601."""
    return value.isoformat() if value is not None else None
