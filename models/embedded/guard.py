"""The guardian process: `python -m models.embedded.guard SERVER HOME GUARD_LOCK_DESCRIPTOR`.

One per server and home, detached from every terminal. It keeps the server running, waits until
the users lock is its own (no user is left, whatever way they went), stops the server and ends.
"""

import os
import signal
import sys
import time
import warnings
from pathlib import Path
from types import FrameType
from typing import NoReturn

from models.embedded.control import Control, open_control
from models.embedded.keeper import Keeper
from models.embedded.locks import open_lock_file, wait_flock
from models.embedded.server import load


def main(entry: str, home: str, guard_lock: int) -> None:
    """Detach from the process that started us, then guard until the last user is gone."""
    if os.fork():
        os._exit(0)  # the starter is not our parent any more: it has nothing to reap
    os.set_inheritable(guard_lock, False)
    # The thread beside the one that starts the server sleeps in the kernel and holds nothing.
    warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
    server = load(entry)
    control = open_control(server, Path(home))
    keeper = Keeper(server, control)
    keeper.start()
    try:
        _wait_for_last_user(control)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        keeper.stop()
        # Before the users lock: whoever gets that one must not take us for a living guardian.
        os.close(guard_lock)


def _wait_for_last_user(control: Control) -> None:
    """Block until no user is left, or until this process is asked to end."""
    signal.signal(signal.SIGTERM, _end)
    wait_flock(open_lock_file(control.users_lock))


def _end(_signal: int, _frame: FrameType | None) -> NoReturn:
    print(time.strftime("%Y-%m-%d %H:%M:%S"), "asked to end", flush=True)  # noqa: T201  to the log
    raise SystemExit(0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
