"""The way to Postgres: which one, whether its schema is ours, and connections to it.

psycopg does it all. SQLAlchemy and Alembic stand behind `upgrade` and `downgrade` and are imported
there: they would take longer than all the rest of a look at a batch.
"""

import atexit
import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from queue import Empty, Full, LifoQueue
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.errors import (
    InsufficientPrivilege,
    InvalidSchemaName,
    ProgramLimitExceeded,
    UndefinedTable,
)

from models.embedded import attach_postgres
from models.errors import DocmillError, InputError, ServiceAway
from models.postgres_url import read
from models.settings import settings

if TYPE_CHECKING:
    from alembic.config import Config

Connection = psycopg.Connection[tuple[Any, ...]]

# What it ignores while it closes a connection is no news: why that is closed is raised.
logging.getLogger("psycopg").setLevel(logging.ERROR)

CONNECT_S = 10
"""How long a connection may take to open, in seconds."""

MOST_CONNECTIONS, KEPT_CONNECTIONS = 12, 2
"""How many reads a process may have under way, and how many connections it keeps for the next."""

BUSY_S = 30
"""How long a read waits for its turn, in seconds."""

MIGRATIONS = Path(__file__).parent.parent / "migrations"

RIGHTS = (
    "SELECT quote_ident(current_user), quote_ident(coalesce(current_schema(), 'public')), "
    "to_regclass('alembic_version') IS NULL"
)


@cache
def database_url() -> str:
    """DATABASE_URL, or the embedded server's, started when it is not running."""
    return settings().database_url or attach_postgres(settings().home)


def conninfo(url: str) -> str:
    """The form that psycopg takes. Raises ConfigError, which repeats no password."""
    return str(read(url))


def safe_url() -> str:
    """The database URL without its password."""
    return read(database_url()).shown()


def connect() -> Connection:
    """A new connection, in autocommit. Raises ConfigError or ServiceAway."""
    url = conninfo(database_url())
    with reachable():
        return psycopg.connect(url, connect_timeout=CONNECT_S, autocommit=True)


class Connections:
    """Connections that are lent to one reader at a time, and kept open for the next."""

    def __init__(self) -> None:
        self._turns = BoundedSemaphore(MOST_CONNECTIONS)
        self._idle: LifoQueue[Connection] = LifoQueue(KEPT_CONNECTIONS)

    @contextmanager
    def lend(self) -> Iterator[Connection]:
        """A connection that answers. Raises ServiceAway where none can be had."""
        if not self._turns.acquire(timeout=BUSY_S):
            raise ServiceAway(f"{MOST_CONNECTIONS} reads are under way, none ended in {BUSY_S} s")
        try:
            connection = self._take()
            try:
                yield connection
            except BaseException:
                connection.close()
                raise
            self._keep(connection)
        finally:
            self._turns.release()

    def _take(self) -> Connection:
        with suppress(Empty):
            connection = self._idle.get_nowait()
            with suppress(psycopg.OperationalError):
                connection.execute("")
                return connection
            connection.close()
        made = connect()
        made.prepare_threshold = None  # a plan that is kept for any batch looks at all of them
        return made

    def _keep(self, connection: Connection) -> None:
        try:
            self._idle.put_nowait(connection)
        except Full:
            connection.close()

    def close(self) -> None:
        """Close what is kept."""
        with suppress(Empty):
            while True:
                self._idle.get_nowait().close()


@cache
def connections() -> Connections:
    """This process's connections."""
    made = Connections()
    atexit.register(made.close)
    return made


@contextmanager
def ready_connection() -> Iterator[Connection]:
    """A connection in autocommit, once the database answers and holds our schema.

    Raises ServiceAway or DocmillError, also for what fails while it is used.
    """
    with connections().lend() as connection, reachable():
        _ensure_schema(connection)
        yield connection


def make_ready() -> None:
    """Make sure that the database answers and holds our schema. Raises ServiceAway or DocmillError.

    An empty database gets the schema; an older one is left to `docmill db upgrade`, because
    changing tables under running workers is the operator's decision.
    """
    with closing(connect()) as connection, reachable():
        _ensure_schema(connection)


def _ensure_schema(connection: Connection) -> None:
    current = _revision(connection)
    if current is None:
        upgrade()
    elif current != head_revision():
        raise DocmillError(
            f"the database at {safe_url()} has schema {current}, this Docmill needs "
            f"{head_revision()}: run `docmill db upgrade`"
        )


@contextmanager
def reachable() -> Iterator[None]:
    """Says what an operator can mend, instead of the driver's error: raises ServiceAway where
    Postgres does not answer, DocmillError where it refuses what is too large for it, or does not
    let us: with the GRANT to give."""
    try:
        yield
    except ProgramLimitExceeded as exc:  # one of psycopg's OperationalErrors, though it answers
        raise DocmillError(f"Postgres at {safe_url()} says: {_first_line(exc)}") from exc
    except psycopg.OperationalError as exc:
        raise ServiceAway(
            f"Postgres does not answer at {safe_url()}: {_first_line(exc)}. "
            "Start it, or unset DATABASE_URL to use the embedded one."
        ) from exc
    except (InsufficientPrivilege, InvalidSchemaName) as exc:
        raise _not_allowed(exc) from exc


def _not_allowed(error: psycopg.Error) -> DocmillError:
    with closing(connect()) as connection:
        role, schema, empty = connection.execute(RIGHTS).fetchone() or ("", "", True)
    rights = "USAGE, CREATE ON" if empty else "SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN"
    return DocmillError(
        f"Postgres at {safe_url()} says: {_first_line(error)}. As the owner run "
        f"`GRANT {rights} SCHEMA {schema} TO {role};`"
    )


def _first_line(error: psycopg.Error) -> str:
    return str(error).strip().partition("\n")[0]


def current_revision() -> str | None:
    """The schema revision that the database holds; None for an empty database. Raises DocmillError
    for one that is no revision of this Docmill."""
    with closing(connect()) as connection, reachable():
        return _revision(connection)


def _revision(connection: Connection) -> str | None:
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except UndefinedTable:
        return None
    if row is not None and row[0] not in revisions():
        raise DocmillError(
            f"the database at {safe_url()} has schema {row[0]}, of another Docmill than this one, "
            f"which knows {', '.join(revisions())}: let DATABASE_URL name an empty database"
        )
    return None if row is None else str(row[0])


@cache
def revisions() -> tuple[str, ...]:
    """The schema revisions that this Docmill knows, the newest last: files of migrations begin with
    theirs."""
    files = (MIGRATIONS / "versions").glob("[0-9]*.py")
    return tuple(sorted(path.name.partition("_")[0] for path in files))


def head_revision() -> str:
    """The newest schema revision that this Docmill knows."""
    return revisions()[-1]


def upgrade(revision: str = "head") -> None:
    """Bring the schema up. Several processes may call it at once; one does the work. Raises
    DocmillError for a database of another Docmill."""
    from alembic import command

    current_revision()
    with _explained():
        command.upgrade(_alembic(), revision)


def downgrade(revision: str) -> None:
    """Take the schema down to a revision; `base` removes every table and all data."""
    from alembic import command

    with _explained():
        command.downgrade(_alembic(), revision)


@contextmanager
def _explained() -> Iterator[None]:
    from alembic.util import CommandError
    from sqlalchemy.exc import DBAPIError

    with reachable():
        try:
            yield
        except CommandError as exc:
            raise InputError(f"{exc}; the newest revision is {head_revision()}") from exc
        except DBAPIError as exc:
            if isinstance(exc.orig, psycopg.Error):
                raise exc.orig from exc
            raise


def _alembic() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config
