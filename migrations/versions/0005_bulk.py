"""Bulks: the batches of providers, and the jobs that stand in them."""

import re
from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

SQL = Path(__file__).parent.parent / "sql"

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

STAGES = ("lines", "stage", ("classify", "ingest", "run"), ("bulk", "classify", "ingest", "run"))
CALLS = (
    "calls",
    "state",
    ("lost", "refused", "reserved", "reused", "settled"),
    ("lost", "refused", "reserved", "reused", "settled", "submitted"),
)
"""Table, column, the values that it had, those that it has."""

CHANGED = {
    "0004_flow.sql": (
        "docmill_enqueue",
        "docmill_jobs_made",
        "docmill_jobs_changed",
        "docmill_is_over",
    ),
    "0004_ledger.sql": ("docmill_add_spend", "docmill_calls_changed"),
    "0004_purge.sql": ("docmill_purge",),
}
"""Functions that are others from here on."""

VIEWS = (
    "batch_progress",
    "costs_by_model",
    "results",
    "document_counts",
    "job_counts",
    "job_states",
)


def upgrade() -> None:
    op.add_column(
        "batches",
        sa.Column(
            "allow_provider_batch",
            sa.Boolean(),
            server_default="false",
            nullable=False,
            comment="whether its texts may go into batches of a provider, who keeps them for a while",
        ),
    )
    op.create_check_constraint(
        op.f("ck_batches_provider_batch"), "batches", "NOT (local_only AND allow_provider_batch)"
    )
    op.add_column(
        "jobs",
        sa.Column(
            "bulk",
            sa.Boolean(),
            server_default="false",
            nullable=False,
            comment="true: its first call goes into a batch of its engine's provider",
        ),
    )
    op.create_check_constraint(op.f("ck_jobs_bulk"), "jobs", "NOT (bulk AND zone = 'local')")
    for table, column, _, values in (STAGES, CALLS):
        _allow(table, column, values)
    for table in ("lines", "leases"):
        _comment_stage(table, "ingest, classify, run or bulk")
    op.create_index(
        "ix_lines_bulk", "lines", ["engine"], postgresql_where=sa.text("stage = 'bulk'")
    )
    op.create_table(
        "bulks",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "line_id", sa.BigInteger(), nullable=False, comment="the line that its jobs stood in"
        ),
        sa.Column("engine", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False, comment="host:port that sees the prompts"),
        sa.Column("state", sa.Text(), server_default="gathering", nullable=False),
        _count("requests", "all that it ever had"),
        _count("open_jobs", "not back in line yet"),
        sa.Column(
            "bytes",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="of its requests",
        ),
        sa.Column("upload", sa.Text(), comment="how the provider calls what was handed in"),
        sa.Column("remote", sa.Text(), comment="how the provider calls it; NULL: not known"),
        _count("done", "replies, says the provider"),
        sa.Column(
            "tries", sa.SmallInteger(), server_default="0", nullable=False, comment="of this state"
        ),
        sa.Column("detail", sa.Text(), comment="what last went wrong; NULL: nothing"),
        sa.Column(
            "given_up", sa.Text(), comment="why its jobs were asked one by one; NULL: they were not"
        ),
        sa.Column("owner", sa.Uuid(), comment="the worker process that is at it; NULL: none"),
        _moment("until", "how long that one holds it, unless it renews"),
        _moment("due_at", "the next look", now=True),
        _moment("created_at", None, now=True),
        _moment("sent_at", "when the provider was first told to begin"),
        _moment("ended_at", "when its last job was back in line"),
        sa.CheckConstraint(
            "state IN ('closed', 'creating', 'ended', 'fetched', 'gathered', 'gathering', "
            "'stopping', 'submitted', 'uploaded')",
            name=op.f("ck_bulks_state"),
        ),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batches.id"], name=op.f("fk_bulks_batch_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulks")),
        comment="batches of providers: what was handed in there, and how far it is. A worker process "
        "only moves one on; it is nobody's",
        postgresql_with={
            "fillfactor": "70",
            "autovacuum_vacuum_scale_factor": "0.02",
            "autovacuum_analyze_scale_factor": "0.05",
        },
    )
    op.create_index("ix_bulks_batch", "bulks", ["batch_id"])
    op.create_index(
        "uq_bulks_remote",
        "bulks",
        ["host", "remote"],
        unique=True,
        postgresql_where=sa.text("remote IS NOT NULL"),
    )
    op.create_index(
        "ix_bulks_due", "bulks", ["due_at"], postgresql_where=sa.text("state <> 'closed'")
    )
    op.create_index(
        "uq_bulks_gathering",
        "bulks",
        ["line_id"],
        unique=True,
        postgresql_where=sa.text("state = 'gathering'"),
    )
    op.create_table(
        "bulk_jobs",
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("bulk_id", sa.Uuid(), nullable=False),
        sa.Column(
            "call_id", sa.Uuid(), nullable=False, comment="its call, and its name in the bulk"
        ),
        sa.Column("request", postgresql.JSON(), nullable=False, comment="what is asked"),
        sa.Column("request_key", sa.Uuid(), nullable=False, comment="as in calls"),
        sa.Column("answer_key", sa.Uuid(), comment="as in calls"),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_bulk_jobs_job_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["bulk_id"], ["bulks.id"], name=op.f("fk_bulk_jobs_bulk_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_bulk_jobs")),
        comment="the jobs that stand in bulks; gone when they are back in line",
        postgresql_with={
            "autovacuum_vacuum_scale_factor": "0",
            "autovacuum_vacuum_threshold": "5000",
            "autovacuum_analyze_scale_factor": "0",
            "autovacuum_analyze_threshold": "20000",
        },
    )
    op.create_index("ix_bulk_jobs_bulk", "bulk_jobs", ["bulk_id", "call_id"])
    op.create_index(
        "uq_bulk_jobs_answer_key",
        "bulk_jobs",
        ["answer_key"],
        unique=True,
        postgresql_where=sa.text("answer_key IS NOT NULL"),
    )
    op.execute((SQL / "0005_bulk.sql").read_text("utf-8"))


