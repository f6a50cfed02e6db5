"""The way to Postgres: which one, and whether its schema is ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine, create_engine, inspect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, OperationalError

from models.embedded import attach_postgres
from models.errors import ConfigError, DocmillError, InputError, ServiceAway
from models.settings import settings

CONNECT_S = 10
"""How long a connection may take to open, in seconds."""

NO_URL = (
    "DATABASE_URL is not a URL: write postgresql://user:password@host:5432/database, "
    "with @ and : in the password as %40 and %3A"
)

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).parent.parent / "migrations"


@cache
def database_url() -> str:
    """DATABASE_URL, or the embedded server's, started when it is not running."""
    return settings().database_url or attach_postgres(settings().home)


def conninfo(url: str) -> str:
    """The form that psycopg takes: `postgresql://` without an SQLAlchemy driver, and encoded, so
    that it reads every password as SQLAlchemy does.

    Raises ConfigError, which repeats nothing of the URL: any part of it may be the password.
    """
    scheme, _, rest = url.partition("://")
    name = scheme.split("+")[0]
    try:
        parsed = make_url(f"{'postgresql' if name == 'postgres' else name}://{rest}")
    except (ArgumentError, ValueError):
        raise ConfigError(NO_URL) from None
    if "@" in (parsed.host or ""):
        raise ConfigError(NO_URL)
    return parsed.render_as_string(hide_password=False).replace(" ", "%20")


@cache
def engine() -> Engine:
    """This process's SQLAlchemy engine. Raises ConfigError when DATABASE_URL is no Postgres URL."""
    url = make_url(conninfo(database_url()))
    if url.get_backend_name() != "postgresql":
        raise ConfigError(
            f"DATABASE_URL must start with postgresql://, found {url.get_backend_name()}://"
        )
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=2,
        pool_pre_ping=True,
        connect_args={"connect_timeout": CONNECT_S},
    )


def ready_engine() -> Engine:
    """The engine, once the database answers and holds our schema.

    An empty database gets the schema; an older one is left to `docmill db upgrade`, because
    changing tables under running workers is the operator's decision.
    Raises ServiceAway or DocmillError.
    """
    current = current_revision()
    if current is None:
        upgrade()
    elif current != head_revision():
        raise DocmillError(
            f"the database at {safe_url()} has schema {current}, this Docmill needs "
            f"{head_revision()}: run `docmill db upgrade`"
        )
    return engine()


@contextmanager
def reachable() -> Iterator[None]:
    """Raises ServiceAway where Postgres does not answer, instead of the driver's error."""
    try:
        yield
    except OperationalError as exc:
        raise ServiceAway(
            f"Postgres does not answer at {safe_url()}: {str(exc.orig).strip().splitlines()[0]}. "
            "Start it, or unset DATABASE_URL to use the embedded one."
        ) from exc


def safe_url() -> str:
    """The database URL without its password."""
    url = make_url(conninfo(database_url()))
    shown = url.difference_update_query(["password", "sslpassword"])
    return shown.render_as_string(hide_password=True)


def current_revision() -> str | None:
    """The schema revision that the database holds; None for an empty database."""
    from alembic.runtime.migration import MigrationContext

    with reachable(), engine().connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return MigrationContext.configure(connection).get_current_revision()


def head_revision() -> str:
    """The newest schema revision that this Docmill knows."""
    from alembic.script import ScriptDirectory

    head = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    assert head is not None
    return head


def upgrade(revision: str = "head") -> None:
    """Bring the schema up. Several processes may call it at once; one does the work."""
    from alembic import command

    with reachable(), _explained():
        command.upgrade(_alembic(), revision)


def downgrade(revision: str) -> None:
    """Take the schema down to a revision; `base` removes every table and all data."""
    from alembic import command

    with reachable(), _explained():
        command.downgrade(_alembic(), revision)


@contextmanager
def _explained() -> Iterator[None]:
    from alembic.util import CommandError

    try:
        yield
    except CommandError as exc:
        raise InputError(f"{exc}; the newest revision is {head_revision()}") from exc


def _alembic() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config
