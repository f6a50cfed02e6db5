"""What only the worker may know, and the constants of its timing."""

import os

from pydantic import SecretStr

LEASE_S = 15.0
"""How long a claim lasts without renewal. A killed worker's jobs are back in line after it."""

RENEW_S = 4.0
"""How often leases are renewed: three tries fit into one lease."""

CONTROL_S = 1.0
"""How often a worker looks whether a batch that it holds jobs of was paused or cancelled."""

TWIN_S = 0.3
"""After which what waits for another job's answer to the same question is looked at again."""

GRACE_S = 30.0
"""How long running calls may go on after the first SIGTERM."""

MICRO_BATCH = 32
"""Most documents or jobs in one claim."""

MAX_KILLS = 10
"""Workers that may vanish under a job before it is quarantined; its engine runs elsewhere, so the
job is hardly ever the cause."""

MAX_DOCUMENT_KILLS = 2
"""The same for a document, whose reader runs under the worker: it may well be the cause."""

PRESENCE_S = 2.0
"""How often a worker says that it lives, what it reaches and what it does not ask at present."""

SILENCE_S = 15.0
"""A worker that has said nothing for so long is gone."""


PURGED = 2_000
"""Jobs, or calls, of a purged batch that are taken away in one statement."""


def secret_of(name: str) -> SecretStr | None:
    """The key that a variable of this process's environment holds, if any. It prints as stars."""
    # Keys come out of files with a line break at their end.
    value = os.environ.get(name, "").strip()
    return SecretStr(value) if value else None
