"""Connections for reads, and what is said where Postgres does not let us."""

from collections.abc import Iterator
from contextlib import ExitStack
from uuid import uuid4

import psycopg
import pytest

from models import database
from models.database import KEPT_CONNECTIONS, MOST_CONNECTIONS, ready_connection
from models.errors import DocmillError, ServiceAway
from tests.waiting import wait_until

Connection = psycopg.Connection[tuple[object, ...]]

OTHERS = (
    "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
    "AND backend_type = 'client backend'"
)


def backends(db: Connection) -> int:
    row = db.execute(f"SELECT count(*) {OTHERS}").fetchone()
    assert row is not None
    return int(str(row[0]))


def backend() -> object:
    with ready_connection() as connection:
        return connection.info.backend_pid


@pytest.mark.usefixtures("database_url")
def test_a_connection_is_used_again() -> None:
    assert backend() == backend()


def test_a_connection_that_died_while_it_was_kept_is_replaced(db: Connection) -> None:
    first = backend()
    db.execute(f"SELECT pg_terminate_backend(pid) {OTHERS}")
    assert backend() != first


@pytest.mark.usefixtures("database_url")
def test_a_connection_that_died_in_use_is_said_and_not_kept() -> None:
    with pytest.raises(ServiceAway, match="terminating connection"), ready_connection() as first:
        first.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    assert backend() != first.info.backend_pid


@pytest.mark.usefixtures("database_url")
def test_what_is_too_large_for_postgres_is_not_said_to_be_its_absence() -> None:
    row = "string_agg(md5(n::text), '') AS name FROM generate_series(1, 200) n"
    with ready_connection() as connection:
        connection.execute(f"CREATE TEMPORARY TABLE odd AS SELECT {row}")
    with pytest.raises(DocmillError, match="index row") as told, ready_connection() as connection:
        connection.execute("CREATE UNIQUE INDEX ON odd (name)")
    assert not isinstance(told.value, ServiceAway)


def test_reads_are_bounded_and_few_connections_are_kept(
    db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_S", 0.01)
    with ExitStack() as stack:
        for _ in range(MOST_CONNECTIONS):
            stack.enter_context(ready_connection())
        with pytest.raises(ServiceAway, match="12 reads are under way"), ready_connection():
            pytest.fail("there is no connection left")
    wait_until(lambda: backends(db) == KEPT_CONNECTIONS, what="the others are closed")
    database.connections().close()
    wait_until(lambda: backends(db) == 0, what="the kept ones are closed")


@pytest.fixture
def stranger(db: Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A role that owns nothing, and is who we are."""
    role = f"stranger_{uuid4().hex[:8]}"
    db.execute(f"CREATE ROLE {role} LOGIN")
    url = f"postgresql://{role}@/{db.info.dbname}?host={db.info.host}&port={db.info.port}"
    monkeypatch.setenv("DATABASE_URL", url)
    for cached in (database.settings, database.database_url, database.connections):
        cached.cache_clear()
    yield role
    database.connections().close()
    db.execute(f"DROP OWNED BY {role}")
    db.execute(f"DROP ROLE {role}")


def test_a_role_that_may_not_make_tables_is_told_the_grant_in_one_line(
    db: Connection, stranger: str
) -> None:
    db.execute(
        "DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO public"
    )
    for _ in range(2):  # the first left no lock behind
        for use in (database.upgrade, database.make_ready):
            with pytest.raises(DocmillError, match="permission denied for schema public") as said:
                use()
            assert f"`GRANT USAGE, CREATE ON SCHEMA public TO {stranger};`" in str(said.value)
            assert len(str(said.value).splitlines()) == 1
    db.execute(f"GRANT USAGE, CREATE ON SCHEMA public TO {stranger}")
    database.make_ready()
    assert database.current_revision() == database.head_revision()


def test_a_role_that_does_not_even_see_the_schema_is_told_the_same(
    db: Connection, stranger: str
) -> None:
    db.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    with pytest.raises(DocmillError, match=f"GRANT USAGE, CREATE ON SCHEMA public TO {stranger}"):
        database.make_ready()


def test_a_role_that_may_not_read_the_tables_is_told_which_grant_lets_it(
    db: Connection, stranger: str
) -> None:
    with pytest.raises(DocmillError, match="permission denied for table alembic_version") as said:
        database.make_ready()
    grant = f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {stranger};"
    assert grant in str(said.value)
    db.execute(grant)
    database.make_ready()
