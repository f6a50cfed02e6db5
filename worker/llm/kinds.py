"""The kinds of engines: how each is made, and what Docmill has to know of it besides.

A new kind is a folder beside this file, a row here and its table in models/engines.py.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from models.adapter import adapter_file
from models.engines import EMBEDDED, STAND_IN
from models.errors import ConfigError
from models.settings import KEY_NAMES
from models.words import Zone
from worker.llm.anthropic import KEY_NAME as ANTHROPIC_KEY
from worker.llm.anthropic.dialect import Dialect as AnthropicDialect
from worker.llm.batches import BatchApi
from worker.llm.bedrock import KEY_NAME as BEDROCK_KEY
from worker.llm.bedrock.batches import BedrockBatches
from worker.llm.bedrock.dialect import Dialect as BedrockDialect
from worker.llm.bedrock.engine import BedrockEngine, address_in, bearer
from worker.llm.embedded import server
from worker.llm.embedded.engine import EmbeddedEngine
from worker.llm.engine import Engine
from worker.llm.ollama.engine import OllamaEngine, base_url
from worker.llm.openai.batches import OpenAIBatches, OpenRouterBatches
from worker.llm.openai.dialect import Dialect as OpenAIDialect
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
    names_weights: bool = False
    """Whether it says which weights it has, with every model that it lists."""
    mend_missing: str = "choose a model that it offers"
    """What to do where it lacks a model."""
    make_batches: Callable[[Any, Reach], BatchApi] | None = None
    """Its provider's batch API, for tables that say provider_batch."""


_Dialect = TypeVar("_Dialect")
_LEARNT: dict[tuple[type, str], Any] = {}


def _learnt(dialect: type[_Dialect], address: str, **options: bool) -> _Dialect:
    """What is known of the models at an address. A batch goes by what calls have learnt there: all
    of it fails where a field is not known, and says so after hours."""
    found: _Dialect = _LEARNT.setdefault((dialect, address), dialect(**options))
    return found


def _ollama(config: Any, reach: Reach) -> Engine:
    return OllamaEngine(reach.address, timeout_s=config.timeout_s, keep_alive=config.keep_alive)


def _openai(config: Any, reach: Reach) -> Engine:
    return OpenAIEngine(reach.address, reach.key, **_openai_options(config, reach))


def _openai_batches(config: Any, reach: Reach) -> BatchApi:
    make = OpenRouterBatches if config.provider_batch == "openrouter" else OpenAIBatches
    return make(reach.address, reach.key, **_openai_options(config, reach))


def _openai_options(config: Any, reach: Reach) -> dict[str, Any]:
    # What is in the building goes to its address, never through a proxy of the environment.
    proxied = config.zone is not Zone.LOCAL
    dialect = _learnt(OpenAIDialect, reach.address, seeds=not proxied)
    return {"timeout_s": config.timeout_s, "proxied": proxied, "dialect": dialect}


def _anthropic(config: Any, reach: Reach) -> Engine:
    module = _module_of_extra("anthropic", "worker.llm.anthropic.engine")
    made: Engine = module.AnthropicEngine(
        reach.address, reach.key, **_anthropic_options(config, reach)
    )
    return made


def _anthropic_batches(config: Any, reach: Reach) -> BatchApi:
    module = _module_of_extra("anthropic", "worker.llm.anthropic.batches")
    made: BatchApi = module.AnthropicBatches(
        reach.address, reach.key, **_anthropic_options(config, reach)
    )
    return made


def _anthropic_options(config: Any, reach: Reach) -> dict[str, Any]:
    proxied, dialect = config.zone is not Zone.LOCAL, _learnt(AnthropicDialect, reach.address)
    return {"timeout_s": config.timeout_s, "proxied": proxied, "dialect": dialect}


def _before_version(address: str) -> str:
    """Anthropic's library puts /v1 behind an address; people know it from other kinds."""
    return address.rstrip("/").removesuffix("/v1")


def _bedrock(config: Any, reach: Reach) -> Engine:
    sign = bearer(reach.key) if reach.key else _signing().Signer(config.region, config.profile)
    dialect = _learnt(BedrockDialect, reach.address)
    return BedrockEngine(reach.address, sign, timeout_s=config.timeout_s, dialect=dialect)


def _bedrock_batches(config: Any, reach: Reach) -> BatchApi:
    # An API key of Bedrock's own opens no S3: AWS's chain of credentials signs here.
    signing = _signing()
    region = signing.region_of(config.region, config.profile)
    return BedrockBatches(
        signing.endpoint("bedrock", region, config.profile),
        signing.Signer(region, config.profile, "bedrock"),
        signing.endpoint("s3", region, config.profile),
        signing.Signer(region, config.profile, "s3"),
        base=config.batch_s3,
        role=config.batch_role,
        timeout_s=config.timeout_s,
        dialect=_learnt(BedrockDialect, reach.address),
    )


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
    adapter = adapter_file(config.adapter) if config.adapter_digest else None
    url = server.attach_llama(reach.home, adapter, config.adapter_digest)
    models = tuple(name.removeprefix(STAND_IN) for name in config.offered)
    return EmbeddedEngine(url, timeout_s=config.timeout_s, models=models)


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
        names_weights=True,
        mend_missing="run `ollama pull {model}` there",
    ),
    "openai": Kind(
        _openai,
        key_names=KEY_NAMES,
        many_providers=True,
        needs_key=True,
        make_batches=_openai_batches,
    ),
    "anthropic": Kind(
        _anthropic,
        address=_before_version,
        key_names=(ANTHROPIC_KEY,),
        needs_key=True,
        heeds_idempotency_keys=False,
        make_batches=_anthropic_batches,
    ),
    "bedrock": Kind(
        _bedrock,
        default_address=_bedrock_address,
        key_names=(BEDROCK_KEY,),
        heeds_idempotency_keys=False,
        make_batches=_bedrock_batches,
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
