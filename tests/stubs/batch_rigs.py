"""The provider batch APIs, each with its stub and its engine, for one conformance body."""

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.conftest import DUMMY_AWS
from tests.stubs.anthropic import AnthropicStub
from tests.stubs.batches import Batches
from tests.stubs.bedrock import BedrockStub
from tests.stubs.openai import OpenAIStub
from tests.stubs.server import Stub
from worker.llm.anthropic.batches import AnthropicBatches
from worker.llm.anthropic.engine import AnthropicEngine
from worker.llm.batches import BatchApi, Order, Progress, Reply
from worker.llm.bedrock.batches import BedrockBatches
from worker.llm.bedrock.engine import BedrockEngine
from worker.llm.bedrock.signing import Signer
from worker.llm.engine import Engine, Trouble
from worker.llm.openai.batches import OpenAIBatches, OpenRouterBatches
from worker.llm.openai.engine import OpenAIEngine

KEY = "sk-very-secret-0123456789"
MANY_LOOKS = 10

OPENAI_FAULTS = {
    Trouble.RATE_LIMITED: "429",
    Trouble.SERVER_ERROR: "500",
    Trouble.QUOTA: "quota",
    Trouble.AUTH: "401",
    Trouble.BAD_REQUEST: "400",
}
ANTHROPIC_FAULTS = {
    Trouble.RATE_LIMITED: "429",
    Trouble.SERVER_ERROR: "500",
    Trouble.QUOTA: "credit",
    Trouble.AUTH: "401",
    Trouble.BAD_REQUEST: "400",
}
BEDROCK_FAULTS = {
    Trouble.RATE_LIMITED: "throttled",
    Trouble.SERVER_ERROR: "500",
    Trouble.QUOTA: "daily",
    Trouble.AUTH: "expired",
    Trouble.BAD_REQUEST: "400",
}
ROLE = "arn:aws:iam::111122223333:role/docmill-batches"


def bedrock_batches(stub: Any, **options: Any) -> BatchApi:
    """What talks to the jobs and the S3 of a stub."""
    sign, sign_storage = (Signer("eu-west-1", None, name) for name in ("bedrock", "s3"))
    given = {"base": "s3://pile/docmill", "role": ROLE, **options}
    return BedrockBatches(stub.url, sign, stub.storage_url, sign_storage, **given)


@dataclass(frozen=True, slots=True)
class Provider:
    """A stub with a batch API, what talks to it, and in what it differs from the others."""

    stub: Callable[[], Stub]
    api: Callable[..., BatchApi]
    """From the stub and the options of the constructor."""
    engine: Callable[[Any], Engine]
    """What asks the same stub at once."""
    faults: Mapping[Trouble, str]
    """The names of the stub's faults that every operation may meet."""
    uploads: bool = True
    """Whether requests are handed in apart from the batch."""
    stops: bool = True
    """Whether a batch can be stopped."""
    knows_names: bool = True
    """Whether a batch keeps the name of its order."""
    refuses: bool = True
    """Whether a batch can be refused after it was taken."""
    bills_errors: bool = True
    """Whether a request that failed may be on the bill, as one that is made at once."""
    finds_names: bool = False
    """Whether its list of batches can be asked for a name."""
    secret: str = KEY
    """What goes along with every request, and must never be shown."""
    unread: frozenset[str] = frozenset({"cancel", "delete"})
    """The operations whose answers are not read."""
    fetches: int = 1
    """Requests on the wire that fetch the results where nothing failed."""
    deletes: int = 1
    """And those that delete all there is."""


PROVIDERS: Mapping[str, Provider] = {
    "openai": Provider(
        OpenAIStub,
        lambda stub, **options: OpenAIBatches(stub.base_url, KEY, **options),
        lambda stub: OpenAIEngine(stub.base_url, KEY),
        OPENAI_FAULTS,
        fetches=2,  # what the files are called is asked first
        deletes=3,
    ),
    "openrouter": Provider(
        lambda: OpenAIStub(batch_api="openrouter"),
        lambda stub, **options: OpenRouterBatches(stub.base_url, KEY, **options),
        lambda stub: OpenAIEngine(stub.base_url, KEY),
        OPENAI_FAULTS,
        uploads=False,
        stops=False,
        knows_names=False,
    ),
    "anthropic": Provider(
        AnthropicStub,
        lambda stub, **options: AnthropicBatches(stub.url, KEY, **options),
        lambda stub: AnthropicEngine(stub.url, KEY),
        ANTHROPIC_FAULTS,
        uploads=False,
        knows_names=False,
        refuses=False,
        bills_errors=False,
    ),
    "bedrock": Provider(
        BedrockStub,
        bedrock_batches,
        lambda stub: BedrockEngine(stub.url, Signer("eu-west-1", None)),
        BEDROCK_FAULTS,
        finds_names=True,
        secret=DUMMY_AWS["AWS_SESSION_TOKEN"],
        unread=frozenset({"upload", "cancel", "delete"}),
        fetches=2,  # where they are is asked first
        deletes=3,
    ),
}


@dataclass
class BatchRig:
    """A batch API, its stub, and the engine that asks the same stub at once."""

    api: BatchApi
    stub: Any
    engine: Engine
    provider: Provider
    upload: str = ""
    """How the provider calls what was handed in last."""

    @property
    def batches(self) -> Batches:
        """What the provider has."""
        made: Batches = self.stub.batches
        return made

    async def begin(self, order: Order) -> str:
        """Hand in an order and begin it."""
        return await self.api.create(order, await self.api.upload(order))

    def crowd(self, remote: str, count: int) -> None:
        """So many batches of one request each, begun after this one by others."""
        like = self.batches.all[remote]
        for place in range(count):
            called = f"other-{place}"
            about = {**like.about, "metadata": {"docmill": called}, "jobName": called}
            name = f"{remote}-other-{place}"
            self.batches.all[name] = replace(
                like, id=name, asked=like.asked[:1], about=about, told=[]
            )

    async def ended(self, remote: str) -> Progress:
        """Look at a batch until it has ended."""
        for _ in range(MANY_LOOKS):
            if (progress := await self.api.progress(remote)).ended:
                return progress
        raise AssertionError(f"not ended after {MANY_LOOKS} looks")

    async def replies(self, remote: str) -> dict[str, Reply]:
        """The replies of a batch that has ended, by the names of their requests."""
        return {reply.name: reply async for reply in self.api.results(remote)}

    async def found(self, order: Order) -> list[str]:
        """The batches that may be this order's, of the last minute."""
        return list(await self.api.find(order, datetime.now(UTC) - timedelta(minutes=1)))


@contextlib.asynccontextmanager
async def batch_rig(name: str, **options: Any) -> AsyncIterator[BatchRig]:
    """A running rig; `options` go to the constructor of the batch API."""
    provider = PROVIDERS[name]
    async with provider.stub() as stub:
        rig = BatchRig(provider.api(stub, **options), stub, provider.engine(stub), provider)
        try:
            yield rig
        finally:
            await rig.api.close()
            await rig.engine.close()
