"""A mail folder behind IMAP: each message a document, left as unread as it was.

The folder is opened to be read only (EXAMINE), and bodies are peeked at (BODY.PEEK), so nothing
there can change. https://www.rfc-editor.org/rfc/rfc9051
"""

import imaplib
import re
import ssl
from array import array
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from socket import SHUT_RDWR, socket
from tempfile import SpooledTemporaryFile
from threading import Timer
from typing import IO, Any, Self, cast

from yarl import URL

from models.archives import MEBIBYTE
from producer.places import File, NotFetched, Opened, Refused, not_had, readable
from producer.remote.access import SAY_WHO, Access
from producer.remote.reach import Sockets, not_connected, reach
from producer.remote.web import IN_MEMORY, SILENCE_S, refuse_larger

AT_ONCE = 1_000
"""Messages that are listed by one command."""

PART_BYTES = 4 * MEBIBYTE
"""Of a message that are fetched by one command, and so are in memory."""

MOST_HEARD = 16 * MEBIBYTE
"""Of the answer to a command."""

Connected = Callable[[str, int], socket]
"""Connects to a host and port. Raises OSError."""

_PORTS = {"imap": 143, "imaps": 993}
_UID = re.compile(rb"\bUID (\d{1,10})\b")
_SIZE = re.compile(rb"\bRFC822\.SIZE (\d{1,12})\b")
_DELIMITER = re.compile(rb'\) (?:"\\?(.)"|NIL) ')
_BROKEN = (imaplib.IMAP4.error, OSError, EOFError, ValueError, IndexError)


class Mailbox:
    """The messages of one mail folder of the user in `url`. `server` is how names begin."""

    def __init__(self, server: str, url: URL, password: str, access: Access) -> None:
        self._url, self._password, self._config = url, password, access.config
        self._sockets = Sockets(reach(access))
        self._folder = url.path.strip("/") or "INBOX"
        self.name = readable(f"{server}/{self._folder}")
        self._imap: Any = None
        self._watched = _Watched()

    def __enter__(self) -> Self:
        self._messages, self._era = self._opened()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(*_BROKEN):
            self._imap.logout()
        self._close()

    def _close(self) -> None:
        with suppress(*_BROKEN, AttributeError):
            self._imap.shutdown()

    def _opened(self) -> tuple[int, str]:
        """A connection to the folder: how many messages there are, and for how long their numbers
        are the same. Raises NotFetched."""
        self._close()
        try:
            with self._in_time():
                kind = _Encrypted if self._url.scheme == "imaps" else _Connection
                self._imap = kind(self._url, self._watched, self._connected)
                self._log_in()
                return self._examined()
        except (NotFetched, *_BROKEN) as exc:
            self._close()
            raise _why(exc) from None

    def _connected(self, host: str, port: int) -> socket:
        return self._sockets.connected(host, port, SILENCE_S)

    def _log_in(self) -> None:
        """What the server says of it is not repeated: it may hold what it was told."""
        user, password = self._url.user or "", self._password
        try:
            if "AUTH=PLAIN" in self._imap.capabilities:
                self._imap.authenticate("PLAIN", lambda _: f"\0{user}\0{password}".encode())
            else:  # imaplib's own login takes ASCII alone
                told, _ = self._imap.xatom("LOGIN", _quoted(user), _quoted(password))
                if told != "OK":
                    raise imaplib.IMAP4.error(told)
                self._imap.state = "AUTH"
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error:
            why = f"its server does not let this user in; {SAY_WHO}"
            raise NotFetched("not_allowed", why) from None

    def _examined(self) -> tuple[int, str]:
        _, [root, *_] = self._imap.list('""', '""')
        delimiter = _DELIMITER.search(root if isinstance(root, bytes) else b"")
        sign = (delimiter[1] or b"/").decode("ascii", "replace") if delimiter else "/"
        wanted = _quoted(encoded(self._folder.replace("/", sign)))
        told, [count, *_] = self._imap.select(wanted, readonly=True)
        if told != "OK":
            raise NotFetched("not_found", "no mail folder of that name")
        _, [era, *_] = self._imap.response("UIDVALIDITY")
        return int(count or 0), (era or b"0").decode("ascii", "replace")

    def files(self) -> Iterator[File]:
        """All messages that are there now, by number. Their numbers are read first, 16 bytes each:
        no message can move in the list before anything else is asked."""
        uids, sizes = array("Q"), array("Q")
        for first in range(1, self._messages + 1, AT_ONCE):
            for line in self._listed(first, min(first + AT_ONCE - 1, self._messages)):
                uid, size = _UID.search(line), _SIZE.search(line)
                if uid and size:
                    uids.append(int(uid[1]))
                    sizes.append(int(size[1]))
        for uid_, size_ in zip(uids, sizes, strict=True):
            name, etag = f"{self.name}/{uid_}.eml", f"{self._era}.{uid_}"
            yield File(name, str(uid_), size_, etag=etag)

    def _listed(self, first: int, last: int) -> Iterator[bytes]:
        with self._in_time():
            try:
                told, lines = self._imap.fetch(f"{first}:{last}", "(UID RFC822.SIZE)")
            except _BROKEN:
                raise NotFetched("not_fetched", "the connection broke") from None
        if told != "OK":
            raise NotFetched("not_fetched", "its server does not list its messages")
        yield from (line for line in lines if isinstance(line, bytes))

    def contents(self, found: Iterable[File | Refused]) -> Iterator[Opened | Refused]:
        """As `Place` has it. A connection that breaks is made anew, once a message."""
        gone: NotFetched | None = None
        for file in found:
            if isinstance(file, Refused):
                yield file
                continue
            with cast(IO[bytes], SpooledTemporaryFile(IN_MEMORY)) as content:
                try:
                    if gone is not None:
                        raise gone
                    self._read(file, content)
                except _Broke as exc:
                    gone = exc.why
                    yield not_had(file, exc.why)
                except NotFetched as exc:
                    yield not_had(file, exc)
                else:
                    content.seek(0)
                    yield Opened(file, content)

    def _read(self, file: File, into: IO[bytes]) -> None:
        """Raises NotFetched for this message, _Broke where no other can be had either."""
        refuse_larger(file.size, self._config)
        for is_last in (False, True):
            try:
                with self._in_time():
                    self._copy(file.key, into)
                return
            except _BROKEN:
                into.seek(0)
                into.truncate()
            if is_last:
                raise NotFetched("not_fetched", "the connection broke, twice")
            self._go_on()

    def _go_on(self) -> None:
        """Another connection, to the same messages. Raises _Broke."""
        try:
            _, era = self._opened()
        except NotFetched as exc:
            raise _Broke(exc) from None
        if era != self._era:
            why = "its messages have other numbers now: look again"
            raise _Broke(NotFetched("not_fetched", why))

    def _copy(self, uid: str, into: IO[bytes]) -> None:
        size = 0
        while True:
            wanted = f"(BODY.PEEK[]<{size}.{PART_BYTES}>)"
            told, parts = self._imap.uid("FETCH", uid, wanted)
            if told != "OK":
                raise NotFetched("not_fetched", "its server refuses a part of it")
            part = next((part[1] for part in parts if isinstance(part, tuple)), None)
            if part is None and not size:
                raise NotFetched("not_found", "it is not there any more")
            size += len(part or b"")
            refuse_larger(size, self._config)
            into.write(part or b"")
            if len(part or b"") < PART_BYTES:
                return

    @contextmanager
    def _in_time(self) -> Iterator[None]:
        """Whatever a server does, its connection ends with the time that a file may take."""
        late: list[bool] = []

        def end() -> None:
            late.append(True)
            self._watched.end()

        timer = Timer(self._config.download_seconds, end)
        timer.start()
        try:
            yield
        except (NotFetched, *_BROKEN):
            if late:
                why = "it took too long; raise sources.download_seconds in docmill.toml"
                raise NotFetched("not_fetched", why) from None
            raise
        finally:
            timer.cancel()


