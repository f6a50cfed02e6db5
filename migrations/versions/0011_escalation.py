"""Second readings: which fields are important, what is being read again, what that brought."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

SAID = {
    "COLUMN answers.fields": (
        "{field: {outcome, code, about, span, page, by, normalised}}; NULL: not checked",
        "{field: {outcome, code, about, span, page, normalised}}; NULL: not checked",
    ),
    "COLUMN results.fields": (
        "{field: {outcome, code, about, span, page, by, normalised}}: what each value of the answer as it was "
        "given is worth, sure, check or wrong, and the engine and model that it is from; a value "
        "without an entry was not judged; NULL: not checked",
        "{field: {outcome, code, about, span, page, normalised}}: what each value of the answer as it was "
        "given is worth, sure, check or wrong; a value without an entry was not judged; NULL: not "
        "checked",
    ),
    "COLUMN jobs.escalation_reason": (
        "what was wrong with it, why it was not read again, or why the job began at the frontier",
        "what was wrong with it, or why the job began at the frontier",
    ),
    "COLUMN results.escalation_reason": (
        "what was wrong with it, why it was not read again, or why the job began at the frontier",
        "what was wrong with it, or why the job began at the frontier",
    ),
}
"""Comments, as they are from now on and as they were."""


def upgrade() -> None:
    op.add_column(
        "asks",
        sa.Column(
            "important",
            postgresql.ARRAY(sa.Text()),
            server_default="{}",
            nullable=False,
            comment="fields that are read again where they are only to be checked, too",
        ),
    )
    _make_readings()
    _make_escalations()
    for what, (now, _) in SAID.items():
        _say(what, now)


def downgrade() -> None:
    for what, (_, before) in SAID.items():
        _say(what, before)
    op.drop_table("escalations")
    op.drop_table("readings")
    op.drop_column("asks", "important")


def _make_readings() -> None:
    op.create_table(
        "readings",
        sa.Column("job_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False, comment="ENGINE/MODEL that reads it again"),
        sa.Column("value", postgresql.JSONB(), nullable=False, comment="the answer so far"),
        sa.Column("call_id", sa.Uuid(), nullable=False, comment="the call that gave it"),
        sa.Column(
            "asked",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="its top-level fields in question",
        ),
        sa.Column(
            "by",
            postgresql.JSONB(),
            nullable=False,
            comment="{field: ENGINE/MODEL} that each top-level field is from",
        ),
        sa.Column(
            "most_usd",
            sa.Numeric(20, 10),
            nullable=True,
            comment="what is reserved of the cap; NULL: the price is not known",
        ),
        sa.Column(
            "short_of",
            sa.Text(),
            nullable=True,
            comment="the budget that does not cover it; NULL: none known",
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_readings_job_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_readings")),
        comment="open jobs that have an answer, of which fields are read a second time",
    )


def _make_escalations() -> None:
    op.create_table(
        "escalations",
        sa.Column("batch_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("jobs", sa.Integer(), nullable=False, comment="with a second reading"),
        sa.Column("fields", sa.Integer(), nullable=False, comment="that were in question"),
        sa.Column("mended", sa.Integer(), nullable=False, comment="of those, sure since"),
        sa.Column(
            "usd",
            sa.Numeric(20, 10),
            nullable=False,
            comment="known costs, upper bounds of what is under way",
        ),
        sa.Column("unknown", sa.Integer(), nullable=False, comment="calls at no known price"),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batches.id"], name=op.f("fk_escalations_batch_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("batch_id", name=op.f("pk_escalations")),
        comment="what second readings came to, and took of the batch's cap",
    )


def _say(what: str, words: str) -> None:
    op.execute(f"COMMENT ON {what} IS '{words}'")
