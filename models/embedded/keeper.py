"""Inside the guardian: keeps one server running, and stops it."""

import os
import subprocess
import threading
import time

from models.embedded.control import Control, State
from models.embedded.family import end_stray, spawn
from models.embedded.server import Launch, Server

_POLL_S = 0.02
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0
_STEADY_S = 10.0
"""A server that ran this long was not failing to start: the next pause is short again."""
_PATIENCE = 3
"""Failed starts in a row before attaching processes are told."""


class Keeper:
    """Runs the server in a thread of its own, again and again, until `stop`."""

    def __init__(self, server: Server, control: Control) -> None:
        self._server = server
        self._control = control
        self._stopping = threading.Event()
        self._starting = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep, name=f"keep-{server.name}")

    def start(self) -> None:
        """Begin to keep the server running."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the server cleanly; kill it when that takes too long."""
        with self._starting:
            self._stopping.set()
            child = self._child
        if child is not None:
            child.send_signal(self._server.stop_signal)
            self._thread.join(self._server.stop_seconds)
            child.kill()
        self._thread.join()

    def _keep(self) -> None:
        failures = quick_ends = 0
        while True:
            began = time.monotonic()
            error = self._one_life()
            failures = 0 if error is None else failures + 1
            quick_ends = 0 if time.monotonic() - began > _STEADY_S else quick_ends + 1
            problem = error if failures >= _PATIENCE else None
            self._report(State(problem=problem, guardian=os.getpid()))
            pause = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0**quick_ends)
            if self._stopping.wait(pause):
                return

    def _report(self, state: State) -> bool:
        """Tell attaching processes; false when that was not possible now (a full disk, say)."""
        try:
            self._control.write(state)
        except OSError as error:
            self._say(f"cannot write the state: {error}")
            return False
        return True

    def _one_life(self) -> str | None:
        """Start the server and wait until it ends; what went wrong when it never answered."""
        try:
            started = self._launch()
        except Exception as error:  # whatever it is, attaching processes must be told
            return self._failed(f"{type(error).__name__}: {error}")
        if started is None:
            return None
        child, launch = started
        answered = self._wait_until_ready(child, launch)
        code = child.wait()
        if answered or self._stopping.is_set():
            self._say(f"ended with code {code}")
            return None
        return self._failed(f"it ended with code {code}:\n{self._control.last_words()}")

    def _failed(self, why: str) -> str:
        self._say(f"did not start: {why.splitlines()[0]}")
        return f"The embedded {self._server.title} in {self._control.home} does not start: {why}"

    def _launch(self) -> tuple[subprocess.Popen[bytes], Launch] | None:
        """Start the server; None when it is no longer wanted."""
        folder = self._server.folder(self._control.home)
        family = end_stray(self._server, folder)
        try:
            launch = self._server.prepare(self._control.home)
            with self._starting:
                if self._stopping.is_set():
                    return None
                self._child = child = spawn(launch, folder, family)
        finally:
            os.close(family)  # the server has inherited it, and it alone must hold it
        self._say(f"started as process {child.pid}")
        return child, launch

    def _wait_until_ready(self, child: subprocess.Popen[bytes], launch: Launch) -> bool:
        """Whether the server came to answer before it ended."""
        while child.poll() is None and not self._stopping.is_set():
            ready = State(url=launch.url, guardian=os.getpid(), server=child.pid)
            if self._server.answers(launch.url) and self._report(ready):
                return True
            time.sleep(_POLL_S)
        return False

    def _say(self, text: str) -> None:
        now = time.strftime("%Y-%m-%d %H:%M:%S")
        print(f"{now} guardian of {self._server.name}: {text}", flush=True)  # noqa: T201  its log
