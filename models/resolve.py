"""What docmill.toml leaves open, decided: which engines answer at all. Pure.

Local engine: what docmill.toml or OLLAMA_HOST names; else what was decided before; else an Ollama
at its usual place; else the embedded model. Frontier engine: what docmill.toml, FRONTIER_BASE_URL
or a key stand for; where nothing at all is configured, the embedded model stands in.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from models.config import Config
from models.config_file import checked_config
from models.engines import (
    ADDRESSES,
    CLOUD,
    DEFAULT_FRONTIER_MODEL,
    EMBEDDED,
    EMBEDDED_CONTEXT_TOKENS,
    EMBEDDED_MAX_TOKENS,
    EMBEDDED_MODEL,
    EMBEDDED_SLOTS,
    FRONTIER,
    LOCAL,
    AnyEngineConfig,
    EmbeddedConfig,
    OllamaConfig,
    OpenAIConfig,
)
from models.errors import InputError
from models.words import TaskType

PROVIDER_BATCHES: Mapping[tuple[str, str], str] = {
    ("openai", "api.openai.com"): "openai",
    ("openai", "openrouter.ai"): "openrouter",
    ("anthropic", "api.anthropic.com"): "anthropic",
}
"""The batch APIs of providers, by an engine's kind and the host of its address."""

BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
"""What TOML takes as a key without quotes."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a process sees around it that speaks about engines."""

    ollama_host: str | None = None
    local_model: str | None = None
    """What the local engine runs where docmill.toml does not say."""
    frontier_base_url: str | None = None
    has_key: bool = False
    ollama_answers: Callable[[], bool] = lambda: False
    """Whether an Ollama answers at its usual place; asked only where nothing else decides."""
    has_embedded: Callable[[], bool] = lambda: False
    """Whether the embedded model is installed."""
    adapter_digest: Callable[[str | None], str] = lambda said: ""
    """SHA-256 of the adapter that the embedded model is to have, in hex; empty: none. Raises
    ConfigError."""


def resolve(file: Mapping[str, Any], around: Surroundings, known: Config | None) -> Config:
    """The configuration with nothing left open. `known` is what was decided before, if anything.

    Raises ConfigError, naming the key, what was found and what is allowed.
    """
    config = checked_config(_with_local_model(file, around), "docmill.toml")
    asked = file.get("engines", {})
    local = _local_engine(config, asked.get(LOCAL), around, known)
    local = local.model_copy(update={"model": config.engines[LOCAL].model})
    frontier = _frontier_engine(config, asked.get(FRONTIER), around, known, local)
    engines = {**config.engines, LOCAL: local, FRONTIER: frontier}
    engines = {
        name: _with_adapter(with_provider_batch(_without_account(one)), around)
        for name, one in engines.items()
    }
    return _with_embedded_models(config.model_copy(update={"engines": engines}))


def _with_local_model(file: Mapping[str, Any], around: Surroundings) -> dict[str, Any]:
    """With the model that the environment names, unless the file names one."""
    if around.local_model is None:
        return dict(file)
    engines = file.get("engines", {})
    local = {"model": around.local_model, **engines.get(LOCAL, {})}
    return {**file, "engines": {**engines, LOCAL: local}}


def _local_engine(
    config: Config, asked: Mapping[str, Any] | None, around: Surroundings, known: Config | None
) -> AnyEngineConfig:
    default = config.engines[LOCAL]
    if asked is not None:
        return _embedded(default) if default.kind == EMBEDDED else _at_host(default, asked, around)
    if around.ollama_host:
        return default.model_copy(update={"url": around.ollama_host})
    if known is not None:
        return known.engines[LOCAL]
    if not around.ollama_answers() and around.has_embedded():
        return _embedded(default)
    return default


def _at_host(
    engine: AnyEngineConfig, asked: Mapping[str, Any], around: Surroundings
) -> AnyEngineConfig:
    if isinstance(engine, OllamaConfig) and around.ollama_host and "url" not in asked:
        return engine.model_copy(update={"url": around.ollama_host})
    return engine


