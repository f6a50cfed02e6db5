"""Sessions beside each other: what one does while another has not ended its transaction."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from tests.rows import Connection, value
from tests.waiting import wait_until


def connect(url: str, **more: Any) -> Connection:
    """Another session. Without autocommit, its transaction ends when the test says so."""
    return psycopg.connect(url, **more)


def blocked(db: Connection) -> int:
    """How many sessions of this database wait for a lock."""
    db.execute("SELECT pg_stat_clear_snapshot()")  # a transaction would see what it saw at first
    return value(
        db,
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE wait_event_type = 'Lock' AND datname = current_database()",
    )


@contextmanager
def meanwhile(db: Connection, url: str, act: Callable[[Connection], object]) -> Iterator[None]:
    """Another session does this. The body begins when that is through, or waits for a lock; at its
    end the other one has to get through."""
    failed: list[BaseException] = []

    def other() -> None:
        try:
            with connect(url, autocommit=True) as connection:
                act(connection)
        except BaseException as exc:
            failed.append(exc)

    thread = threading.Thread(target=other)
    thread.start()
    wait_until(lambda: not thread.is_alive() or blocked(db), what="the other is through, or waits")
    yield
    thread.join(20)
    assert not thread.is_alive()
    assert failed == []
