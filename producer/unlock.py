"""Files that need a password are opened at the door, in a child process, and stored without their
lock: so no password is ever stored, logged or sent to a worker."""

import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Timer
from typing import IO, Self

from models.config import LimitsConfig
from models.errors import InputError
from models.kinds import PDF

MEBIBYTE = 1_048_576

ENCRYPTED = b"/Encrypt"
"""What the trailer of an encrypted PDF names, in the clear."""

MOST_PASSWORDS = 1_000


def passwords_of(given: str | None, file: Path | None) -> tuple[str, ...]:
    """The passwords of a command: one that was given, and those of a file, one a line."""
    lines: list[str] = []
    if file is not None:
        try:
            lines = file.read_text("utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as exc:
            why = exc.strerror if isinstance(exc, OSError) else "not text in UTF-8"
            raise InputError(f"{file}: the passwords cannot be read: {why}") from exc
    found = tuple(dict.fromkeys(filter(None, [given, *lines])))
    if file is not None and not found:
        raise InputError(f"{file}: it holds no password; write one a line")
    if len(found) > MOST_PASSWORDS:
        raise InputError(f"{file}: more than {MOST_PASSWORDS:,} passwords; each is tried in turn")
    return found


class Unlocker:
    """Opens files with any of a few passwords. Has to be closed: use it in a `with` block.

    `opened` counts the files that a password opened, `shut` those that none did.
    """

    def __init__(self, passwords: Sequence[str], limits: LimitsConfig) -> None:
        self._passwords = passwords
        self._limits = limits
        self._child: subprocess.Popen[bytes] | None = None
        self.opened = self.shut = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def __call__(self, media_type: str, data: bytes) -> bytes:
        """The file without its lock; as it is where it has none, or no password opens it."""
        if not self._passwords or media_type != PDF or ENCRYPTED not in data:
            return data
        found = self._asked(data)
        if isinstance(found, bytes):
            self.opened += 1
            return found
        self.shut += found != "open"
        return data

    def _asked(self, data: bytes) -> bytes | str:
        child = self._child = self._child or self._start()
        assert child.stdin is not None
        assert child.stdout is not None
        timer = Timer(self._limits.read_seconds, child.kill)
        timer.start()
        try:
            child.stdin.write(f"{len(data)}\n".encode() + data)
            child.stdin.flush()
            return _answer(child.stdout)
        except (OSError, EOFError):  # it took too long, too much memory, or crashed
            self._end()
            return "damaged"
        finally:
            timer.cancel()

    def _start(self) -> "subprocess.Popen[bytes]":
        child = subprocess.Popen(
            [sys.executable, "-m", "worker", "unlock"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        head = {
            "passwords": list(self._passwords),
            "memory_bytes": self._limits.read_memory_mb * MEBIBYTE,
        }
        assert child.stdin is not None
        child.stdin.write(json.dumps(head).encode() + b"\n")  # goes out with the first file
        return child

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        for pipe in (child.stdin, child.stdout):
            with suppress(OSError):
                assert pipe is not None
                pipe.close()
        child.wait()


def _answer(stdout: IO[bytes]) -> bytes | str:
    word = stdout.readline().strip().decode()
    if not word.isdigit():
        if not word:
            raise EOFError
        return word
    data = stdout.read(int(word))
    if len(data) < int(word):
        raise EOFError
    return data
