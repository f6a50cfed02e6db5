"""What was sent of documents that were read again stays proved."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

SQL = Path(__file__).parent.parent / "sql"

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sent_chunks",
        sa.Column("call_id", sa.Uuid(), nullable=False),
        sa.Column("chunk_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False, comment="of its text in UTF-8"),
        sa.ForeignKeyConstraint(
            ["batch_id"],
            ["batches.id"],
            name=op.f("fk_sent_chunks_batch_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("call_id", "chunk_id", name=op.f("pk_sent_chunks")),
        comment="what calls were sent of documents that were read again since",
    )
    op.create_index("ix_sent_chunks_batch", "sent_chunks", ["batch_id"])
    op.execute((SQL / "0028_sent.sql").read_text("utf-8"))


def downgrade() -> None:
    """As 0024 and 0005 made them."""
    op.execute(_function("docmill_replace_documents", "0024_replaced.sql"))
    op.execute(_function("docmill_purge", "0005_bulk.sql"))
    op.execute("DROP FUNCTION docmill_sent(bigint)")
    op.drop_table("sent_chunks")


def _function(name: str, made_in: str) -> str:
    """The text that made a function, to make it so again."""
    text = (SQL / made_in).read_text("utf-8").replace("CREATE OR REPLACE", "CREATE")
    start = text.index(f"CREATE FUNCTION {name}(")
    made = text[start : text.index("$$;", text.index("$$", start) + 2) + 3]
    return made.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