def downgrade() -> None:
    for view in VIEWS:
        op.execute(f"DROP VIEW {view}")
    for file, names in CHANGED.items():
        for name in names:
            op.execute(_as_it_was(file, name))
    op.drop_index("ix_lines_bulk", table_name="lines")
    op.drop_table("bulk_jobs")
    op.drop_table("bulks")
    op.execute("DROP FUNCTION docmill_bulk_jobs_changed()")
    op.execute("DROP FUNCTION docmill_queue(text, text, text, boolean)")
    op.execute("DROP FUNCTION docmill_stage(text, boolean)")
    for table in ("lines", "leases"):
        _comment_stage(table, "ingest, classify or run")
    for table, column, values, _ in (STAGES, CALLS):
        _allow(table, column, values)
    op.drop_constraint(op.f("ck_jobs_bulk"), "jobs")
    op.drop_column("jobs", "bulk")
    op.drop_constraint(op.f("ck_batches_provider_batch"), "batches")
    op.drop_column("batches", "allow_provider_batch")
    op.execute((SQL / "0004_views.sql").read_text("utf-8"))


def _count(name: str, comment: str) -> "sa.Column[int]":
    return sa.Column(name, sa.Integer(), server_default="0", nullable=False, comment=comment)


def _moment(name: str, comment: str | None, *, now: bool = False) -> "sa.Column[object]":
    default = sa.text("now()") if now else None
    return sa.Column(
        name,
        sa.DateTime(timezone=True),
        server_default=default,
        nullable=not now,
        comment=comment,
    )


def _allow(table: str, column: str, values: tuple[str, ...]) -> None:
    """Values that a column may have, and no others."""
    name = op.f(f"ck_{table}_{column}")
    op.drop_constraint(name, table)
    listed = ", ".join(f"'{value}'" for value in values)
    op.create_check_constraint(name, table, f"{column} IN ({listed})")


def _comment_stage(table: str, comment: str) -> None:
    op.alter_column(table, "stage", comment=comment, existing_type=sa.Text())


def _as_it_was(file: str, name: str) -> str:
    """A function as the migration before made it."""
    made = re.search(
        rf"CREATE (FUNCTION {name}\(.*?\n(?:END )?\$\$;)",
        (SQL / file).read_text("utf-8"),
        re.DOTALL,
    )
    assert made is not None
    return f"CREATE OR REPLACE {made[1]}"
