"""The migrations build exactly what models/tables.py says, and can be taken back."""

from datetime import UTC, datetime
from uuid import RFC_4122, uuid4

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, inspect
from sqlalchemy.pool import NullPool

from models import database
from models.tables import metadata
from tests.rows import Connection, add_batch, add_jobs, column, one, rows, value
from tests.statements import Worker

PARTITIONS = {
    f"calls_{year}_{month:02}" for year in range(2020, 2100) for month in range(1, 13)
} | {"calls_other"}
VIEWS = (
    "results",
    "costs_by_model",
    "batch_progress",
    "job_states",
    "job_counts",
    "document_counts",
    "documents_status",
)


def engine() -> Engine:
    """What SQLAlchemy and Alembic look with."""
    return create_engine("postgresql+psycopg://", creator=database.connect, poolclass=NullPool)


@pytest.mark.usefixtures("database_url")
def test_migrations_equal_the_models() -> None:
    with engine().connect() as connection:
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


def test_constraints_and_comments_equal_the_models(db: Connection) -> None:
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


def test_how_tables_are_stored_equals_the_models(db: Connection) -> None:
    """Room for changes in place and when they are vacuumed: Alembic leaves that out, too."""
    stored = {
        name: dict(option.split("=") for option in options or ())
        for name, options in rows(
            db, "SELECT relname, reloptions FROM pg_class WHERE relkind = 'r'"
        )
    }
    for table in metadata.tables.values():
        if table.name != "calls":  # is its partitions
            expected = table.dialect_options["postgresql"]["with"] or {}
            assert stored[table.name] == expected, table.name


@pytest.mark.parametrize("view", VIEWS)
def test_every_column_of_a_view_is_explained_in_the_database(db: Connection, view: str) -> None:
    found = db.execute(
        "SELECT attname, col_description(attrelid, attnum) FROM pg_attribute "
        "WHERE attrelid = %s::regclass AND attnum > 0",
        (view,),
    ).fetchall()
    assert found
    assert [name for name, comment in found if not comment] == []
    described = db.execute("SELECT obj_description(%s::regclass)", (view,)).fetchone()
    assert described
    assert described[0]


OURS = (
    "SELECT proname FROM pg_proc WHERE proname LIKE 'docmill%' "
    "UNION ALL SELECT typname FROM pg_type WHERE typname LIKE 'docmill%'"
)
"""Functions and types, which are no tables."""


def test_the_schema_can_be_taken_back_and_brought_up_again(db: Connection) -> None:
    database.downgrade("base")
    with engine().connect() as connection:
        assert inspect(connection).get_table_names() == ["alembic_version"]
        assert inspect(connection).get_view_names() == []
    assert database.current_revision() is None
    assert column(db, OURS) == []
    database.upgrade()
    assert database.current_revision() == database.head_revision()


def test_what_watches_knew_is_known_by_its_bytes_and_can_be_taken_back(db: Connection) -> None:
    batch = add_batch(db).id
    database.downgrade("0025")
    before = [
        ("in with s", "in/a", 1, 2, b"a", batch, ""),
        ("in with s", "in/b", 1, 2, b"a", None, "e"),
    ]
    for row in before:
        db.execute("INSERT INTO watched_files VALUES (%s, %s, %s, %s, %s, %s, %s)", row)
    database.upgrade()
    assert rows(
        db,
        "SELECT w.name, b.sha256, b.batch_id, b.walked FROM watched_bytes b "
        "JOIN watches w ON w.id = b.watch_id",
    ) == [("in with s", b"a", batch, None)]
    assert column(
        db,
        "SELECT path FROM watched_files WHERE path_sha256 = "
        "sha256(convert_to(path, 'UTF8')) AND NOT waits ORDER BY path",
    ) == ["in/a", "in/b"]
    db.execute(
        "INSERT INTO watched_files SELECT watch_id, 'long', string_agg(md5(n::text), ''), size, "
        "changed_ns, etag, 0, false, sha256, refused, refused_by FROM watched_files, "
        "generate_series(1, 200) n WHERE path = 'in/a' GROUP BY watch_id, path_sha256"
    )
    database.downgrade("0025")
    kept = rows(db, "SELECT path, size, sha256, batch_id, etag FROM watched_files ORDER BY path")
    assert kept == [("in/a", 1, b"a", batch, ""), ("in/b", 1, b"a", batch, "e")]
    database.upgrade()


