"""Accepted or for review at a stated error: what a batch asks for, what scored its answers, and the
installation's own scores."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

SQL = Path(__file__).parent.parent / "sql"

revision = "0013"
down_revision = "0011"
branch_labels = None
depends_on = None

FIELDS = (
    "{field: {outcome, code, about, span, page, by, normalised, confidence, accepted}}; "
    "NULL: not checked",
    "{field: {outcome, code, about, span, page, by, normalised}}; NULL: not checked",
)
"""The comment, as it is from now on and as it was."""


def upgrade() -> None:
    op.add_column(
        "batches",
        sa.Column(
            "accept_error",
            sa.Double(),
            nullable=True,
            comment="share of the accepted values that may be wrong; NULL: nothing is accepted",
        ),
    )
    op.create_check_constraint(
        op.f("ck_batches_accept_error"), "batches", "accept_error > 0 AND accept_error < 1"
    )
    op.add_column(
        "answers",
        sa.Column(
            "scored_by",
            sa.Text(),
            nullable=True,
            comment="version of the scores in fields; NULL: there are none",
        ),
    )
    op.alter_column("answers", "fields", comment=FIELDS[0])
    op.create_table(
        "score_models",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("version", sa.Text(), nullable=False, comment="as answers.scored_by has it"),
        sa.Column(
            "model", postgresql.JSONB(), nullable=False, comment="as models/scores.py reads it"
        ),
        sa.Column(
            "report",
            postgresql.JSONB(),
            nullable=False,
            comment="how well it ranked values that it had not seen",
        ),
        sa.Column(
            "made_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_score_models")),
        comment="the installation's own scores of values, fitted on its corrected answers; the "
        "newest counts, and without one the product's own",
    )
    op.execute((SQL / "0013_accept.sql").read_text("utf-8"))


def downgrade() -> None:
    op.execute("DROP VIEW results")
    op.execute(_results_before())
    op.execute(_harm_before())
    op.drop_table("score_models")
    op.drop_column("answers", "scored_by")
    op.alter_column("answers", "fields", comment=FIELDS[1])
    op.drop_column("batches", "accept_error")


def _results_before() -> str:
    """The view as the foundation made it, its comments, and what 0009 made of it."""
    views = (SQL / "0004_views.sql").read_text("utf-8")
    start = views.index("CREATE VIEW results AS")
    foundation = views[start : views.index("CREATE VIEW costs_by_model AS")]
    return foundation + (SQL / "0009_results.sql").read_text("utf-8")


def _harm_before() -> str:
    made = (SQL / "0009_corrections.sql").read_text("utf-8")
    start = made.index("CREATE FUNCTION docmill_harm")
    whole = made[start : made.index("COMMENT ON FUNCTION docmill_harm")]
    return whole.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
