"""How models of a family are prompted, by their names. The families are data: profiles.yaml."""

from collections.abc import Iterable, Mapping
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
    shots: int
    """How many of a prompt's own examples it shows; 0: none. An ask's are shown in any case."""

    @property
    def version(self) -> str:
        """Equal for profiles that make the same prompts."""
        return f"{self.system}{self.shots}"


@lru_cache(maxsize=256)
def profile_of(model: str, *, bare: bool = False) -> Profile:
    """The profile of a model. This is the one place that decides whether a prompt carries examples
    of its own: `bare`, it does not, whatever the family."""
    name = model.lower()
    families = (family for family, parts in _file()["models"].items() if _names(parts, name))
    found = profile(next(families, USUAL))
    return replace(found, shots=0) if bare else found


def _names(parts: Iterable[str], model: str) -> bool:
    return any(part in model for part in parts)


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
