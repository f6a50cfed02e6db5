"""docmill.toml as a file: read, checked, and what is wrong with it in plain lines."""

import tomllib
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from models.config import Config
from models.engines import KINDS, ModelLimits, Section
from models.errors import ConfigError

DEFAULT_NAME = "docmill.toml"


def load_config(path: Path) -> Config:
    """Read docmill.toml; a missing one is empty, but a missing file of another name is an error.

    Raises ConfigError naming the file, the key, what was found and what is allowed.
    """
    if not path.exists() and path.name != DEFAULT_NAME:
        raise ConfigError(f"{path}: there is no such file; DOCMILL_CONFIG names it")
    return checked_config(read_config(path) or {}, str(path))


def read_config(path: Path) -> dict[str, Any] | None:
    """What docmill.toml says, unchecked; None where there is none. Raises ConfigError where it
    cannot be read."""
    if not path.exists():
        return None
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise ConfigError(f"{path}: {exc}") from exc


def checked_config(raw: dict[str, Any], source: str) -> Config:
    """Check what `source` says. Raises ConfigError with a line for each problem."""
    try:
        return Config.model_validate(raw)
    except ValidationError as exc:
        raise ConfigError("\n".join(f"{source}: {line}" for line in explain(exc))) from exc


def explain(exc: ValidationError) -> list[str]:
    """One plain line per problem: the key, what is wrong and what is allowed."""
    return [_explained(error) for error in exc.errors()]


def _explained(error: Any) -> str:
    loc, section = _without_kind(error["loc"])
    where = ".".join(str(part) for part in loc if part != "[key]")
    if error["type"] == "extra_forbidden":
        return f"unknown key {where!r}; allowed here: {_allowed(loc, section)}"
    if error["type"] in ("union_tag_invalid", "union_tag_not_found"):
        found = f", found {error['ctx']['tag']!r}" if "tag" in error.get("ctx", {}) else ""
        return f"{where}.kind: must be one of {', '.join(KINDS)}{found}"
    if error["type"] == "value_error":
        said = str(error["ctx"]["error"])
        return said if where in said else f"{where}: {said}"
    found = "" if error["type"] == "missing" else f", found {error['input']!r:.200}"
    return f"{where}: {error['msg']}{found}"


def _without_kind(loc: tuple[Any, ...]) -> tuple[tuple[Any, ...], type[Section] | None]:
    """A place as docmill.toml has it, for an engine's kind stands between; and that kind's keys."""
    if loc[:1] != ("engines",) or len(loc) < 3 or loc[2] not in KINDS:
        return loc, None
    return (*loc[:2], *loc[3:]), KINDS[loc[2]]


def _section(annotation: Any) -> type[Section] | None:
    """The section that a key of docmill.toml holds, or a table of them; None: it holds a value."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    inner = (found for each in get_args(annotation) if (found := _section(each)) is not None)
    return next(inner, None)


_SECTIONS: dict[str, type[Section]] = {"engines.models": ModelLimits} | {
    name: section
    for name, field in Config.model_fields.items()
    if name != "engines" and (section := _section(field.annotation)) is not None
}
"""By the names of their tables, without those that the user gives."""


def _allowed(loc: tuple[Any, ...], engine: type[Section] | None) -> str:
    section = _SECTIONS.get(".".join(map(str, loc[:-1][::2])), engine or Config)
    names = (field.alias or name for name, field in section.model_fields.items())
    return ", ".join(names)
