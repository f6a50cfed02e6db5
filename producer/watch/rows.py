"""What is written down of a watch: what its names hold, and which bytes became documents."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from models.database import Connection
from producer.watch.fates import Held, Refusal, Stamp, Taken

if TYPE_CHECKING:
    import psycopg

_FIND = """
WITH found AS (SELECT id FROM watches WHERE key = %(key)s),
made AS (INSERT INTO watches (key, name) SELECT %(key)s, %(name)s
    WHERE NOT EXISTS (SELECT FROM found) RETURNING id)
SELECT id FROM found UNION ALL SELECT id FROM made
"""

_MOVE_BYTES = """
INSERT INTO watched_bytes (watch_id, sha256, batch_id, walked)
SELECT %(watch)s, b.sha256, b.batch_id, b.walked
FROM watched_bytes b JOIN watches w ON w.id = b.watch_id WHERE w.key = %(key)s
ON CONFLICT DO NOTHING
"""

_MOVE_FILES = """
INSERT INTO watched_files (watch_id, path_sha256, path, size, changed_ns, etag, since_ns, waits,
    sha256, refused, refused_by)
SELECT %(watch)s, f.path_sha256, f.path, f.size, f.changed_ns, f.etag, f.since_ns, f.waits,
    f.sha256, f.refused, f.refused_by
FROM watched_files f JOIN watches w ON w.id = f.watch_id WHERE w.key = %(key)s
ON CONFLICT DO NOTHING
"""

_END = """
UPDATE batches b SET submitted_at = now()
WHERE b.finished_at IS NULL AND b.submitted_at IS NULL
    AND EXISTS (SELECT FROM watched_bytes w WHERE w.batch_id = b.id AND w.watch_id = %s)
    AND docmill_submit_state(b.id) = 'interrupted'
RETURNING b.id
"""

_KNOWN = """
SELECT path_sha256, size, changed_ns, etag, since_ns, waits, sha256, refused, refused_by
FROM watched_files WHERE watch_id = %s AND path_sha256 = ANY (%s)
"""

_HOLD = """
INSERT INTO watched_files (watch_id, path_sha256, path, size, changed_ns, etag, since_ns, waits,
    sha256, refused, refused_by)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (watch_id, path_sha256) DO UPDATE SET size = excluded.size,
    changed_ns = excluded.changed_ns, etag = excluded.etag, since_ns = excluded.since_ns,
    waits = excluded.waits, sha256 = excluded.sha256, refused = excluded.refused,
    refused_by = excluded.refused_by
"""

_TAKE = """
INSERT INTO watched_bytes (watch_id, sha256, batch_id, walked) VALUES (%s, %s, %s, %s)
ON CONFLICT (watch_id, sha256) DO UPDATE
SET batch_id = coalesce(excluded.batch_id, watched_bytes.batch_id), walked = excluded.walked
"""


def watch_of(connection: Connection, batch: int) -> str | None:
    """The name of the watch that submitted a batch; None: no watch did."""
    row = connection.execute(
        "SELECT w.name FROM watched_bytes b JOIN watches w ON w.id = b.watch_id "
        "WHERE b.batch_id = %s LIMIT 1",
        (batch,),
    ).fetchone()
    return None if row is None else str(row[0])


@dataclass(frozen=True, slots=True)
class WatchedFiles:
    """The rows of one watch."""

    watch: int
    connection: Connection

    @classmethod
    def of(cls, connection: Connection, name: str, before: str) -> "WatchedFiles":
        """Those of the watch of this name, with those that stood under the name `before`."""
        with connection.transaction():
            row = connection.execute(_FIND, {"key": _sha256(name), "name": name}).fetchone()
            assert row is not None
            if before != name:
                moved = {"watch": row[0], "key": _sha256(before)}
                connection.execute(_MOVE_BYTES, moved)
                connection.execute(_MOVE_FILES, moved)
                connection.execute("DELETE FROM watches WHERE key = %(key)s", moved)
        return cls(int(row[0]), connection)

    def end_left(self) -> list[int]:
        """Make batches whole that a look left when it was cut off: what they lack goes into the
        next. Returns their numbers."""
        return [int(row[0]) for row in self.connection.execute(_END, (self.watch,))]

    def held(self, names: Sequence[str]) -> Mapping[str, Held]:
        """What these names held, where that is known."""
        by_digest = {_sha256(name): name for name in names}
        rows = self.connection.execute(_KNOWN, (self.watch, list(by_digest)))
        return {by_digest[bytes(digest)]: _held(*row) for digest, *row in rows}

    def taken(self, sha256: bytes) -> Taken | None:
        """What became of these bytes; None: they are new."""
        row = self.connection.execute(
            "SELECT walked FROM watched_bytes WHERE watch_id = %s AND sha256 = %s",
            (self.watch, sha256),
        ).fetchone()
        return None if row is None else Taken(row[0])

    def hold(self, cursor: "psycopg.Cursor[Any]", holds: Iterable[tuple[str, Held]]) -> None:
        """Write down what names hold."""
        cursor.executemany(_HOLD, [self._row(name, held) for name, held in holds])

    def take(
        self, cursor: "psycopg.Cursor[Any]", contents: Mapping[bytes, Taken], batch: int | None
    ) -> None:
        """Write down which bytes became documents of a batch."""
        rows = [(self.watch, digest, batch, taken.walked) for digest, taken in contents.items()]
        cursor.executemany(_TAKE, rows)

    def _row(self, name: str, held: Held) -> tuple[object, ...]:
        return (
            self.watch,
            _sha256(name),
            name,
            held.stamp.size,
            held.stamp.changed_ns,
            held.stamp.etag,
            held.since_ns,
            held.waits,
            held.sha256,
            [refusal.inner for refusal in held.refused],
            [refusal.by for refusal in held.refused],
        )


def _held(
    size: int,
    changed_ns: int,
    etag: str,
    since_ns: int,
    waits: bool,
    sha256: bytes | None,
    refused: list[str],
    refused_by: list[str],
) -> Held:
    return Held(
        Stamp(size, changed_ns, etag),
        since_ns,
        waits,
        None if sha256 is None else bytes(sha256),
        tuple(Refusal(inner, by) for inner, by in zip(refused, refused_by, strict=True)),
    )


def _sha256(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()
