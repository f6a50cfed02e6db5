"""What this host really runs: the config, the environment and what answers, made into engines.

Local engine: what docmill.toml or OLLAMA_HOST names; else an Ollama at its usual place; else the
embedded model. Frontier engine: what docmill.toml or FRONTIER_BASE_URL names, with its key; where
nothing at all is configured, the embedded model stands in and every row says so.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx  # noqa: TID251  # one probe, before there is an engine, and the reading of addresses

from models.config import (
    DEFAULT_OLLAMA_URL,
    ClassifierConfig,
    Config,
    EngineConfig,
    TaskConfig,
    load_config,
)
from models.errors import ConfigError
from models.settings import Settings, settings
from models.words import TaskType, Tier
from worker.llm.embedded import server as embedded
from worker.llm.engine import Engine
from worker.llm.faults import place
from worker.llm.ollama.engine import OllamaEngine, base_url
from worker.llm.openai.engine import OpenAIEngine
from worker.route import frontier_model
from worker.settings import Secrets, secrets

STAND_IN = "stand-in/"
"""In front of the model_name wherever the embedded model serves the frontier queue."""

KEY_NAMES = "FRONTIER_API_KEY (or AICREDITS_API_KEY, or OPENAI_API_KEY)"

EMBEDDED_MAX_TOKENS = {
    TaskType.EXTRACTION: 192,
    TaskType.CLASSIFICATION: 48,
    TaskType.SIMPLE_CODE: 224,
    TaskType.SUMMARY: 224,
    TaskType.REASONING: 256,
}
"""A 270M model has said what it has to say by then."""


@dataclass(frozen=True, slots=True)
class EngineSite:
    """One engine as this host reaches it."""

    tier: Tier
    config: EngineConfig
    make: Callable[[], Engine]
    host: str
    """host:port that sees the prompts; part of the receipt."""
    stand_in: bool = False


@dataclass(frozen=True, slots=True)
class Site:
    """The config with every open question answered, and its engines."""

    config: Config
    local: EngineSite
    frontier: EngineSite | ConfigError
    """The error says what the frontier pool lacks."""
    frontier_model: str
    """What savings are compared to: the config's own choice, also where a stand-in serves."""

    def engine(self, tier: Tier) -> EngineSite:
        """The engine of a tier. Raises ConfigError where it cannot be run."""
        site = self.local if tier is Tier.LOCAL else self.frontier
        if isinstance(site, ConfigError):
            raise site
        return site


def find_site(config: Config, settings: Settings, secrets: Secrets) -> Site:
    """Decide which engines this host uses; starts the embedded model when it is needed."""
    if _wants_embedded(config, settings):
        return _embedded_site(config, settings, secrets)
    local = _ollama_or_openai(Tier.LOCAL, _local_config(config, settings), None)
    frontier = _frontier(config, settings, secrets)
    return Site(config, local, frontier, frontier_model(config))


def _wants_embedded(config: Config, settings: Settings) -> bool:
    if settings.ollama_host or Tier.LOCAL in config.configured:
        return False
    return not _answers(DEFAULT_OLLAMA_URL) and _embedded_installed()


def _embedded_installed() -> bool:
    try:
        embedded.SERVER.check()
    except ConfigError:
        return False
    return True


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/api/version", timeout=1.0, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def _local_config(config: Config, settings: Settings) -> EngineConfig:
    chosen = config.engines[Tier.LOCAL]
    if chosen.kind == "ollama" and settings.ollama_host:
        return chosen.model_copy(update={"url": base_url(settings.ollama_host)})
    return chosen


def _embedded_site(config: Config, settings: Settings, secrets: Secrets) -> Site:
    url = embedded.attach_llama(settings.home)
    engine = EngineConfig(
        kind="openai",
        base_url=url,
        slots=embedded.SLOTS,
        context_tokens=embedded.CONTEXT_TOKENS,
        short_answers=True,
        usd_per_hour=config.engines[Tier.LOCAL].usd_per_hour,
    )
    local = _embedded_engine(Tier.LOCAL, engine, settings.home)
    frontier = _frontier(config, settings, secrets)
    if isinstance(frontier, ConfigError) and _nothing_asked(config, settings):
        frontier = _embedded_engine(Tier.FRONTIER, engine, settings.home)
    stand_in = isinstance(frontier, EngineSite) and frontier.stand_in
    resolved = _with_embedded_models(config, stand_in=stand_in)
    return Site(resolved, local, frontier, frontier_model(config))


