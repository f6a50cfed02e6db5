"""The small files by which users, guardian and server of one home find each other."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from models.embedded.places import make_home
from models.embedded.server import Server
from models.errors import ConfigError

_LOG_BYTES = 1024 * 1024
"""A log longer than this is put aside when the next guardian starts."""


@dataclass(frozen=True, slots=True)
class State:
    """What the guardian last said. The pids are for people: nothing is signalled by them."""

    url: str | None = None
    """Where the server answers; None while it does not."""
    problem: str | None = None
    """Why the server keeps failing to start."""
    guardian: int | None = None
    server: int | None = None


@dataclass(frozen=True, slots=True)
class Control:
    """The control files of one server in one home."""

    home: Path
    name: str

    def _file(self, ending: str) -> Path:
        return self.home / "run" / f"{self.name}.{ending}"

    @property
    def users_lock(self) -> Path:
        """Held shared by every user; the guardian gets it alone when the last one is gone."""
        return self._file("users.lock")

    @property
    def guard_lock(self) -> Path:
        """Held by the one guardian."""
        return self._file("guard.lock")

    @property
    def start_lock(self) -> Path:
        """Held while a process looks whether there is a guardian, and starts one."""
        return self._file("start.lock")

    @property
    def log(self) -> Path:
        """What guardian and server print."""
        return self._file("log")

    def read(self) -> State:
        """What the guardian last said; an empty State when it said nothing yet."""
        try:
            return State(**json.loads(self._file("state").read_text("utf-8")))
        except FileNotFoundError:
            return State()

    def write(self, state: State) -> None:
        """Replace the state in one step, so that a reader never sees half of it."""
        draft = self._file("state.new")
        draft.write_text(json.dumps(asdict(state)), "utf-8")
        draft.replace(self._file("state"))

    def last_words(self, lines: int = 5) -> str:
        """The end of the log."""
        try:
            text = self.log.read_text("utf-8", errors="replace")
        except FileNotFoundError:
            return "(the log is empty)"
        return "\n".join(text.strip().splitlines()[-lines:])

    def turn_log(self) -> None:
        """Put a long log aside."""
        if self.log.exists() and self.log.stat().st_size > _LOG_BYTES:
            self.log.replace(self._file("log.old"))


def open_control(server: Server, home: Path) -> Control:
    """The control files under `home`, which is made (for its owner alone) when it is missing.

    Raises ConfigError when the folder cannot be made or written.
    """
    home = home.resolve()
    try:
        make_home(home)
        (home / "run").mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"The folder {home} for embedded data cannot be made: {error}. "
            f"Choose another with DOCMILL_HOME, or {server.remedy}."
        ) from error
    if not os.access(home / "run", os.W_OK | os.X_OK):
        raise ConfigError(
            f"The folder {home} for embedded data belongs to another user. "
            f"Choose another with DOCMILL_HOME, or {server.remedy}."
        )
    return Control(home, server.name)
