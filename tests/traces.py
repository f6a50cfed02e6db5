"""Everything that is anywhere: tables, Redis and files, as texts to search through."""

from pathlib import Path
from typing import Any

import psycopg
import redis


def tables(database: str) -> dict[str, str]:
    """Every table, its rows as Postgres writes them."""
    with psycopg.connect(database, autocommit=True) as connection:
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return {
            f"table {name}": "\n".join(row[0] for row in _rows(connection, name))
            for (name,) in names.fetchall()
        }


def _rows(connection: "psycopg.Connection[Any]", table: str) -> list[tuple[Any, ...]]:
    return connection.execute(f'SELECT t::text FROM "{table}" t').fetchall()  # type: ignore[arg-type]


def files(folder: Path) -> dict[str, str]:
    """Every file below a folder."""
    return {
        f"file {path.relative_to(folder)}": path.read_bytes().decode("utf-8", "replace")
        for path in folder.rglob("*")
        if path.is_file()
    }


def values(url: str) -> dict[str, str]:
    """Every key of a Redis, with what it holds."""
    with redis.Redis.from_url(url) as client:
        return {f"redis {key.decode()}": str(_value(client, key)) for key in client.scan_iter()}


def _value(client: redis.Redis, key: bytes) -> object:
    match client.type(key):
        case b"string":
            return client.get(key)
        case b"list":
            return client.lrange(key, 0, -1)
        case b"hash":
            return client.hgetall(key)
        case b"set":
            return client.smembers(key)
        case _:
            return client.zrange(key, 0, -1)
