"""How a process becomes a user of an embedded server, and waits until that answers.

A user holds a shared lock until it ends. Whoever finds no guardian starts one and hands it the
guardian lock as an inherited descriptor: there is never a moment without a holder, and never two.
"""

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from models.embedded.control import Control, State, open_control
from models.embedded.locks import open_lock_file, try_exclusive, try_flock, wait_flock
from models.embedded.server import Server
from models.errors import ServiceAway

_POLL_S = 0.02
_SAY_AFTER_S = 5.0
_PACKAGES = Path(__file__).resolve().parents[2]
"""The folder that `models` is imported from: the guardian must import this one and no other."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Membership:
    descriptor: int
    claims: int = 0
    """Attaches that succeeded or are under way: the lock stays as long as there is one."""


_memberships: dict[Path, _Membership] = {}
_members_lock = threading.Lock()
_spawn_lock = threading.Lock()


def _after_fork_in_child() -> None:
    global _members_lock
    # A forked child stays a user through the inherited descriptors; only a thread that does not
    # exist here could be holding the old lock.
    _members_lock = threading.Lock()
    _spawn_lock.release()


# No fork of another thread may fall between taking the guardian lock and handing it on: the child
# would hold that lock for ever.
os.register_at_fork(
    before=_spawn_lock.acquire,
    after_in_parent=_spawn_lock.release,
    after_in_child=_after_fork_in_child,
)


def attach(server: Server, home: Path) -> str:
    """Become a user of `server` in `home` until this process ends, and return its URL.

    Starts the server when it is not running. Calling again is cheap and gives the current URL.
    Raises ConfigError when the server is not installed or the folder cannot be used, and
    ServiceAway when the server does not answer within its time.
    """
    server.check()
    control = open_control(server, home)
    deadline = time.monotonic() + server.start_seconds
    _join(server, control, deadline)
    try:
        return _await_url(server, control, deadline)
    except BaseException:
        _leave(control)
        raise


def _join(server: Server, control: Control, deadline: float) -> None:
    """Hold the shared users lock. A guardian that is stopping the server is waited for."""
    with _members_lock:
        member = _memberships.get(control.users_lock)
        if member is None:
            member = _Membership(_shared_lock(server, control, deadline))
            _memberships[control.users_lock] = member
        member.claims += 1


def _shared_lock(server: Server, control: Control, deadline: float) -> int:
    descriptor = open_lock_file(control.users_lock)
    while not try_flock(descriptor, exclusive=False):
        if time.monotonic() > deadline:
            os.close(descriptor)
            raise _late(server, control, "is still being stopped")
        time.sleep(_POLL_S)
    return descriptor


def _leave(control: Control) -> None:
    """Undo one `_join`."""
    with _members_lock:
        member = _memberships[control.users_lock]
        member.claims -= 1
        if member.claims == 0:
            os.close(_memberships.pop(control.users_lock).descriptor)


def _await_url(server: Server, control: Control, deadline: float) -> str:
    say_at = time.monotonic() + _SAY_AFTER_S
    _ensure_guardian(server, control)
    while True:
        state = control.read()
        if state.problem is not None:
            raise ServiceAway(f"{state.problem}\nYou can {server.remedy} instead.")
        if state.url is not None and server.answers(state.url):
            return state.url
        now = time.monotonic()
        if now > deadline:
            raise _late(server, control, "does not answer")
        if now > say_at:
            _log.warning("Waiting for %s; after a crash it recovers its data first", server.title)
            say_at = deadline
        time.sleep(_POLL_S)
        _ensure_guardian(server, control)


def _late(server: Server, control: Control, what: str) -> ServiceAway:
    return ServiceAway(
        f"The embedded {server.title} in {control.home} {what} after {server.start_seconds:.0f} s. "
        f"After a crash it recovers its data first, which can take long: try again, "
        f"or look into {control.log}."
    )


def _ensure_guardian(server: Server, control: Control) -> None:
    """Start a guardian when there is none."""
    with _spawn_lock, _start_turn(control):
        descriptor = try_exclusive(control.guard_lock)
        if descriptor is None:
            return
        try:
            # What an earlier guardian said no longer holds; its server is about to be ended.
            control.write(State())
            _spawn_guardian(server, control, descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _start_turn(control: Control) -> Iterator[None]:
    """Nobody may trust the state between "there is no guardian" and its reset."""
    descriptor = open_lock_file(control.start_lock)
    try:
        wait_flock(descriptor)
        yield
    finally:
        os.close(descriptor)


def _spawn_guardian(server: Server, control: Control, descriptor: int) -> None:
    """Run the guardian, which detaches itself and lets this call return."""
    command = [sys.executable, "-m", "models.embedded.guard", server.entry]
    control.turn_log()
    with control.log.open("ab") as log:
        started = subprocess.run(
            [*command, str(control.home), str(descriptor)],
            pass_fds=(descriptor,),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=_PACKAGES,
            start_new_session=True,
            check=False,
        )
    if started.returncode != 0:
        raise ServiceAway(f"No guardian for {server.title} starts:\n{control.last_words()}")
