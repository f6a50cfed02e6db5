"""Counts statements and round trips between workers and Postgres, on the wire.

A relay stands between them on a Unix socket of its own and reads what the clients send. A round
trip is one Sync or one simple Query message: after it a client waits for the server, however many
statements it holds: a pipeline of four is one, a BEGIN or a COMMIT sent by itself is one too.
A transaction, and a statement outside of one, is a unit; it is known by its last statement, which
is told by its first line, a comment, in worker/sql.
"""

import asyncio
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from psycopg.conninfo import conninfo_to_dict

import worker

STATEMENTS = Path(worker.__file__).parent / "sql"

OTHER = "other"
"""Statements that are not in worker/sql."""

BLOCK = 65_536


@dataclass
class Traffic:
    """What passed so far. Keys are names of files in worker/sql, or `other`."""

    units: Counter[str] = field(default_factory=Counter)
    """Transactions, and statements that are one by themselves."""
    round_trips: Counter[str] = field(default_factory=Counter)
    """Round trips of those units."""
    statements: int = 0
    """BEGIN and COMMIT included."""


class Client:
    """Reads what one connection sends."""

    def __init__(self, traffic: Traffic, names: dict[str, str]) -> None:
        self._traffic = traffic
        self._names = names
        self._prepared: dict[bytes, str] = {}
        self._bytes = b""
        self._head = 0
        """Bytes before a message's length: the very first message has no type."""
        self._trips = 0
        self._last = OTHER
        self._inside = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes, wherever they are cut."""
        self._bytes += data
        while len(self._bytes) >= self._head + 4:
            size = self._head + int.from_bytes(self._bytes[self._head : self._head + 4], "big")
            if len(self._bytes) < size:
                return
            message, self._bytes = self._bytes[:size], self._bytes[size:]
            self._read(message[: self._head], message[self._head + 4 :])
            self._head = 1

    def _read(self, kind: bytes, body: bytes) -> None:
        if kind == b"P":  # Parse: name, text
            name, text, _ = body.split(b"\0", 2)
            self._prepared[name] = text.decode()
        elif kind == b"B":  # Bind: portal, name
            self._statement(self._prepared[body.split(b"\0", 2)[1]])
        elif kind == b"Q":
            self._statement(body.rstrip(b"\0").decode())
        if kind in (b"S", b"Q"):
            self._end_of_trip()

    def _statement(self, text: str) -> None:
        self._traffic.statements += 1
        if text in ("BEGIN", "COMMIT", "ROLLBACK"):
            self._inside = text == "BEGIN"
        else:
            self._last = self._names.get(_first_line(text), OTHER)

    def _end_of_trip(self) -> None:
        self._trips += 1
        if self._inside:
            return
        self._traffic.units[self._last] += 1
        self._traffic.round_trips[self._last] += self._trips
        self._trips, self._last = 0, OTHER


@contextmanager
def relay(url: str) -> Iterator[tuple[str, Traffic]]:
    """The URL of a relay to the Postgres at `url`, on a Unix socket, and what passes through it."""
    server = conninfo_to_dict(url)
    socket = f".s.PGSQL.{server['port']}"
    traffic = Traffic()
    loop = asyncio.new_event_loop()
    with tempfile.TemporaryDirectory(prefix="docmill-relay-") as folder:
        relaying = _listen(Path(folder) / socket, Path(str(server["host"])) / socket, traffic)
        loop.run_until_complete(relaying)
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        try:
            here = f"host={quote(folder, safe='')}&port={server['port']}"
            yield f"postgresql://{server['user']}@/{server['dbname']}?{here}", traffic
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()


async def _listen(here: Path, there: Path, traffic: Traffic) -> None:
    names = {
        _first_line(file.read_text("utf-8")): file.relative_to(STATEMENTS)
        .with_suffix("")
        .as_posix()
        for file in STATEMENTS.rglob("*.sql")
    }

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Client(traffic, names)
        from_server, to_server = await asyncio.open_unix_connection(there)
        await asyncio.gather(
            _pass_on(reader, to_server, client.feed), _pass_on(from_server, writer, _ignore)
        )

    await asyncio.start_unix_server(serve, here)


async def _pass_on(
    source: asyncio.StreamReader, target: asyncio.StreamWriter, look: Callable[[bytes], None]
) -> None:
    with suppress(ConnectionError):
        while data := await source.read(BLOCK):
            look(data)
            target.write(data)
            await target.drain()
    target.close()


def _ignore(data: bytes) -> None:
    """What the server says is not counted."""


def _first_line(text: str) -> str:
    return text.split("\n", 1)[0]
