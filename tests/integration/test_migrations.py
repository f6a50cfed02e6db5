"""The migrations build exactly what models/tables.py says, and can be taken back."""

from datetime import UTC, datetime
from uuid import RFC_4122, uuid4

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

from models import database
from models.tables import metadata
from tests.integration.test_leases import claim, insert_jobs, one

PARTITIONS = {
    f"calls_{year}_{month:02}" for year in range(2020, 2100) for month in range(1, 13)
} | {"calls_other"}
VIEWS = ("results", "costs_by_model", "batch_progress")


@pytest.mark.usefixtures("database_url")
def test_migrations_equal_the_models() -> None:
    with database.engine().connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "compare_server_default": True,
                "include_name": lambda name, kind, _: kind != "table" or name not in PARTITIONS,
            },
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


OLD_CALL = (
    "INSERT INTO calls (id, job_id, batch_id, local_only, purpose, tier, engine, host, stand_in,"
    " model_asked, owner, attempt, state, cost_usd, started_at, reused_from)"
    " VALUES (gen_random_uuid(), %s, %s, false, 'run', 'local', 'ollama', 'h', false, 'm',"
    " gen_random_uuid(), 1, %s, 1.5, %s, %s) RETURNING id"
)


@pytest.fixture
def old_ledger(db: psycopg.Connection) -> list[int]:
    """Jobs in a database of revision 0002: the first has a call, the second has its answer."""
    jobs = insert_jobs(db, 2)
    (batch,) = one(db, "SELECT id FROM batches")
    database.downgrade("0002")
    earlier = None
    for job, state, day in zip(
        jobs, ("settled", "reused"), ("2025-03-31", "2025-04-01"), strict=True
    ):
        moment = f"{day} 12:00+00"
        earlier = one(db, OLD_CALL, job, batch, state, moment, earlier)[0]
        db.execute(
            "INSERT INTO answers (job_id, value, call_id) VALUES (%s, '{}', %s)", (job, earlier)
        )
    return jobs


def test_an_old_ledger_comes_through_whole_and_lands_in_the_months_of_its_calls(
    db: psycopg.Connection, old_ledger: list[int]
) -> None:
    before = db.execute("SELECT cost_usd, started_at, state FROM calls ORDER BY job_id").fetchall()
    database.upgrade()
    assert (
        db.execute("SELECT cost_usd, started_at, state FROM calls ORDER BY job_id").fetchall()
        == before
    )
    where = "SELECT c.tableoid::regclass::text FROM calls c JOIN answers w ON w.call_id = c.id"
    assert [row[0] for row in db.execute(f"{where} ORDER BY c.job_id").fetchall()] == [
        "calls_2025_03",
        "calls_2025_04",
    ]
    assert one(db, "SELECT g.job_id FROM calls r JOIN calls g ON g.id = r.reused_from") == (
        old_ledger[0],
    )
    database.downgrade("0002")
    assert (
        db.execute("SELECT cost_usd, started_at, state FROM calls ORDER BY job_id").fetchall()
        == before
    )


def test_every_month_between_has_its_partition_whatever_the_time_zone_and_rights_are_kept(
    db: psycopg.Connection, old_ledger: list[int]
) -> None:
    (name,) = one(db, "SELECT current_database()")
    role = f"reader_of_{name}"
    db.execute(f"ALTER DATABASE {name} SET timezone = 'Europe/Berlin'")
    db.execute(f"CREATE ROLE {role}")
    db.execute(f"GRANT SELECT, UPDATE ON calls TO {role}")
    db.execute("UPDATE calls SET started_at = '2025-10-15' WHERE job_id = %s", (old_ledger[1],))
    database.engine().dispose()
    database.upgrade()
    try:
        where = "SELECT DISTINCT tableoid::regclass::text FROM calls ORDER BY 1"
        assert db.execute(where).fetchall() == [("calls_2025_03",), ("calls_2025_10",)]
        may = f"SELECT has_table_privilege('{role}', 'calls', 'SELECT'), has_function_privilege("
        assert one(db, f"{may}'{role}', 'docmill_make_months()', 'EXECUTE')") == (True, True)
    finally:
        db.execute(f"DROP OWNED BY {role}")
        db.execute(f"DROP ROLE {role}")


def test_in_every_partition_what_is_under_way_is_unique_by_its_question(
    db: psycopg.Connection,
) -> None:
    without = (
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'calls'::regclass "
        "AND NOT EXISTS (SELECT FROM pg_indexes WHERE tablename = inhrelid::regclass::text "
        "AND indexdef LIKE 'CREATE UNIQUE INDEX%(answer_key) WHERE (state = ''reserved''%')"
    )
    assert db.execute(without).fetchall() == []


def test_there_is_a_partition_for_this_month_and_the_next_two_and_making_them_again_makes_none(
    db: psycopg.Connection,
) -> None:
    def partitions() -> set[str]:
        rows = db.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'calls'::regclass"
        ).fetchall()
        return {row[0] for row in rows}

    first = one(
        db,
        "SELECT array_agg(to_char((date_trunc('month', now(), 'UTC') AT TIME ZONE 'UTC') "
        "+ n * interval '1 month', '\"calls_\"YYYY_MM')) FROM generate_series(0, 2) n",
    )[0]
    assert partitions() == {*first, "calls_other"}
    assert one(db, "SELECT docmill_make_months()") == (0,)
    db.execute(f"DROP TABLE {first[2]}")
    assert one(db, "SELECT docmill_make_months()") == (1,)
    assert partitions() == {*first, "calls_other"}


def test_the_id_that_the_database_makes_is_one_of_version_7_and_says_when(
    db: psycopg.Connection,
) -> None:
    moment = datetime(2026, 3, 31, 23, 59, 59, 999_000, tzinfo=UTC)
    (made,) = one(db, "SELECT docmill_call_id(%s)", moment)
    assert (made.version, made.variant) == (7, RFC_4122)
    assert made.int >> 80 == moment.timestamp() * 1000
    (first,) = one(db, "SELECT docmill_first_id(%s)", moment)
    assert first.int == (made.int >> 80) << 80


def test_a_month_whose_calls_stand_in_the_rest_already_stays_there(db: psycopg.Connection) -> None:
    far = "now() + interval '1 year'"
    (job, *_) = insert_jobs(db, 1)
    claim(db, [job], uuid4())
    db.execute(f"UPDATE calls SET id = docmill_call_id({far})")
    assert one(db, f"SELECT docmill_make_month({far})") == (False,)
    assert one(db, "SELECT tableoid::regclass::text FROM calls") == ("calls_other",)
