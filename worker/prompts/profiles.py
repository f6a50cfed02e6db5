"""How models of a family are prompted, by their names. The families are data: profiles.yaml."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from importlib import resources
from typing import Any, Literal

import yaml

USUAL = "instruct"


@dataclass(frozen=True, slots=True)
class Profile:
    """What a prompt is like for a family of models."""

    name: str
    system: Literal["own", "request"]
    """Whether its rules are a message of their own, or stand in the first user's words."""
    shots: bool
    """Whether it shows the prompt's own examples. An ask's are shown in any case."""

    @property
    def version(self) -> str:
        """Equal for profiles that make the same prompts."""
        return f"{self.system[0]}{self.shots:d}"


@lru_cache(maxsize=256)
def profile_of(model: str, *, examples: bool = True) -> Profile:
    """The profile of a model. This is the one place that decides whether a prompt carries examples
    of its own: not for a family that does worse with them, nor where its engine says that the model
    was tuned without (`examples`)."""
    name = model.lower()
    families = _file()["models"].items()
    found = (family for family, parts in families if any(part in name for part in parts))
    chosen = profile(next(found, USUAL))
    return chosen if examples else replace(chosen, shots=False)


@cache
def profile(name: str) -> Profile:
    """The profile of a family."""
    return Profile(name, **_file()["profiles"][name])


@cache
def _file() -> Mapping[str, Mapping[str, Any]]:
    found: Mapping[str, Mapping[str, Any]] = yaml.safe_load(
        resources.files(__package__).joinpath("profiles.yaml").read_bytes()
    )
    return found
