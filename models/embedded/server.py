"""What an embedded server is: how it is found, prepared, asked and stopped."""

import importlib
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Account:
    """The user and group that a server runs as."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Launch:
    """A server that is ready to be started."""

    command: tuple[str, ...]
    url: str
    """Where it will answer."""
    workdir: Path
    account: Account | None = None
    """None: as the user who runs docmill."""


class Server(Protocol):
    """One kind of embedded server. It holds no state: everything lies under the home folder."""

    name: str
    """Short, for file names."""
    title: str
    """For people."""
    entry: str
    """`module:NAME` of this object, or `module:NAME(WORD)` of what makes it of a word, so that the
    guardian process can import it."""
    stop_signal: signal.Signals
    start_seconds: float
    """How long an attaching process waits for the server to answer."""
    stop_seconds: float
    """How long a clean stop may take before the server is killed."""
    remedy: str
    """What a user can do instead when this server cannot be had."""

    def check(self) -> None:
        """Raise ConfigError when the server is not installed. Cheap: runs at every attach."""
        ...

    def folder(self, home: Path) -> Path:
        """The folder of its data and locks, made when missing."""
        ...

    def prepare(self, home: Path) -> Launch:
        """Everything that comes before a start. No other instance runs meanwhile.

        Raises OSError, subprocess.SubprocessError or DocmillError when it cannot be done.
        """
        ...

    def answers(self, url: str) -> bool:
        """Whether the server at `url` takes requests now. Never raises OSError."""
        ...


def load(entry: str) -> Server:
    """The server that an entry names."""
    module, _, call = entry.partition(":")
    name, made, word = call.removesuffix(")").partition("(")
    found = getattr(importlib.import_module(module), name)
    server: Server = found(word) if made else found
    return server
