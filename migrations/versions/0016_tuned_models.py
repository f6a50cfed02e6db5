"""Models that were tuned."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tuned_models",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "place",
            sa.Text(),
            nullable=False,
            comment="ENGINE/MODEL that was measured as it is served",
        ),
        sa.Column("base", sa.Text(), nullable=False, comment="ENGINE/MODEL that it was tuned from"),
        sa.Column(
            "base_digest",
            sa.Text(),
            nullable=True,
            comment="SHA-256 of the base's weights; NULL: not known",
        ),
        sa.Column(
            "data_hash",
            sa.Text(),
            nullable=True,
            comment="SHA-256 of the pairs; NULL: not known",
        ),
        sa.Column(
            "adapter_hash",
            sa.Text(),
            nullable=True,
            comment="SHA-256 of the adapter's file; NULL: not known",
        ),
        sa.Column(
            "versions",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="of Docmill, and of the prompts by task",
        ),
        sa.Column(
            "eval_id",
            sa.BigInteger(),
            nullable=True,
            comment="that measured it; NULL: it was deleted",
        ),
        sa.Column(
            "scores",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="by task: how right each model was",
        ),
        sa.Column("better", sa.Boolean(), nullable=False, comment="than its base, beyond chance"),
        sa.Column(
            "anyway",
            sa.Boolean(),
            server_default="false",
            nullable=False,
            comment="true: served although it is not",
        ),
        sa.Column(
            "served_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when it was to be served; NULL: it was not",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["eval_id"], ["evals.id"], name=op.f("fk_tuned_models_eval_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tuned_models")),
        comment="models that were tuned: from what, on what, how good they are, who serves them",
    )
    op.create_index("ix_tuned_models_eval", "tuned_models", ["eval_id"])


def downgrade() -> None:
    op.drop_table("tuned_models")
