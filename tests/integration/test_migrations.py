"""The migrations build exactly what models/tables.py says, and can be taken back."""

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

from models import database
from models.tables import metadata

VIEWS = ("results", "costs_by_model", "batch_progress")


@pytest.mark.usefixtures("database_url")
def test_migrations_equal_the_models() -> None:
    with database.engine().connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        differences = [
            difference
            for difference in compare_metadata(context, metadata)
            if "alembic_version" not in str(difference)
        ]
    assert differences == []


def test_constraints_and_comments_equal_the_models(db: psycopg.Connection) -> None:
    """Alembic's comparison leaves out CHECK constraints."""
    found = {
        row[0]
        for row in db.execute("SELECT conname FROM pg_constraint WHERE contype = 'c'").fetchall()
    }
    expected = {
        constraint.name
        for table in metadata.tables.values()
        for constraint in table.constraints
        if type(constraint).__name__ == "CheckConstraint"
    }
    assert expected <= found


@pytest.mark.parametrize("view", VIEWS)
def test_every_column_of_a_view_is_explained_in_the_database(
    db: psycopg.Connection, view: str
) -> None:
    rows = db.execute(
        "SELECT attname, col_description(attrelid, attnum) FROM pg_attribute "
        "WHERE attrelid = %s::regclass AND attnum > 0",
        (view,),
    ).fetchall()
    assert rows
    assert [name for name, comment in rows if not comment] == []
    described = db.execute("SELECT obj_description(%s::regclass)", (view,)).fetchone()
    assert described
    assert described[0]


@pytest.mark.usefixtures("database_url")
def test_the_schema_can_be_taken_back_and_brought_up_again() -> None:
    database.downgrade("base")
    with database.engine().connect() as connection:
        assert inspect(connection).get_table_names() == ["alembic_version"]
        assert inspect(connection).get_view_names() == []
    assert database.current_revision() is None
    database.upgrade()
    assert database.current_revision() == database.head_revision()


@pytest.mark.usefixtures("database_url")
def test_a_database_without_a_schema_gets_it_and_an_older_one_is_left_to_the_operator(
    db: psycopg.Connection,
) -> None:
    database.downgrade("base")
    database.ready_engine()
    assert database.current_revision() == database.head_revision()
    db.execute("UPDATE alembic_version SET version_num = '0000'")
    with pytest.raises(database.DocmillError, match="docmill db upgrade"):
        database.ready_engine()
