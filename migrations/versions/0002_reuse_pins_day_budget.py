"""Answers that are used again, private data that stays local, jobs held until a new day."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

from models.errors import DocmillError

VIEWS = Path(__file__).parent.parent / "sql"

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

STATES = "state IN ('reserved', 'settled', 'refused', 'lost'{more})"


def upgrade() -> None:
    op.add_column(
        "batches",
        sa.Column(
            "reuse",
            sa.Boolean(),
            server_default="true",
            nullable=False,
            comment="whether an answer to an identical request may be taken from the ledger",
        ),
    )
    op.add_column(
        "chunks",
        sa.Column(
            "pinned",
            sa.Text(),
            comment="private data found in it, which keeps it local; NULL: none",
        ),
    )
    op.add_column(
        "chunks",
        sa.Column(
            "sha256", sa.LargeBinary(), comment="of its text in UTF-8; NULL: written before 0002"
        ),
    )
    op.add_column(
        "jobs",
        sa.Column(
            "pinned",
            sa.Text(),
            comment="private data in its text, which keeps it local; NULL: none",
        ),
    )
    op.create_check_constraint(
        op.f("ck_jobs_pinned"), "jobs", "NOT (pinned IS NOT NULL AND queue = 'frontier')"
    )
    op.create_index(
        "ix_jobs_held_until",
        "jobs",
        ["not_before"],
        postgresql_where=sa.text("state = 'held' AND not_before IS NOT NULL"),
    )
    _calls_up()
    for name in ("0002_views.sql", "0002_policy.sql"):
        op.execute((VIEWS / name).read_text("utf-8"))


def _calls_up() -> None:
    op.add_column(
        "calls",
        sa.Column(
            "answer_key",
            sa.Uuid(),
            comment="equal for jobs that would ask the same of the same model; "
            "NULL: not to be shared",
        ),
    )
    op.add_column(
        "calls",
        sa.Column(
            "reused_from",
            sa.Uuid(),
            comment="the call that gave the answer; no request was made",
        ),
    )
    op.alter_column(
        "calls", "request_key", comment="equal for identical requests of one job's attempt"
    )
    op.alter_column(
        "calls",
        "price_source",
        comment="provider, config, genai-prices VERSION, machine hours or reused answer",
    )
    _states(", 'reused'")
    op.create_index(
        "uq_calls_answer_under_way",
        "calls",
        ["answer_key"],
        unique=True,
        postgresql_where=sa.text("state = 'reserved'"),
    )
    op.create_index(
        "ix_calls_answer_known",
        "calls",
        ["answer_key"],
        postgresql_where=sa.text("state = 'settled' AND answer_key IS NOT NULL"),
    )
    for name, column in FRONTIER_SUMS.items():
        op.create_index(
            name,
            "calls",
            [column],
            postgresql_include=["cost_usd", "reserved_usd", "state"],
            postgresql_where=sa.text("tier = 'frontier'"),
        )


def _states(more: str) -> None:
    op.drop_constraint(op.f("ck_calls_state"), "calls")
    op.create_check_constraint(op.f("ck_calls_state"), "calls", STATES.format(more=more))


FRONTIER_SUMS = {"ix_calls_frontier_day": "started_at", "ix_calls_frontier_batch": "batch_id"}
"""What a budget has spent is read from these alone."""

PRIVATE = (
    "SELECT count(*) FROM jobs WHERE pinned IS NOT NULL "
    "AND state IN ('pending', 'ready', 'running', 'held', 'failed')"
)


def downgrade() -> None:
    if op.get_bind().execute(sa.text(PRIVATE)).scalar():
        raise DocmillError(
            "jobs with private data are still open, and an older Docmill would not keep them local: "
            "let them end, or cancel their batches, before you downgrade"
        )
    op.execute("DROP TRIGGER policy_stays ON batches")
    op.execute("DROP FUNCTION docmill_policy_stays()")
    op.execute("DROP VIEW results, costs_by_model, batch_progress")
    op.execute("UPDATE calls SET state = 'settled' WHERE state = 'reused'")
    for index in (*FRONTIER_SUMS, "ix_calls_answer_known", "uq_calls_answer_under_way"):
        op.drop_index(index, table_name="calls")
    _states("")
    op.alter_column("calls", "request_key", comment="equal for identical requests")
    op.alter_column(
        "calls",
        "price_source",
        comment="provider, config, genai-prices VERSION or machine hours",
    )
    op.drop_column("calls", "reused_from")
    op.drop_column("calls", "answer_key")
    op.drop_index("ix_jobs_held_until", table_name="jobs")
    op.drop_constraint(op.f("ck_jobs_pinned"), "jobs")
    op.drop_column("jobs", "pinned")
    op.drop_column("chunks", "sha256")
    op.drop_column("chunks", "pinned")
    op.drop_column("batches", "reuse")
    op.execute((VIEWS / "0001_views.sql").read_text("utf-8"))
