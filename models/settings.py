"""The environment, read once per process into one typed object.

Secrets are not here: API keys exist only in the worker (worker/settings.py).
"""

from functools import cache
from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Where things are. Everything has a default; unset services are embedded."""

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True)

    database_url: str | None = None
    redis_url: str | None = None
    ollama_host: str | None = None
    frontier_base_url: str | None = None
    docmill_config: Path = Path("docmill.toml")
    docmill_home: Path = Path(".docmill")

    @property
    def home(self) -> Path:
        """The folder of embedded data and of the journals, absolute."""
        return self.docmill_home.absolute()


@cache
def settings() -> Settings:
    """This process's settings."""
    return Settings()