def _frontier_engine(
    config: Config,
    asked: Mapping[str, Any] | None,
    around: Surroundings,
    known: Config | None,
    local: AnyEngineConfig,
) -> AnyEngineConfig:
    default = config.engines[FRONTIER]
    is_openai = isinstance(default, OpenAIConfig)
    if around.frontier_base_url and is_openai and "base_url" not in (asked or {}):
        default = default.model_copy(update={"base_url": around.frontier_base_url})
    if asked is not None or around.frontier_base_url or around.has_key:
        return default
    if known is not None and not known.engines[FRONTIER].stand_in:
        return known.engines[FRONTIER]
    if not isinstance(local, EmbeddedConfig):
        return default
    return _embedded(default).model_copy(update={"adapter": local.adapter})


def _with_adapter(engine: AnyEngineConfig, around: Surroundings) -> AnyEngineConfig:
    """With the adapter that it is to have told apart from all others, as the file is now."""
    if not isinstance(engine, EmbeddedConfig):
        return engine
    return engine.model_copy(update={"adapter_digest": around.adapter_digest(engine.adapter)})


def _embedded(engine: AnyEngineConfig) -> EmbeddedConfig:
    """The embedded model in an engine's place; what the machine costs stays."""
    return EmbeddedConfig(
        zone=engine.zone,
        model=engine.model,
        slots=EMBEDDED_SLOTS,
        context_tokens=EMBEDDED_CONTEXT_TOKENS,
        short_answers=True,
        usd_per_hour=engine.usd_per_hour,
        adapter=engine.adapter if isinstance(engine, EmbeddedConfig) else None,
    )


def _with_embedded_models(config: Config) -> Config:
    """Whatever runs on an embedded engine runs on the model that it serves. What finds task types
    is the model without an adapter, which no adapter was trained for."""
    tasks = {}
    for task, chosen in config.tasks.items():
        kept = tuple(place for place in chosen.escalate if not _is_embedded(config, place))
        update: dict[str, Any] = {"escalate": kept}  # the same model would answer the same again
        engine = config.engines[chosen.engine]
        if isinstance(engine, EmbeddedConfig):
            update["model"] = engine.model_for(task)
            update["max_tokens"] = min(chosen.max_tokens, EMBEDDED_MAX_TOKENS[task])
        tasks[task] = chosen.model_copy(update=update)
    languages = {k: v for k, v in config.languages.items() if not _is_embedded(config, v.engine)}
    classifier = config.classifier
    if _is_embedded(config, classifier.engine):
        classifier = classifier.model_copy(update={"model": EMBEDDED_MODEL})
    named = {"tasks": tasks, "languages": languages, "classifier": classifier}
    return _with_compared_model(config, config.model_copy(update=named))


def _with_compared_model(before: Config, after: Config) -> Config:
    """A stand-in keeps the name of the model that it stands in for: savings are compared to it."""
    frontier = after.engines[FRONTIER]
    if not frontier.stand_in:
        return after
    named = (before.task(task) for task in (TaskType.REASONING, TaskType.SUMMARY))
    model = next((one.model for one in named if one.engine == FRONTIER), DEFAULT_FRONTIER_MODEL)
    engines = {**after.engines, FRONTIER: frontier.model_copy(update={"model": model})}
    return after.model_copy(update={"engines": engines})


def _is_embedded(config: Config, place: str) -> bool:
    return config.engines[place.partition("/")[0]].kind == EMBEDDED


def refuse_places(places: Iterable[str | None], config: Config) -> None:
    """Raises InputError where an ask cannot be answered by the ENGINE/MODEL that it names. Those
    that the configuration itself names are checked as it is read."""
    for place in places:
        if place is not None and (why := _refusal(place, config)) is not None:
            raise InputError(why)


