"""Tokens by script, learnt from what engines report; and files of folders that are watched."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "token_rates",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("script", sa.Text(), nullable=False, comment="worker/tokens.py"),
        sa.Column("mean", sa.Double(), nullable=False, comment="tokens per unit"),
        sa.Column("sd", sa.Double(), nullable=False, comment="how well that is known"),
        sa.Column("cut", sa.Double(), nullable=False, comment="what texts are cut by"),
        sa.Column(
            "learnt_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("model", "script", name=op.f("pk_token_rates")),
        comment="what models make of texts, learnt from the tokens that engines report",
    )
    op.create_table(
        "watched_files",
        sa.Column("watch", sa.Text(), nullable=False, comment="the folder and the spec"),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("changed_ns", sa.BigInteger(), nullable=False, comment="mtime"),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=True, comment="NULL: it was refused"),
        sa.ForeignKeyConstraint(
            ["batch_id"],
            ["batches.id"],
            name=op.f("fk_watched_files_batch_id"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("watch", "path", name=op.f("pk_watched_files")),
        comment="files of watched folders that were submitted, as they were then",
    )
    op.create_index("ix_watched_files_bytes", "watched_files", ["watch", "sha256"])
    op.create_index("ix_watched_files_batch", "watched_files", ["batch_id"])


def downgrade() -> None:
    op.drop_table("watched_files")
    op.drop_table("token_rates")
