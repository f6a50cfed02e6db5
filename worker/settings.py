"""What only the worker may know, and the constants of its timing."""

from functools import cache

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

LEASE_S = 15.0
"""How long a claim lasts without renewal. A killed worker's jobs are back in line after it."""

RENEW_S = 4.0
"""How often leases are renewed: three tries fit into one lease."""

CONTROL_S = 1.0
"""How often a worker looks whether a batch that it holds jobs of was paused or cancelled."""

GRACE_S = 30.0
"""How long running calls may go on after the first SIGTERM."""

MICRO_BATCH = 32
"""Most ids in one message and in one claim."""

MAX_KILLS = 10
"""Workers that may vanish under a job before it is quarantined; its engine runs elsewhere, so the
job is hardly ever the cause."""


class Secrets(BaseSettings):
    """API keys. They exist in worker processes only and print as stars."""

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True)

    frontier_api_key: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("FRONTIER_API_KEY", "AICREDITS_API_KEY", "OPENAI_API_KEY"),
    )


@cache
def secrets() -> Secrets:
    """This process's secrets."""
    return Secrets()
