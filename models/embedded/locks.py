"""Two kinds of kernel locks; both are let go by the kernel when their holder dies, however it dies.

An *open* lock (flock) belongs to an open file: a child that inherits the descriptor holds it too.
A *process* lock (fcntl) belongs to one process, is kept across exec and never inherited; the
kernel says whose it is, so that a stray server can be found without trusting a stored pid.
"""

import fcntl
import os
import struct
from pathlib import Path

_IS_LINUX = os.uname().sysname == "Linux"
_LINUX_FLOCK = "@hhqqi4x"  # type, whence, start, length, pid
_BSD_FLOCK = "@qqihh"  # start, length, pid, type, whence


def open_lock_file(path: Path) -> int:
    """Open (or create) a lock file, private to this user and closed on exec."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def try_flock(descriptor: int, *, exclusive: bool) -> bool:
    """Take the open lock if that is possible now."""
    kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def wait_flock(descriptor: int) -> None:
    """Block until the open lock is ours alone."""
    fcntl.flock(descriptor, fcntl.LOCK_EX)


def try_exclusive(path: Path) -> int | None:
    """The descriptor that holds the exclusive open lock on `path`, or None when it is taken."""
    descriptor = open_lock_file(path)
    if try_flock(descriptor, exclusive=True):
        return descriptor
    os.close(descriptor)
    return None


def take_process_lock(descriptor: int) -> None:
    """Make this process the holder of the file's process lock. Raises OSError when it is taken."""
    fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def process_lock_holder(path: Path) -> int | None:
    """The pid of the living process that holds the process lock on `path`, or None."""
    descriptor = open_lock_file(path)
    try:
        answer = fcntl.fcntl(descriptor, fcntl.F_GETLK, _question())
    finally:
        os.close(descriptor)
    kind, pid = _parse(answer)
    return pid if kind != fcntl.F_UNLCK and pid > 0 else None


def _question() -> bytes:
    """What F_GETLK takes: "could I have the whole file for writing?"."""
    if _IS_LINUX:
        return struct.pack(_LINUX_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    return struct.pack(_BSD_FLOCK, 0, 0, 0, fcntl.F_WRLCK, os.SEEK_SET)


def _parse(answer: bytes) -> tuple[int, int]:
    """Lock type and pid of what F_GETLK gave back."""
    if _IS_LINUX:
        kind, _, _, _, pid = struct.unpack(_LINUX_FLOCK, answer)
    else:
        _, _, pid, kind, _ = struct.unpack(_BSD_FLOCK, answer)
    return kind, pid
