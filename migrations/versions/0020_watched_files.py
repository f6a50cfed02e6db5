"""Files of folders that are watched, as they were when they were submitted."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
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
