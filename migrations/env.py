"""Alembic's entry: one migration run at a time, each migration in a transaction of its own."""

from alembic import context
from sqlalchemy import text

from models.database import engine
from models.tables import metadata

LOCK = 0x446F636D  # any constant of ours: two processes that upgrade at once take turns

with engine().connect() as connection:
    connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": LOCK})
    connection.commit()
    context.configure(
        connection=connection, target_metadata=metadata, transaction_per_migration=True
    )
    try:
        context.run_migrations()
        connection.commit()
    finally:
        connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": LOCK})
        connection.commit()
