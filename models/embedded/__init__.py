"""Postgres and Valkey without installing anything: started on demand, gone with their last user.

A process *attaches* to a server of a home folder and is its user until the process ends, whatever
way it ends. Each server has one guardian process (`guard.py`), which starts it, starts it again
when it dies, and stops it after its last user. Attach again for the current URL at any time.
"""

from pathlib import Path

from models.embedded import postgres, valkey
from models.embedded.attach import attach

__all__ = ["attach", "attach_postgres", "attach_valkey"]


def attach_postgres(home: Path) -> str:
    """Start or share the embedded Postgres of `home`, for the rest of this process's life.

    Returns `postgresql://docmill@/docmill?host=FOLDER&port=5432`. Raises ConfigError when it is
    not installed or `home` cannot be used, ServiceAway when it does not answer within 120 s.
    """
    return attach(postgres.SERVER, home)


def attach_valkey(home: Path) -> str:
    """Start or share the embedded Valkey of `home`, for the rest of this process's life.

    Returns `unix:///PATH/valkey.sock?db=0`. Raises ConfigError when it is not installed or `home`
    cannot be used, ServiceAway when it does not answer within 60 s.
    """
    return attach(valkey.SERVER, home)