def _refusal(place: str, config: Config) -> str | None:
    name, _, model = place.partition("/")
    engine = config.engines.get(name)
    if engine is None:
        known = ", ".join(sorted(config.engines))
        return f"{place}: there is no engine {name!r}; there are: {known}"
    if not model:
        return f"{place}: a model is named as ENGINE/MODEL"
    if isinstance(engine, EmbeddedConfig) and model not in engine.offered:
        offered = " and ".join(f"{name}/{one}" for one in engine.offered)
        return f"{place}: the embedded engine serves {offered}"
    if engine.kind == "ollama" and model.endswith(CLOUD):
        return (
            f"{place}: it runs on the maker's servers, not on this Ollama; choose a model that is "
            "pulled"
        )
    return None


def _without_account(engine: AnyEngineConfig) -> AnyEngineConfig:
    """Users and passwords in addresses are each host's own: they are kept in no table."""
    if engine.ADDRESS is None or "@" not in engine.address:
        return engine
    return engine.model_copy(update={engine.ADDRESS: bare(engine.address)})


def with_provider_batch(engine: AnyEngineConfig) -> AnyEngineConfig:
    """With its provider's batch API, where the address tells which one that is and nothing else is
    said."""
    if engine.provider_batch is not None:
        return engine
    try:
        host = urlsplit(engine.address).hostname
    except ValueError:  # what is no address is named by whoever takes it
        return engine
    known = PROVIDER_BATCHES.get((engine.kind, host or ""))
    return engine.model_copy(update={"provider_batch": known}) if known else engine


def bare(address: str) -> str:
    """An address without user and password. Any text will do.

    All up to the last @ goes, for a password may hold a / ? or #.
    """
    scheme = re.match(r"\w+://|", address)
    assert scheme is not None
    return scheme[0] + address.removeprefix(scheme[0]).rpartition("@")[2]


@dataclass(frozen=True, slots=True)
class Difference:
    """A key that two configurations say differently; None: not at all."""

    key: str
    here: Any
    there: Any

    def __str__(self) -> str:
        return f"{self.key}: {_said(self.here)} here, {_said(self.there)} there"


def _said(value: Any) -> str:
    return "nothing" if value is None else str(value)


def differences(here: Config, there: Config, file: Mapping[str, Any]) -> list[Difference]:
    """What differs, key by key, in the order of their names.

    Where an engine is found is each host's own: it makes a difference only where `file` says it.
    How a host shows money makes none.
    """
    mine, theirs = (
        {key: value for key, value in leaves(as_json(one)) if key.partition(".")[0] != "display"}
        for one in (here, there)
    )
    asked = file.get("engines", {})
    return [
        Difference(key, mine.get(key), theirs.get(key))
        for key in sorted(mine.keys() | theirs.keys())
        if mine.get(key) != theirs.get(key) and not _own_address(key, here, there, asked)
    ]


def _own_address(
    key: str, here: Config, there: Config, asked: Mapping[str, Mapping[str, Any]]
) -> bool:
    """Whether it is about where an engine is found, or follows from that."""
    section, _, rest = key.partition(".")
    name, _, field = rest.rpartition(".")
    mine, theirs = here.engines.get(name), there.engines.get(name)
    if section != "engines" or mine is None or theirs is None or mine.kind != theirs.kind:
        return False
    said = asked.get(name, {})
    if field == "provider_batch":
        own = mine.ADDRESS not in said and mine.address != theirs.address
    else:
        own = field in ADDRESSES
    return own and field not in said


def as_json(config: Config) -> dict[str, Any]:
    """The configuration as Postgres holds it; `Config.model_validate` reads it back."""
    return config.model_dump(mode="json", by_alias=True)


def shareable(file: Mapping[str, Any]) -> dict[str, Any]:
    """What docmill.toml says, as JSON, without the users and passwords of addresses."""
    plain: dict[str, Any] = json.loads(json.dumps(file, default=str))
    for engine in plain.get("engines", {}).values():
        engine.update({key: bare(engine[key]) for key in ADDRESSES if key in engine})
    return plain


def leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """What a configuration as JSON says, key by key; keys as TOML spells them."""
    if isinstance(value, dict) and value:
        for name, item in value.items():
            spelt = name if BARE_KEY.fullmatch(name) else json.dumps(name, ensure_ascii=False)
            yield from leaves(item, f"{key}.{spelt}" if key else spelt)
    elif value not in ({}, [], None):
        yield key, value
