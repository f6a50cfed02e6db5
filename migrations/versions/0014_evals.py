"""Evals: asks with a place of their own, what was measured, and how right each answer was."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

SQL = Path(__file__).parent.parent / "sql"

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "asks",
        sa.Column(
            "place",
            sa.Text(),
            comment="ENGINE/MODEL that alone answers it; NULL: the configuration says",
        ),
    )
    _make_evals()
    _make_rows()
    _make_scores()
    op.execute((SQL / "0014_evals.sql").read_text("utf-8"))


def downgrade() -> None:
    op.execute("DROP TRIGGER evals_end ON batches")
    for table in ("eval_scores", "eval_rows", "evals"):
        op.drop_table(table)
    op.execute("DROP FUNCTION docmill_eval_ended()")
    op.execute("DROP FUNCTION docmill_eval_rows_gone()")
    op.drop_column("asks", "place")


def _make_evals() -> None:
    op.create_table(
        "evals",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column(
            "source",
            sa.Text(),
            nullable=False,
            comment="name of the gold set, or number of the batch",
        ),
        sa.Column("split", sa.Text(), nullable=True, comment="of gold; NULL: both"),
        sa.Column(
            "places",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="ENGINE/MODEL of the candidates, as they were named",
        ),
        sa.Column(
            "batch_id",
            sa.BigInteger(),
            nullable=True,
            comment="the batch that asks them; NULL: it was deleted",
        ),
        sa.Column(
            "source_gone",
            sa.Boolean(),
            server_default="false",
            nullable=False,
            comment="true: a text of it was purged, and its batch is to be",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "scored_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when its answers were compared; NULL: not yet",
        ),
        sa.CheckConstraint("kind IN ('gold', 'replay')", name=op.f("ck_evals_kind")),
        sa.CheckConstraint("split IN ('held', 'train')", name=op.f("ck_evals_split")),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batches.id"], name=op.f("fk_evals_batch_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evals")),
        comment="comparisons of models on texts whose right answers are known",
    )
    op.create_index("ix_evals_batch", "evals", ["batch_id"], unique=False)


def _make_rows() -> None:
    op.create_table(
        "eval_rows",
        sa.Column("document_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("eval_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "key", sa.LargeBinary(), nullable=False, comment="SHA-256 of text, ask and schema"
        ),
        sa.Column(
            "gold_id", sa.BigInteger(), nullable=True, comment="whose text and right answer it is"
        ),
        sa.Column(
            "job_id",
            sa.BigInteger(),
            nullable=True,
            comment="the job whose text it is, and whose answer, corrected, is the right one",
        ),
        sa.CheckConstraint(
            "(gold_id IS NULL) <> (job_id IS NULL)", name=op.f("ck_eval_rows_source")
        ),
        sa.ForeignKeyConstraint(
            ["document_id"],
            ["documents.id"],
            name=op.f("fk_eval_rows_document_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["eval_id"], ["evals.id"], name=op.f("fk_eval_rows_eval_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["gold_id"], ["gold.id"], name=op.f("fk_eval_rows_gold_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_eval_rows_job_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("document_id", name=op.f("pk_eval_rows")),
        comment="which document of an eval's batch is a copy of which text",
    )
    for column in ("eval_id", "gold_id", "job_id"):
        op.create_index(f"ix_eval_rows_{column}", "eval_rows", [column], unique=False)


def _make_scores() -> None:
    op.create_table(
        "eval_scores",
        sa.Column("eval_id", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False, comment="ENGINE/MODEL, or answered then"),
        sa.Column(
            "key", sa.LargeBinary(), nullable=False, comment="SHA-256 of text, ask and schema"
        ),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column(
            "language", sa.Text(), nullable=True, comment="ISO 639-1 of the text; NULL: unknown"
        ),
        sa.Column(
            "is_right", sa.Boolean(), nullable=False, comment="every field; false: no answer, too"
        ),
        sa.Column(
            "fields", postgresql.JSONB(), nullable=False, comment="{field: whether it is right}"
        ),
        sa.Column("sure", sa.Integer(), nullable=False, comment="values that the checks call sure"),
        sa.Column("unsure", sa.Integer(), nullable=False, comment="values to check"),
        sa.Column("wrong", sa.Integer(), nullable=False, comment="values called wrong"),
        sa.Column(
            "cost_usd",
            sa.Numeric(precision=20, scale=10),
            nullable=True,
            comment="of the calls that gave the answer, reused ones too; NULL: not known",
        ),
        sa.Column("latency_ms", sa.Integer(), nullable=True),
        sa.Column("output_tokens", sa.Integer(), nullable=True),
        sa.Column("engine_seconds", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["eval_id"], ["evals.id"], name=op.f("fk_eval_scores_eval_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("eval_id", "place", "key", name=op.f("pk_eval_scores")),
        comment="how right each candidate's answer to each text of an eval was; no word of them",
    )
