"""What people make of answers: corrections, the line of what is to be reviewed, gold."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

SQL = Path(__file__).parent.parent / "sql"

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

FUNCTIONS = (
    "docmill_answers_made()",
    "docmill_corrections_made()",
    "docmill_harm(bigint, jsonb)",
    "docmill_corrected(bigint, jsonb)",
    "docmill_rulings(bigint)",
)


def upgrade() -> None:
    _make_corrections()
    _make_reviews()
    _make_gold()
    for part in ("0009_corrections.sql", "0009_results.sql"):
        op.execute((SQL / part).read_text("utf-8"))


def downgrade() -> None:
    op.execute("DROP VIEW results")
    op.execute(_results_before())
    op.execute("DROP TRIGGER reviews_follow ON answers")
    for table in ("gold", "reviews", "corrections"):
        op.drop_table(table)
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION {function}")


def _results_before() -> str:
    """The view and its comments as the foundation made them."""
    views = (SQL / "0004_views.sql").read_text("utf-8")
    start = views.index("CREATE VIEW results AS")
    return views[start : views.index("CREATE VIEW costs_by_model AS")]


def _make_corrections() -> None:
    op.create_table(
        "corrections",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "field",
            sa.Text(),
            nullable=False,
            comment="path of the value, as in spans: items.0.price",
        ),
        sa.Column(
            "path", postgresql.ARRAY(sa.Text()), nullable=False, comment="the same, step by step"
        ),
        sa.Column("ruling", sa.Text(), nullable=False),
        sa.Column(
            "old", postgresql.JSONB(), nullable=False, comment="the value that it was made of"
        ),
        sa.Column("new", postgresql.JSONB(), nullable=False, comment="the value from then on"),
        sa.Column("reviewer", sa.Text(), nullable=False, comment="who"),
        sa.Column(
            "call_id", sa.Uuid(), nullable=False, comment="the call whose answer it is about"
        ),
        sa.Column(
            "made_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.CheckConstraint(
            "ruling IN ('absent', 'confirmed', 'corrected')", name=op.f("ck_corrections_ruling")
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_corrections_job_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_corrections")),
        comment="what a person made of a value of an answer; the last row about a value counts",
    )
    op.create_index("ix_corrections_job", "corrections", ["job_id", "id"], unique=False)


def _make_reviews() -> None:
    op.create_table(
        "reviews",
        sa.Column("job_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "harm",
            sa.Double(),
            nullable=False,
            comment="expected wrong values in it (docmill_harm)",
        ),
        sa.Column(
            "skips",
            sa.SmallInteger(),
            server_default="0",
            nullable=False,
            comment="how often put off",
        ),
        sa.Column(
            "reviewer",
            sa.Text(),
            nullable=True,
            comment="who is at it, until the lease ends; NULL: nobody",
        ),
        sa.Column(
            "until", sa.DateTime(timezone=True), nullable=True, comment="when the lease ends"
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_reviews_job_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_reviews")),
        comment="the answers with a value that a person should look at; gone when one has",
    )
    op.create_index(
        "ix_reviews_next",
        "reviews",
        ["batch_id", "skips", sa.text("harm DESC"), "job_id"],
        unique=False,
    )
    op.create_index(
        "ix_reviews_claimed",
        "reviews",
        ["batch_id", "reviewer"],
        unique=False,
        postgresql_where=sa.text("reviewer IS NOT NULL"),
    )


def _make_gold() -> None:
    op.create_table(
        "gold",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False, comment="of the set that it belongs to"),
        sa.Column(
            "key", sa.LargeBinary(), nullable=False, comment="SHA-256 of text, ask and schema"
        ),
        sa.Column(
            "document",
            sa.LargeBinary(),
            nullable=False,
            comment="SHA-256 of the document's bytes",
        ),
        sa.Column(
            "split",
            sa.Text(),
            nullable=False,
            comment="follows from `document`, once and for ever",
        ),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("ask", sa.Text(), nullable=False),
        sa.Column(
            "json_schema",
            postgresql.JSON(),
            nullable=True,
            comment="of the answer; NULL: the task's",
        ),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("value", postgresql.JSONB(), nullable=False, comment="the right answer"),
        sa.Column(
            "language", sa.Text(), nullable=True, comment="ISO 639-1 of the text; NULL: unknown"
        ),
        sa.Column(
            "model",
            sa.Text(),
            nullable=True,
            comment="whose answer people looked at; NULL: it is nobody's",
        ),
        sa.Column("source", sa.Text(), nullable=False, comment="where it comes from"),
        sa.Column("licence", sa.Text(), nullable=False),
        sa.Column(
            "local_only",
            sa.Boolean(),
            nullable=False,
            comment="true: it may not leave the building",
        ),
        sa.Column(
            "job_id",
            sa.BigInteger(),
            nullable=True,
            comment="the job with which it goes; NULL: it stays whatever is purged",
        ),
        sa.Column("added_by", sa.Text(), nullable=False),
        sa.Column(
            "added_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.CheckConstraint("split IN ('held', 'train')", name=op.f("ck_gold_split")),
        sa.CheckConstraint(
            "task IN ('classification', 'extraction', 'reasoning', 'simple_code', 'summary')",
            name=op.f("ck_gold_task"),
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_gold_job_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gold")),
        sa.UniqueConstraint("name", "key", name=op.f("uq_gold_name_key")),
        comment="texts with their right answers, to measure models with and to train them on",
    )
    op.create_index(
        "ix_gold_job",
        "gold",
        ["job_id"],
        unique=False,
        postgresql_where=sa.text("job_id IS NOT NULL"),
    )
