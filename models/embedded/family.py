"""A server and the processes that it starts itself, seen from outside.

All of them hold the inherited family lock, so that nobody starts a second server on the same data
while a single one lives. The first one also holds the head lock, which says whom to signal.
"""

import os
import signal
import subprocess
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

from models.embedded.locks import (
    open_lock_file,
    process_lock_holder,
    take_process_lock,
    try_exclusive,
)
from models.embedded.server import Launch, Server
from models.errors import ServiceAway

_POLL_S = 0.02
_CHILDREN_S = 30.0
"""How long the children of an ended server may take to notice."""


def end_stray(server: Server, folder: Path) -> int:
    """End the server that a killed guardian left running, if any.

    Returns the descriptor of the exclusive family lock. Raises ServiceAway when the stray stays.
    """
    began = time.monotonic()
    asked = False
    while (family := try_exclusive(folder / "family.lock")) is None:
        waited = time.monotonic() - began
        if waited > server.stop_seconds + _CHILDREN_S:
            raise ServiceAway(f"an earlier {server.title} on {folder} does not end")
        if not asked:
            asked = _signal_head(folder, server.stop_signal)
        elif waited > server.stop_seconds:
            _signal_head(folder, signal.SIGKILL)
        time.sleep(_POLL_S)
    return family


def _signal_head(folder: Path, number: signal.Signals) -> bool:
    """Signal the first process of the family; whether there is one."""
    pid = process_lock_holder(folder / "head.lock")
    if pid is None:
        return False
    with suppress(ProcessLookupError):
        os.kill(pid, number)
    return True


def spawn(launch: Launch, folder: Path, family: int) -> subprocess.Popen[bytes]:
    """Start a server as the head of its family. It inherits stdout and stderr."""
    head = open_lock_file(folder / "head.lock")
    account = launch.account
    try:
        return subprocess.Popen(
            launch.command,
            cwd=launch.workdir,
            stdin=subprocess.DEVNULL,
            pass_fds=(family, head),
            # Between fork and exec, for only the process itself can take this lock.
            preexec_fn=partial(take_process_lock, head),
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    finally:
        os.close(head)
