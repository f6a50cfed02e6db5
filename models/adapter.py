"""The adapter of the embedded model: a LoRA in GGUF that was trained for its prompts."""

import hashlib
from pathlib import Path

from models.errors import ConfigError

SHIPPED = Path(__file__).resolve().parents[1] / "worker" / "llm" / "embedded" / "adapter.gguf"
"""The one that comes with Docmill."""

MAGIC = b"GGUF"


def adapter_file(said: str | None) -> Path | None:
    """The file that `adapter` in docmill.toml stands for: a path, nothing for "", and where nothing
    is said the one that comes with Docmill, if it does. Raises ConfigError where it is no such
    file."""
    if said == "":
        return None
    if said is None:
        return SHIPPED if SHIPPED.exists() else None
    path = Path(said).expanduser().resolve()
    try:
        with path.open("rb") as file:
            begins = file.read(len(MAGIC))
    except OSError as exc:
        raise ConfigError(
            f'adapter: {path} cannot be read ({exc.strerror}); "" serves the model without one'
        ) from exc
    if begins != MAGIC:
        raise ConfigError(f"adapter: {path} is no GGUF file; `docmill tune train` writes one")
    return path


def adapter_digest(said: str | None) -> str:
    """SHA-256 of that file, in hex; empty where there is none. Raises ConfigError."""
    path = adapter_file(said)
    return "" if path is None else digest_of(path)


def digest_of(file: Path) -> str:
    """SHA-256 of an adapter's file, in hex. Raises OSError."""
    return hashlib.sha256(file.read_bytes()).hexdigest()
