"""Examples of asks, versions of prompts, and how each answer's model was asked."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

SQL = Path(__file__).parent.parent / "sql"

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "asks",
        sa.Column(
            "examples",
            postgresql.JSON(),
            nullable=True,
            comment="what its model is shown, [{text, answer}] or {gold, most}; NULL: the prompt's "
            "own",
        ),
    )
    op.add_column(
        "asks",
        sa.Column(
            "prompt",
            sa.SmallInteger(),
            nullable=True,
            comment="version of its task's prompt; NULL: the configuration says",
        ),
    )
    op.add_column(
        "answers",
        sa.Column(
            "prompt",
            postgresql.JSONB(),
            nullable=True,
            comment="how its model was asked: {version, profile, examples}; NULL: not known",
        ),
    )
    op.create_index(
        "ix_gold_examples",
        "gold",
        ["name", "task", sa.text("md5(ask)"), "key"],
        unique=False,
        postgresql_where=sa.text("split = 'train'"),
    )
    op.create_table(
        "gold_versions",
        sa.Column("name", sa.Text(), nullable=False, comment="of the gold set"),
        sa.Column(
            "version",
            sa.BigInteger(),
            nullable=False,
            comment="one more with each change of the set",
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_gold_versions")),
        comment="whether a gold set is still as it was when its examples were read",
    )
    op.execute((SQL / "0018_gold_versions.sql").read_text("utf-8"))


def downgrade() -> None:
    for event in ("added", "changed", "gone"):
        op.execute(f"DROP TRIGGER gold_{event} ON gold")
    op.execute("DROP FUNCTION docmill_gold_changed()")
    op.drop_table("gold_versions")
    op.drop_index("ix_gold_examples", "gold")
    op.drop_column("answers", "prompt")
    op.drop_column("asks", "prompt")
    op.drop_column("asks", "examples")
