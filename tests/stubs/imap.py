"""A mail server of others, pymap, over folders of this host; and one that answers from a script."""

import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from pysasl.hashing import BuiltinHash

from tests.waiting import wait_until

USER, PASSWORD = "ann@acme.example", 'sécret "word\\'


class MailServer:
    """pymap with one user. `port`: where it listens, without encryption."""

    def __init__(self, home: Path) -> None:
        self._home = home
        (home / "pymap-etc-passwd").write_text(f"{USER}:x::::ann:\n")
        hashed = BuiltinHash(rounds=1).hash(PASSWORD)
        (home / "pymap-etc-shadow").write_text(f"{USER}:{hashed}:::::::\n")
        self._folder("")
        self.port = _free_port()

    def _folder(self, name: str) -> Path:
        folder = self._home / "ann" / (f".{name}" if name else "")
        for part in ("cur", "new", "tmp"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / "maildirfolder").touch()
        return folder

    def deliver(self, mail: bytes, number: int, folder: str = "") -> Path:
        """A new message, which nobody has seen; messages are listed by number."""
        file = self._folder(folder) / "new" / f"17600000{number:02}.M{number}.host"
        file.write_bytes(mail)
        return file

    def number_anew(self) -> None:
        """Forget the numbers of messages: they get others, and another UIDVALIDITY."""
        for known in self._home.rglob("dovecot-uidlist"):
            known.unlink()

    def files(self) -> Mapping[Path, bytes]:
        """All messages as they lie there: their names hold their flags."""
        found = [path for path in self._home.rglob("*") if path.parent.name in ("new", "cur")]
        return {path: path.read_bytes() for path in found}

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let it listen."""
        command = [str(Path(sys.executable).with_name("pymap")), "--host", "127.0.0.1", "--port"]
        command += [str(self.port), "--no-service", "managesieve", "--no-service", "admin"]
        with subprocess.Popen([*command, "maildir", str(self._home)]) as process:
            try:
                wait_until(lambda: _answers(self.port), timeout=60, what="pymap listens")
                yield
            finally:
                process.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as client:
        return client.recv(4) == b"* OK"
    return False


class Script:
    """A server that answers each command by its first word; what is not in the script is OK.

    An answer is written as it stands, with {tag} for the command's; None hangs up.
    """

    def __init__(
        self, answers: Mapping[str, bytes | None], tls: ssl.SSLContext | None = None
    ) -> None:
        self.said: list[bytes] = []
        self._answers, self._tls = answers, tls
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])

    def __enter__(self) -> "Script":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), client:
            wrapped = self._tls.wrap_socket(client, server_side=True) if self._tls else client
            with wrapped, wrapped.makefile("rb") as lines:
                wrapped.sendall(b"* OK ready\r\n")
                for line in lines:
                    self.said.append(line)
                    tag, command, *_ = line.split()
                    answer = self._answers.get(command.decode(), _USUAL.get(command, b""))
                    if answer is None:
                        return
                    wrapped.sendall(answer.replace(b"{tag}", tag) + tag + b" OK done\r\n")


_USUAL = {
    b"CAPABILITY": b"* CAPABILITY IMAP4rev1\r\n",
    b"LIST": b'* LIST (\\Noselect) "." ""\r\n',
    b"EXAMINE": b"* 1 EXISTS\r\n* OK [UIDVALIDITY 7] era\r\n",
    b"FETCH": b"* 1 FETCH (UID 5 RFC822.SIZE 4)\r\n",
}
