"""How this host reaches the engines of the configuration: their addresses, keys and clients.

The configuration says which engines there are; a host adds where it finds them. An address comes
from the environment, else from this host's docmill.toml, else from the configuration.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import httpx  # noqa: TID251  # the reading of addresses

from models.config import Config
from models.configuration import applied, own_config
from models.engines import EMBEDDED, FRONTIER, LOCAL, EmbeddedConfig, EngineConfig
from models.errors import ConfigError, NoKey
from models.settings import Settings, settings
from models.words import Zone
from worker.llm.batches import BatchApi
from worker.llm.engine import Engine
from worker.llm.faults import place
from worker.llm.kinds import KINDS, Kind, Reach
from worker.route import frontier_model
from worker.settings import secret_of


@dataclass(frozen=True, slots=True)
class Deployment:
    """One engine as this host reaches it."""

    name: str
    config: EngineConfig
    make: Callable[[], Engine]
    host: str
    """host:port that sees the prompts; part of the receipt."""
    make_batches: Callable[[], BatchApi] | None = None
    """Its provider's batch API, if there is one."""

    @property
    def kind(self) -> Kind:
        """What is to be known of its kind."""
        return KINDS[self.config.kind]

    @property
    def zone(self) -> Zone:
        """Where it stands."""
        return self.config.zone

    @property
    def stand_in(self) -> bool:
        """Whether the embedded model answers in place of a frontier model."""
        return self.config.stand_in

    @property
    def limited(self) -> bool:
        """Whether a rate limit that all processes share decides when calls go out: so it is with
        engines that are not one's own. A local engine has its slots."""
        return self.zone is Zone.FRONTIER and not self.stand_in


def deploy(name: str, config: Config, own: Config | None, around: Settings) -> Deployment:
    """An engine of the configuration as this host reaches it; `own` is this host's docmill.toml.

    Raises ConfigError, saying what this host lacks.
    """
    engine = config.engines[name]
    kind = KINDS[engine.kind]
    if not kind.has_address:
        make = partial(kind.make, engine, Reach("", None, around.home))
        return Deployment(name, engine, make, EMBEDDED)
    address = _address(name, engine, own, around)
    key = _key(name, engine, address)
    reach = Reach(kind.address(address), key, around.home)
    make, host = partial(kind.make, engine, reach), _host(name, reach.address)
    if engine.provider_batch is None or kind.make_batches is None:
        return Deployment(name, engine, make, host)
    return Deployment(name, engine, make, host, partial(kind.make_batches, engine, reach))


def _address(name: str, engine: EngineConfig, own: Config | None, around: Settings) -> str:
    named = {
        LOCAL: ("ollama", around.ollama_host),
        FRONTIER: ("openai", around.frontier_base_url),
    }
    kind, given = named.get(name, ("", None))
    mine = own.engines.get(name) if own is not None else None
    is_alike = mine is not None and mine.kind == engine.kind
    stated = mine.address if mine is not None and is_alike and mine.states_address else ""
    address = (given if given and kind == engine.kind else "") or stated or engine.address
    address = address or KINDS[engine.kind].default_address(engine)
    if not address:
        raise ConfigError(f"engines.{name}: kind {engine.kind} needs {engine.ADDRESS}")
    return address


def _key(name: str, engine: EngineConfig, address: str) -> str | None:
    """The key that an engine is sent; None: none. Raises NoKey where it cannot do without."""
    variables = _key_variables(name, engine)
    key = next(filter(None, map(secret_of, variables)), None)
    if key is not None:
        return key.get_secret_value()
    if engine.key_env is not None or (variables and KINDS[engine.kind].needs_key):
        raise NoKey(_no_key(name, engine, address, variables))
    return None


def _key_variables(name: str, engine: EngineConfig) -> tuple[str, ...]:
    """The variables that may hold the key of an engine. Those that nobody named for it hold the key
    of somebody outside: they go to nothing in the building, and to one provider alone."""
    if engine.key_env is not None:
        return (engine.key_env,)
    kind = KINDS[engine.kind]
    is_meant = name == FRONTIER or not kind.many_providers
    return kind.key_names if engine.zone is Zone.FRONTIER and is_meant else ()


def _no_key(name: str, engine: EngineConfig, address: str, variables: tuple[str, ...]) -> str:
    first, *others = variables
    also = f" (or {', or '.join(others)})" if others else ""
    named = f", or name another variable in engines.{name}.key_env" if not engine.key_env else ""
    said = f"engine {name} has no API key here for {place(address)}: set {first}{also}{named}"
    if name != FRONTIER:
        return said
    return (
        f"{said}. Without it, summary and reasoning jobs wait; --policy local-only runs them "
        "locally."
    )


def _host(name: str, address: str) -> str:
    """host:port of an address, without user and password. Raises ConfigError."""
    try:
        found = httpx.URL(address).netloc.decode()
    except (httpx.InvalidURL, ValueError):  # its message may repeat a part of the password
        found = ""
    if not found:
        raise ConfigError(f"engines.{name}: its address is no URL; write http://host:port")
    return found


def deployments(
    config: Config,
    zones: frozenset[Zone],
    own: Config | None,
    around: Settings,
    *,
    chosen: frozenset[str] = frozenset(),
) -> Mapping[str, Deployment | ConfigError]:
    """Every engine of these zones, or only the `chosen` ones of them: as it is reached from here,
    or why it is not. Raises ConfigError where one is chosen that there is not."""
    names = {name for name, engine in config.engines.items() if engine.zone in zones}
    if unknown := chosen - names:
        raise ConfigError(
            f"there is no engine {', '.join(sorted(unknown))} for this pool; there are: "
            f"{', '.join(sorted(names))}"
        )
    found: dict[str, Deployment | ConfigError] = {}
    for name in sorted(chosen or names):
        try:
            found[name] = deploy(name, config, own, around)
        except ConfigError as exc:
            found[name] = exc
    return found


def describe() -> dict[str, str | None]:
    """What this host would run, for the commands that start workers. Raises ConfigError.

    Keys: local (model and host), frontier (the same; None: cannot be run), problem (why not).
    """
    config = applied().config
    found = deployments(config, frozenset(Zone), own_config(), settings())
    chosen = config.classifier
    local, frontier = found[chosen.engine], found[FRONTIER]
    if isinstance(local, ConfigError):
        raise local
    where = f"{_served(local) or chosen.model} at {local.host}"
    if isinstance(frontier, ConfigError):
        return {"local": where, "frontier": None, "problem": str(frontier)}
    model = _served(frontier) or frontier_model(config)
    return {"local": where, "frontier": f"{model} at {frontier.host}", "problem": None}


def _served(deployment: Deployment) -> str | None:
    """What an embedded engine serves jobs with; None: it is none."""
    engine = deployment.config
    return engine.served if isinstance(engine, EmbeddedConfig) else None
