"""The environment, read once per process into one typed object.

Secrets are not here: API keys exist only in the worker (worker/settings.py). What everybody may
know is whether there is one. Nothing here needs pydantic: every command would wait for its import.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

KEY_NAMES = ("FRONTIER_API_KEY", "AICREDITS_API_KEY", "OPENAI_API_KEY")
"""The variables that may hold the frontier engine's API key, the first one that is set."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where things are. Everything has a default; unset services are embedded."""

    database_url: str | None = None
    redis_url: str | None = None
    ollama_host: str | None = None
    docmill_local_model: str | None = None
    frontier_base_url: str | None = None
    docmill_config: Path = Path("docmill.toml")
    docmill_home: Path = Path(".docmill")
    has_key: bool = False
    """Whether there is an API key for the frontier engine."""

    @property
    def home(self) -> Path:
        """The folder of embedded data and of the journals, absolute."""
        return self.docmill_home.absolute()


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings in these variables; one that is empty counts as not set."""
    # Addresses come out of files with a line break at their end.
    given = {name: value.strip() for name, value in environment.items()}
    defaults = Settings()
    return Settings(
        database_url=given.get("DATABASE_URL") or None,
        redis_url=given.get("REDIS_URL") or None,
        ollama_host=given.get("OLLAMA_HOST") or None,
        docmill_local_model=given.get("DOCMILL_LOCAL_MODEL") or None,
        frontier_base_url=given.get("FRONTIER_BASE_URL") or None,
        docmill_config=Path(given.get("DOCMILL_CONFIG") or defaults.docmill_config),
        docmill_home=Path(given.get("DOCMILL_HOME") or defaults.docmill_home),
        has_key=any(given.get(name) for name in KEY_NAMES),
    )


@cache
def settings() -> Settings:
    """This process's settings."""
    return read_settings(os.environ)
