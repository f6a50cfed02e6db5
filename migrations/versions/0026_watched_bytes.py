"""Which bytes a watch has taken stands apart from what each name of its place holds now.

Names of watches and files are known by their SHA-256: a long one does not fit into a key.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

# A row without a batch was refused, or its batch is purged: that cannot be told any more. It counts
# as taken, since to submit what was purged a second time costs more than to leave what was refused.
CARRY_OVER = """
INSERT INTO watches (key, name)
    SELECT sha256(convert_to(watch, 'UTF8')), watch FROM watched_before GROUP BY watch;
INSERT INTO watched_bytes (watch_id, sha256, batch_id)
    SELECT w.id, b.sha256, max(b.batch_id)
    FROM watched_before b JOIN watches w ON w.name = b.watch GROUP BY w.id, b.sha256;
INSERT INTO watched_files (watch_id, path_sha256, path, size, changed_ns, etag, since_ns, waits,
        sha256, refused, refused_by)
    SELECT w.id, sha256(convert_to(b.path, 'UTF8')), b.path, b.size, b.changed_ns, b.etag, 0, false,
        b.sha256, '{}', '{}'
    FROM watched_before b JOIN watches w ON w.name = b.watch;
DROP TABLE watched_before;
"""

# Names that do not fit into the old key are left out, and so is what was not read as it looks.
TAKE_BACK = """
INSERT INTO watched_before (watch, path, size, changed_ns, etag, sha256, batch_id)
    SELECT w.name, f.path, f.size, f.changed_ns, f.etag, f.sha256, b.batch_id
    FROM watched_files f JOIN watches w ON w.id = f.watch_id
    LEFT JOIN watched_bytes b ON b.watch_id = f.watch_id AND b.sha256 = f.sha256
    WHERE f.sha256 IS NOT NULL AND NOT f.waits
        AND octet_length(w.name) + octet_length(f.path) <= 2600;
DROP TABLE watched_bytes;
DROP TABLE watched_files;
DROP TABLE watches;
"""


def upgrade() -> None:
    op.execute(
        "ALTER TABLE watched_files RENAME TO watched_before; "
        "ALTER TABLE watched_before RENAME CONSTRAINT pk_watched_files TO pk_watched_before"
    )
    op.create_table(
        "watches",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False, comment="SHA-256 of its name"),
        sa.Column("name", sa.Text(), nullable=False, comment="the folder and the spec"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watches")),
        sa.UniqueConstraint("key", name=op.f("uq_watches_key")),
        comment="folders, buckets and mailboxes that are watched, each with the spec of its batches",
    )
    _create_files()
    _create_bytes()
    op.execute(CARRY_OVER)


def _create_files() -> None:
    op.create_table(
        "watched_files",
        sa.Column("watch_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "path_sha256",
            sa.LargeBinary(),
            nullable=False,
            comment="a path is too long for a key",
        ),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False, comment="bytes; 0: unknown"),
        sa.Column("changed_ns", sa.BigInteger(), nullable=False, comment="mtime; 0: unknown"),
        sa.Column(
            "etag", sa.Text(), nullable=False, comment="changes with the bytes, as a server says"
        ),
        sa.Column(
            "since_ns",
            sa.BigInteger(),
            nullable=False,
            comment="when it was first seen as it looks, by the clock of the watch",
        ),
        sa.Column(
            "waits", sa.Boolean(), nullable=False, comment="whether it was not read as it looks"
        ),
        sa.Column(
            "sha256",
            sa.LargeBinary(),
            nullable=True,
            comment="of its bytes when they were read; NULL: never",
        ),
        sa.Column(
            "refused",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="what of it was refused by more than its bytes: '' is the file itself",
        ),
        sa.Column(
            "refused_by",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="by what, one for each of refused",
        ),
        sa.ForeignKeyConstraint(
            ["watch_id"],
            ["watches.id"],
            name=op.f("fk_watched_files_watch_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("watch_id", "path_sha256", name=op.f("pk_watched_files")),
        comment="what each name of a watched place holds, as it was when it was last looked at",
    )


def _create_bytes() -> None:
    op.create_table(
        "watched_bytes",
        sa.Column("watch_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "sha256", sa.LargeBinary(), nullable=False, comment="of a file, whatever its name"
        ),
        sa.Column(
            "batch_id",
            sa.BigInteger(),
            nullable=True,
            comment="which has its documents, or the last of them",
        ),
        sa.Column(
            "walked",
            sa.BigInteger(),
            nullable=True,
            comment="how many of the documents in it were stored or refused by then; NULL: all",
        ),
        sa.ForeignKeyConstraint(
            ["watch_id"],
            ["watches.id"],
            name=op.f("fk_watched_bytes_watch_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["batch_id"],
            ["batches.id"],
            name=op.f("fk_watched_bytes_batch_id"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("watch_id", "sha256", name=op.f("pk_watched_bytes")),
        comment="contents of files of watched places that became documents, once each",
    )
    op.create_index("ix_watched_bytes_batch_id", "watched_bytes", ["batch_id"])


def downgrade() -> None:
    op.create_table(
        "watched_before",
        sa.Column("watch", sa.Text(), nullable=False, comment="the folder and the spec"),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("changed_ns", sa.BigInteger(), nullable=False, comment="mtime"),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=True, comment="NULL: it was refused"),
        sa.Column(
            "etag",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="changes with the bytes, as a server says",
        ),
        comment="files of watched folders that were submitted, as they were then",
    )
    op.execute(TAKE_BACK)
    op.rename_table("watched_before", "watched_files")
    op.create_primary_key(op.f("pk_watched_files"), "watched_files", ["watch", "path"])
    op.create_foreign_key(
        op.f("fk_watched_files_batch_id"),
        "watched_files",
        "batches",
        ["batch_id"],
        ["id"],
        ondelete="SET NULL",
    )
    op.create_index("ix_watched_files_bytes", "watched_files", ["watch", "sha256"])
    op.create_index("ix_watched_files_batch", "watched_files", ["batch_id"])
