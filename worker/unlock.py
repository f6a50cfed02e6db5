"""Unlock: PDFs come on stdin with passwords, and go out without their lock.

A child of submit and retry. What it parses may be hostile: it holds itself to limits, and whoever
started it kills it when it takes too long. Passwords come through the pipe alone.

In: a line of JSON (passwords, memory_bytes), then for each file a line with its size and its bytes.
Out: for each file a line with a size and so many bytes, or with a word why not.
"""

import json
import resource
import sys
from collections.abc import Sequence
from io import BytesIO
from typing import BinaryIO

from worker.read.child import limit_memory
from worker.read.pdfium import Document
from worker.read.reading import Damaged, Locked, StrangeLock


def serve(source: BinaryIO, sink: BinaryIO) -> int:
    """Unlock one file after the other until there are no more."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    given = json.loads(source.readline())
    limit_memory(given["memory_bytes"])
    while line := source.readline():
        found = unlocked(source.read(int(line)), given["passwords"])
        data = b"" if isinstance(found, str) else found
        sink.write(f"{found if isinstance(found, str) else len(data)}\n".encode() + data)
        sink.flush()
    return 0


def unlocked(data: bytes, passwords: Sequence[str]) -> bytes | str:
    """A file without its lock, or why there is none: `open` (it needs no password), `locked` (none
    of these opens it) or `damaged`."""
    for password in (None, *passwords):
        try:
            with Document(data, password) as document:
                if password is None:
                    return "open"
                out = BytesIO()
                document.unlocked(out.write)
                return out.getvalue()
        except Locked:
            continue
        except (Damaged, StrangeLock):
            return "damaged"
    return "locked"


def main() -> int:
    """Serve this process's own pipes."""
    return serve(sys.stdin.buffer, sys.stdout.buffer)
