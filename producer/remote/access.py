"""How servers of documents may be asked, and by whom. No password is stored or shown."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from models.config import SourcesConfig
from models.errors import InputError

MayReach = Callable[[str], bool]
"""Whether a socket may be connected to an IP address."""

PASSWORD_NAME = "DOCMILL_SOURCE_PASSWORD"  # noqa: S105 - the name of a variable
SAY_WHO = (
    f"name who asks in the address (SCHEME://USER@HOST/...) and the password in {PASSWORD_NAME} "
    "or --source-password-file"
)


@dataclass(frozen=True, slots=True)
class Access:
    """How servers may be asked. `password`: for those that want one, "" for none; `may_reach`:
    None for the rule of docmill.toml."""

    config: SourcesConfig
    password: str = field(default="", repr=False)
    may_reach: MayReach | None = None


def source_password(file: Path | None) -> str:
    """The password for servers of documents: the first line of a file, else the variable's; "" for
    none. Raises InputError."""
    if file is None:
        return os.environ.get(PASSWORD_NAME, "")
    try:
        with file.open(encoding="utf-8-sig") as lines:
            found = lines.readline(10_000).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else "not text in UTF-8"
        raise InputError(f"{file}: the password cannot be read: {why}") from exc
    if not found:
        raise InputError(f"{file}: its first line holds no password")
    return found
