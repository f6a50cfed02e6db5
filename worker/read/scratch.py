"""A folder for what a process reads, of which nothing stays, however the process ends.

A process that is killed removes nothing. The next one removes what it left: bytes and texts of
documents that a purge would not find. Whose process lives is told by a lock on each folder, which
the kernel lets go.
"""

import os
import shutil
import tempfile
from pathlib import Path

from models.embedded.locks import try_exclusive

PREFIX = "docmill-read-"
LOCK = "lock"


class Scratch:
    """A folder of this process's own. Has to be closed."""

    def __init__(self) -> None:
        sweep()
        self.path, self._held = _taken()

    def close(self) -> None:
        """Remove it with all that is in it."""
        _remove(self.path, self._held)


def sweep() -> None:
    """Remove the folders of processes of this user that are no more."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        held = _abandoned(folder)
        if held is not None:
            _remove(folder, held)


def _taken() -> tuple[Path, int]:
    """A new folder and the lock on it. Another process's sweep may come between the two."""
    while True:
        path = Path(tempfile.mkdtemp(prefix=PREFIX))
        held = try_exclusive(path / LOCK)
        if held is not None and path.exists():
            return path, held


def _abandoned(folder: Path) -> int | None:
    """The lock of a folder whose process is no more; None: it lives, is just beginning or ending,
    or another user made the folder, or a link of that name."""
    try:
        is_ours = folder.lstat().st_uid == os.geteuid() and not folder.is_symlink()
        return try_exclusive(folder / LOCK) if is_ours and (folder / LOCK).exists() else None
    except OSError:
        return None


def _remove(folder: Path, held: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    os.close(held)