def _embedded_engine(tier: Tier, config: EngineConfig, home: Path) -> EngineSite:
    def make() -> Engine:
        url = embedded.attach_llama(home)
        return OpenAIEngine(url, None, timeout_s=config.timeout_s, proxied=False)

    return EngineSite(tier, config, make, "embedded", stand_in=tier is Tier.FRONTIER)


def _nothing_asked(config: Config, settings: Settings) -> bool:
    return Tier.FRONTIER not in config.configured and not settings.frontier_base_url


def _with_embedded_models(config: Config, *, stand_in: bool) -> Config:
    """Every local task on the embedded model; frontier tasks too where it stands in."""

    def task(kind: TaskType, chosen: TaskConfig) -> TaskConfig:
        if chosen.engine is Tier.FRONTIER and not stand_in:
            return chosen
        prefix = STAND_IN if chosen.engine is Tier.FRONTIER else ""
        update = {
            "model": prefix + embedded.MODEL_NAME,
            "max_tokens": min(chosen.max_tokens, EMBEDDED_MAX_TOKENS[kind]),
        }
        if stand_in:
            update["escalate"] = None  # the same model would answer the same again
        return chosen.model_copy(update=update)

    return config.model_copy(
        update={
            "tasks": {kind: task(kind, chosen) for kind, chosen in config.tasks.items()},
            "classifier": ClassifierConfig(model=embedded.MODEL_NAME),
            "languages": {},
        }
    )


def _frontier(config: Config, settings: Settings, secrets: Secrets) -> EngineSite | ConfigError:
    chosen = config.engines[Tier.FRONTIER]
    if chosen.kind == "openai" and settings.frontier_base_url:
        chosen = chosen.model_copy(update={"base_url": settings.frontier_base_url})
    key = secrets.frontier_api_key
    if chosen.kind == "openai" and key is None:
        return ConfigError(
            f"the frontier pool has no API key for {place(chosen.address)}: set {KEY_NAMES}. "
            "Without it, summary and reasoning jobs wait; --policy local-only runs them locally."
        )
    return _ollama_or_openai(
        Tier.FRONTIER, chosen, key.get_secret_value() if key is not None else None
    )


def _ollama_or_openai(tier: Tier, config: EngineConfig, key: str | None) -> EngineSite:
    address = base_url(config.address) if config.kind == "ollama" else config.address
    if not address:
        field = "url" if config.kind == "ollama" else "base_url"
        raise ConfigError(f"engines.{tier}: kind {config.kind} needs {field}")

    def make() -> Engine:
        if config.kind == "ollama":
            return OllamaEngine(address, timeout_s=config.timeout_s, keep_alive=config.keep_alive)
        # What runs locally goes to its address, never through a proxy that the environment names.
        proxied = tier is Tier.FRONTIER
        return OpenAIEngine(address, key, timeout_s=config.timeout_s, proxied=proxied)

    return EngineSite(tier, config, make, _host(tier, address))


def _host(tier: Tier, address: str) -> str:
    """host:port of an address, without user and password. Raises ConfigError."""
    try:
        found = httpx.URL(address).netloc.decode()
    except (httpx.InvalidURL, ValueError):  # its message may repeat a part of the password
        found = ""
    if not found:
        raise ConfigError(f"engines.{tier}: its address is no URL; write http://host:port")
    return found


def describe() -> dict[str, str | None]:
    """What this host would run, for the commands that start workers. Raises ConfigError.

    Keys: local (model and host), frontier (the same; None: cannot be run), problem (why not).
    """
    site = find_site(load_config(settings().docmill_config), settings(), secrets())
    local = f"{site.config.classifier.model} at {site.local.host}"
    if isinstance(site.frontier, ConfigError):
        return {"local": local, "frontier": None, "problem": str(site.frontier)}
    frontier = f"{frontier_model(site.config)} at {site.frontier.host}"
    return {"local": local, "frontier": frontier, "problem": None}
