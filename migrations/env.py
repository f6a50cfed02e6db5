"""Alembic's entry: one migration run at a time, each migration in a transaction of its own."""

from alembic import context
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from models.database import connect
from models.tables import metadata

LOCK = 0x446F636D  # any constant of ours: two processes that upgrade at once take turns


def _connect() -> object:
    connection = connect()
    connection.autocommit = False  # SQLAlchemy says when
    return connection


# The connection is closed after this, not kept: so the lock ends whatever becomes of the run.
engine = create_engine("postgresql+psycopg://", creator=_connect, poolclass=NullPool)

with engine.connect() as connection:
    connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": LOCK})
    connection.commit()
    context.configure(
        connection=connection, target_metadata=metadata, transaction_per_migration=True
    )
    context.run_migrations()
    connection.commit()
