"""Files of watched places at an address are known by what their server calls their bytes."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "watched_files",
        sa.Column(
            "etag",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="changes with the bytes, as a server says",
        ),
    )


def downgrade() -> None:
    op.drop_column("watched_files", "etag")
