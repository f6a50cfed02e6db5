"""The kinds of engines: how each is made, and what Docmill has to know of it besides.

A new kind is a folder beside this file, a row here and its table in models/engines.py.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from models.engines import EMBEDDED
from models.errors import ConfigError
from models.settings import KEY_NAMES
from models.words import Zone
from worker.llm.anthropic import KEY_NAME as ANTHROPIC_KEY
from worker.llm.bedrock import KEY_NAME as BEDROCK_KEY
from worker.llm.bedrock.engine import BedrockEngine, address_in, bearer
from worker.llm.embedded import server
from worker.llm.engine import Engine
from worker.llm.ollama.engine import OllamaEngine, base_url
from worker.llm.openai.engine import OpenAIEngine
from worker.llm.replicate import KEY_NAME as REPLICATE_KEY
from worker.llm.replicate.engine import ReplicateEngine


@dataclass(frozen=True, slots=True)
class Reach:
    """How this host reaches an engine."""

    address: str
    key: str | None
    home: Path
    """Docmill's own folder, where what comes with it runs."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of engine."""

    make: Callable[[Any, Reach], Engine]
    """From its table in docmill.toml."""
    address: Callable[[str], str] = str
    """An address as people write it, as the engine takes it. Raises ConfigError."""
    default_address: Callable[[Any], str] = lambda config: ""
    """Where an engine is that no address was given for, from its table; empty: nowhere. Raises
    ConfigError."""
    has_address: bool = True
    key_names: tuple[str, ...] = ()
    """The variables that usually hold its key; the first one that is set counts."""
    many_providers: bool = False
    """Whether many speak it: then those variables are for the engine called `frontier` alone."""
    needs_key: bool = False
    """Whether an engine for which these variables are cannot do without a key."""
    heeds_idempotency_keys: bool = True
    loads_models: bool = False
    """Whether it serves one model at a time well, and loses time when that changes."""
    is_probed: bool = True
    """Whether it is found out by asking what an engine in the building does with its models."""
    mend_missing: str = "choose a model that it offers"
    """What to do where it lacks a model."""


def _ollama(config: Any, reach: Reach) -> Engine:
    return OllamaEngine(reach.address, timeout_s=config.timeout_s, keep_alive=config.keep_alive)


def _openai(config: Any, reach: Reach) -> Engine:
    # What is in the building goes to its address, never through a proxy of the environment.
    proxied = config.zone is not Zone.LOCAL
    return OpenAIEngine(reach.address, reach.key, timeout_s=config.timeout_s, proxied=proxied)


def _anthropic(config: Any, reach: Reach) -> Engine:
    module = _module_of_extra("anthropic", "worker.llm.anthropic.engine")
    proxied = config.zone is not Zone.LOCAL
    made: Engine = module.AnthropicEngine(
        reach.address, reach.key, timeout_s=config.timeout_s, proxied=proxied
    )
    return made


def _before_version(address: str) -> str:
    """Anthropic's library puts /v1 behind an address; people know it from other kinds."""
    return address.rstrip("/").removesuffix("/v1")


def _bedrock(config: Any, reach: Reach) -> Engine:
    sign = bearer(reach.key) if reach.key else _signing().Signer(config.region, config.profile)
    return BedrockEngine(reach.address, sign, timeout_s=config.timeout_s)


def _bedrock_address(config: Any) -> str:
    return address_in(config.region or _signing().region_of(None, config.profile))


def _signing() -> ModuleType:
    return _module_of_extra("bedrock", "worker.llm.bedrock.signing")


def _replicate(config: Any, reach: Reach) -> Engine:
    return ReplicateEngine(
        reach.address,
        reach.key or "",
        timeout_s=config.timeout_s,
        cold_start_s=config.cold_start_s,
    )


def _embedded(config: Any, reach: Reach) -> Engine:
    url = server.attach_llama(reach.home)
    return OpenAIEngine(url, None, timeout_s=config.timeout_s, proxied=False)


def _module_of_extra(extra: str, module: str) -> ModuleType:
    """What needs a kind's own library, and is loaded where there is such an engine. Raises
    ConfigError where the library is missing."""
    try:
        return import_module(module)
    except ImportError as exc:
        said = f"engines of kind {extra} need a library that is not installed here"
        raise ConfigError(f"{said}: pip install 'docmill[{extra}]'") from exc


KINDS: Mapping[str, Kind] = {
    "ollama": Kind(
        _ollama,
        address=base_url,
        heeds_idempotency_keys=False,
        loads_models=True,
        mend_missing="run `ollama pull {model}` there",
    ),
    "openai": Kind(_openai, key_names=KEY_NAMES, many_providers=True, needs_key=True),
    "anthropic": Kind(
        _anthropic,
        address=_before_version,
        key_names=(ANTHROPIC_KEY,),
        needs_key=True,
        heeds_idempotency_keys=False,
    ),
    "bedrock": Kind(
        _bedrock,
        default_address=_bedrock_address,
        key_names=(BEDROCK_KEY,),
        heeds_idempotency_keys=False,
    ),
    "replicate": Kind(
        _replicate,
        key_names=(REPLICATE_KEY,),
        needs_key=True,
        heeds_idempotency_keys=False,
        mend_missing="name one as OWNER/NAME or OWNER/NAME:VERSION",
    ),
    EMBEDDED: Kind(_embedded, has_address=False, is_probed=False),
}