class _Broke(Exception):
    """There is no connection any more, and no other is to be had."""

    def __init__(self, why: NotFetched) -> None:
        super().__init__(str(why))
        self.why = why


class _Connection(imaplib.IMAP4):
    """IMAP over a socket that may be made, with answers of a bounded length."""

    def __init__(self, url: URL, watched: "_Watched", connected: Connected) -> None:
        self._watched, self._connected = watched, connected
        self._heard = 0
        super().__init__(url.host or "", url.port or _PORTS[url.scheme])

    def _create_socket(self, timeout: float | None) -> socket:
        return self._watched.see(self._connected(self.host, self.port))

    def send(self, data: Any) -> None:
        """A command: what is heard from now on is its answer."""
        self._heard = 0
        super().send(data)

    def readline(self) -> bytes:
        """A line of an answer. Raises `abort` for an answer that is too long."""
        return self._counted(super().readline())

    def read(self, size: int) -> bytes:
        """A part of an answer, whose length the server has named. Raises `abort`."""
        if size > MOST_HEARD:
            raise self.abort("an answer that is too long")
        return self._counted(super().read(size))

    def _counted(self, heard: bytes) -> bytes:
        self._heard += len(heard)
        if self._heard > MOST_HEARD:
            raise self.abort("an answer that is too long")
        return heard


class _Encrypted(_Connection):
    """The same, encrypted, to a server that somebody vouches for."""

    def _create_socket(self, timeout: float | None) -> socket:
        context, plain = ssl.create_default_context(), self._connected(self.host, self.port)
        made = context.wrap_socket(plain, server_hostname=self.host, do_handshake_on_connect=False)
        self._watched.see(made)
        try:
            made.do_handshake()
        except OSError:
            made.close()
            raise
        return made


class _Watched:
    """The socket that is in use, so that it can be ended from elsewhere."""

    def __init__(self) -> None:
        self._socket: socket | None = None

    def see(self, made: socket) -> socket:
        """This one is in use now."""
        self._socket = made
        return made

    def end(self) -> None:
        """Whoever waits for it hears that it has ended."""
        with suppress(OSError):
            if self._socket is not None:
                self._socket.shutdown(SHUT_RDWR)


def _why(broken: Exception) -> NotFetched:
    if isinstance(broken, NotFetched):
        return broken
    if isinstance(broken, ssl.SSLError):
        why = f"its certificate is not trusted here ({broken.reason or broken})"
        return NotFetched("not_fetched", why)
    if isinstance(broken, OSError):
        return not_connected(broken)
    return NotFetched("not_fetched", "its server does not answer as IMAP does")


def encoded(name: str) -> str:
    """The name of a mail folder as IMAP writes it: UTF-7 of its own kind, RFC 3501, 5.1.3."""
    return re.sub(r"[^\x20-\x7e]+", _shifted, name.replace("&", "&-"))


def _shifted(signs: re.Match[str]) -> str:
    inner = b64encode(signs[0].encode("utf-16-be")).rstrip(b"=").replace(b"/", b",")
    return f"&{inner.decode()}-"


def _quoted(text: str) -> bytes:
    if re.search(r"[\0\r\n]", text):
        raise ValueError("a line break")
    return ('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"').encode()
