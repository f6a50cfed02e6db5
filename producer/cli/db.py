"""The database schema: up, down, and which it is."""

from typing import Annotated

import typer


def upgrade() -> None:
    """Bring the schema up to what this Docmill needs; stop the workers first."""
    from models import database

    database.upgrade()
    typer.echo(f"{database.safe_url()} has schema {database.current_revision()}")


def downgrade(
    revision: Annotated[
        str, typer.Argument(help="A revision, such as 0004; -1 for the one before; or base.")
    ],
) -> None:
    """Take the schema back to a revision; base removes every table and all data."""
    from models import database

    database.downgrade(revision)
    typer.echo(f"{database.safe_url()} has schema {database.current_revision() or 'none'}")


def current() -> None:
    """Which schema the database has, and which this Docmill needs."""
    from models import database

    found = database.current_revision() or "none"
    typer.echo(f"{database.safe_url()} has schema {found}; needed: {database.head_revision()}")
