"""The engines, each with the means to make it fail, for one conformance body."""

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.stubs.anthropic import AnthropicStub
from tests.stubs.bedrock import BedrockStub
from tests.stubs.fake import FakeEngine, Hang
from tests.stubs.ollama import OllamaStub
from tests.stubs.openai import OpenAIStub
from tests.stubs.replicate import ReplicateStub
from tests.stubs.server import Stub
from worker.llm.anthropic.engine import AnthropicEngine
from worker.llm.bedrock.engine import BedrockEngine
from worker.llm.bedrock.signing import Signer
from worker.llm.engine import Engine, EngineError, Trouble
from worker.llm.ollama.engine import OllamaEngine
from worker.llm.openai.engine import OpenAIEngine
from worker.llm.replicate.engine import ReplicateEngine

OPENAI_FAULTS = {
    Trouble.UNAVAILABLE: "loading",
    Trouble.RATE_LIMITED: "429",
    Trouble.SERVER_ERROR: "500",
    Trouble.QUOTA: "quota",
    Trouble.AUTH: "401",
    Trouble.MISCONFIGURED: "307",
    Trouble.MODEL_NOT_FOUND: "404",
    Trouble.MODEL_UNFIT: "max_tokens",
    Trouble.NO_MEMORY: "memory",
    Trouble.CONTEXT_EXCEEDED: "context",
    Trouble.BAD_REQUEST: "400",
    Trouble.CONTENT_FILTER: "filter",
}
OLLAMA_FAULTS = {
    Trouble.UNAVAILABLE: "503",
    Trouble.RATE_LIMITED: "429",
    Trouble.SERVER_ERROR: "500",
    Trouble.DIED: "died",
    Trouble.AUTH: "401",
    Trouble.MISCONFIGURED: "unknown_host",
    Trouble.MODEL_NOT_FOUND: "404",
    Trouble.MODEL_UNFIT: "no_chat",
    Trouble.NO_MEMORY: "memory",
    Trouble.CONTEXT_EXCEEDED: "context_text",
    Trouble.BAD_REQUEST: "400",
}
ANTHROPIC_FAULTS = {
    Trouble.UNAVAILABLE: "503",
    Trouble.RATE_LIMITED: "429",
    Trouble.SERVER_ERROR: "500",
    Trouble.QUOTA: "credit",
    Trouble.AUTH: "401",
    Trouble.MISCONFIGURED: "307",
    Trouble.MODEL_NOT_FOUND: "404",
    Trouble.MODEL_UNFIT: "max_tokens",
    Trouble.CONTEXT_EXCEEDED: "context",
    Trouble.BAD_REQUEST: "400",
    Trouble.CONTENT_FILTER: "filter",
}
BEDROCK_FAULTS = {
    Trouble.UNAVAILABLE: "not_ready",
    Trouble.RATE_LIMITED: "throttled",
    Trouble.SERVER_ERROR: "500",
    Trouble.QUOTA: "daily",
    Trouble.AUTH: "expired",
    Trouble.MISCONFIGURED: "wrong_service",
    Trouble.MODEL_NOT_FOUND: "no_access",
    Trouble.MODEL_UNFIT: "on_demand",
    Trouble.CONTEXT_EXCEEDED: "too_long",
    Trouble.BAD_REQUEST: "400",
    Trouble.CONTENT_FILTER: "filtered",
}
REPLICATE_FAULTS = {
    Trouble.UNAVAILABLE: "503",
    Trouble.RATE_LIMITED: "429",
    Trouble.SERVER_ERROR: "500",
    Trouble.QUOTA: "402",
    Trouble.AUTH: "401",
    Trouble.MISCONFIGURED: "307",
    Trouble.MODEL_NOT_FOUND: "404",
    Trouble.MODEL_UNFIT: "max_tokens",
    Trouble.NO_MEMORY: "memory",
    Trouble.CONTEXT_EXCEEDED: "too_long",
    Trouble.BAD_REQUEST: "422",
    Trouble.CONTENT_FILTER: "filter",
}


@dataclass(frozen=True, slots=True)
class Server:
    """A stub, the engine that talks to it, and the name of the stub's fault for each trouble."""

    stub: Callable[[], Stub]
    engine: Callable[..., Engine]
    """From the stub and the options of the engine's constructor."""
    faults: Mapping[Trouble, str]
    models: tuple[str, ...] = ("m",)
    """What the engine's health names."""


SERVERS: Mapping[str, Server] = {
    "ollama": Server(
        OllamaStub, lambda stub, **options: OllamaEngine(stub.url, **options), OLLAMA_FAULTS
    ),
    "openai": Server(
        OpenAIStub,
        lambda stub, **options: OpenAIEngine(stub.base_url, "sk-test", **options),
        OPENAI_FAULTS,
    ),
    "anthropic": Server(
        AnthropicStub,
        lambda stub, **options: AnthropicEngine(stub.url, "sk-test", **options),
        ANTHROPIC_FAULTS,
    ),
    "bedrock": Server(
        BedrockStub,
        lambda stub, **options: BedrockEngine(stub.url, Signer("eu-west-1", None), **options),
        BEDROCK_FAULTS,
        models=(),
    ),
    "replicate": Server(
        ReplicateStub,
        lambda stub, **options: ReplicateEngine(stub.base_url, "r8_test", **options),
        REPLICATE_FAULTS,
        models=(),
    ),
}
"""The kinds of rigs whose engine talks over the wire."""

REFUSALS = {
    **{kind: list(server.faults) for kind, server in SERVERS.items()},
    "fake": [trouble for trouble in Trouble if trouble is not Trouble.TIMEOUT],
}
"""The kinds of rigs, and what each can be made to refuse."""

MAY_BE_BILLED = {Trouble.SERVER_ERROR, Trouble.DIED, Trouble.CONTENT_FILTER}
"""Of these, where a model may have worked all the same."""


@dataclass
class StubRig:
    """An engine and the stub that it talks to."""

    engine: Engine
    stub: Stub
    server: Server

    @property
    def models(self) -> tuple[str, ...]:
        return self.server.models

    def meet(self, trouble: Trouble) -> None:
        self.stub.script.append(self.server.faults[trouble])

    def hang(self) -> None:
        self.stub.script.append("timeout")

    def hide_usage(self) -> None:
        self.stub.knobs.usage = False

    def in_flight(self) -> int:
        return self.stub.record.in_flight


@dataclass
class FakeRig:
    """The fake engine, which needs no server."""

    engine: FakeEngine
    models = ("m",)

    def meet(self, trouble: Trouble) -> None:
        billed = trouble in MAY_BE_BILLED
        wait = 0.1 if trouble is Trouble.RATE_LIMITED else None
        error = EngineError(trouble, "fake", retry_after_s=wait, maybe_billed=billed)
        self.engine.script.append(error)

    def hang(self) -> None:
        self.engine.script.append(Hang())

    def hide_usage(self) -> None:
        self.engine.reports_usage = False

    def in_flight(self) -> int:
        return self.engine.in_flight


@contextlib.asynccontextmanager
async def rig(kind: str, **options: Any) -> AsyncIterator[StubRig | FakeRig]:
    """A running rig; `options` go to the engine's constructor."""
    if kind == "fake":
        timeout_s = options.get("timeout_s", 600.0)
        yield FakeRig(FakeEngine(models=FakeRig.models, timeout_s=timeout_s))
        return
    server = SERVERS[kind]
    async with server.stub() as stub:
        made = StubRig(server.engine(stub, **options), stub, server)
        try:
            yield made
        finally:
            await made.engine.close()