@pytest.mark.usefixtures("database_url")
def test_a_database_without_a_schema_gets_it_and_an_older_one_is_left_to_the_operator(
    db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.downgrade("base")
    database.make_ready()
    assert database.current_revision() == database.head_revision()
    db.execute("UPDATE alembic_version SET version_num = '0000'")
    known = ("0000", database.head_revision())
    monkeypatch.setattr(database, "revisions", lambda: known)
    with pytest.raises(database.DocmillError, match="docmill db upgrade"):
        database.make_ready()


def test_the_database_of_another_docmill_is_told_from_an_older_one(db: Connection) -> None:
    db.execute("UPDATE alembic_version SET version_num = '0003'")
    for use in (database.make_ready, database.upgrade):
        with pytest.raises(database.DocmillError, match="0003, of another Docmill"):
            use()


def test_in_every_partition_what_is_under_way_is_unique_by_its_question(
    db: Connection,
) -> None:
    without = (
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'calls'::regclass "
        "AND NOT EXISTS (SELECT FROM pg_indexes WHERE tablename = inhrelid::regclass::text "
        "AND indexdef LIKE 'CREATE UNIQUE INDEX%(answer_key) WHERE ((state = ''reserved''%')"
    )
    assert db.execute(without).fetchall() == []


MONTHS = (
    "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'calls'::regclass "
    "AND inhrelid <> 'calls_other'::regclass ORDER BY 1"
)


def test_there_is_a_partition_for_this_month_and_the_next_two_and_making_them_again_makes_none(
    db: Connection,
) -> None:
    first = one(
        db,
        "SELECT array_agg(to_char((date_trunc('month', now(), 'UTC') AT TIME ZONE 'UTC') "
        "+ n * interval '1 month', '\"calls_\"YYYY_MM')) FROM generate_series(0, 2) n",
    )[0]
    assert column(db, MONTHS) == first
    assert value(db, "SELECT docmill_make_months()") == 0
    db.execute(f"DROP TABLE {first[2]}")
    assert value(db, "SELECT docmill_make_months()") == 1
    assert column(db, MONTHS) == first


def test_the_id_that_the_database_makes_is_one_of_version_7_and_says_when(
    db: Connection,
) -> None:
    moment = datetime(2026, 3, 31, 23, 59, 59, 999_000, tzinfo=UTC)
    (made,) = one(db, "SELECT docmill_call_id(%s)", moment)
    assert (made.version, made.variant) == (7, RFC_4122)
    assert made.int >> 80 == moment.timestamp() * 1000
    (first,) = one(db, "SELECT docmill_first_id(%s)", moment)
    assert first.int == (made.int >> 80) << 80


def test_a_month_whose_calls_stand_in_the_rest_already_stays_there(db: Connection) -> None:
    far = "now() + interval '1 year'"
    add_jobs(db, add_batch(db))
    Worker(db).claim()
    db.execute(f"UPDATE calls SET id = docmill_call_id({far})")
    assert value(db, f"SELECT docmill_make_month({far})") is False
    assert value(db, "SELECT tableoid::regclass::text FROM calls") == "calls_other"


def test_a_role_that_was_granted_it_makes_partitions_without_any_other_right(
    db: Connection, database_url: str
) -> None:
    """In whatever time zone it lives: months are UTC's."""
    role = f"keeper_{uuid4().hex[:12]}"
    last = max(column(db, MONTHS))
    bounds = "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = %s"
    before = value(db, bounds, last)
    db.execute(f"CREATE ROLE {role} LOGIN")
    try:
        db.execute(f"ALTER ROLE {role} SET timezone = 'Pacific/Kiritimati'")
        db.execute(f"DROP TABLE {last}")
        with psycopg.connect(database_url, user=role, autocommit=True) as keeper:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                keeper.execute("SELECT docmill_make_months()")
            db.execute(f"GRANT EXECUTE ON FUNCTION docmill_make_months() TO {role}")
            assert value(keeper, "SELECT docmill_make_months()") == 1
        assert value(db, bounds, last) == before
    finally:
        db.execute(f"DROP OWNED BY {role}")
        db.execute(f"DROP ROLE {role}")
