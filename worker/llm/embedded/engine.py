"""The embedded model as an engine: one server answers as the bare model and as the tuned one.

llama.cpp speaks the OpenAI protocol. Which of the two is asked stands in each request, as the
strength of the adapter: a server that has none takes no notice.
"""

from dataclasses import replace
from typing import Any

from models.engines import is_tuned
from worker.llm.embedded.choice import choice
from worker.llm.embedded.weigher import Weigher
from worker.llm.engine import Completion, Health, Request
from worker.llm.openai.dialect import Dialect
from worker.llm.openai.engine import OpenAIEngine


class EmbeddedEngine(OpenAIEngine):
    """The server at `base_url`, which offers these models; of it is kept what labels weigh for
    ordinary texts. Raises as OpenAIEngine does."""

    def __init__(self, base_url: str, *, timeout_s: float, models: tuple[str, ...]) -> None:
        dialect = EmbeddedDialect(seeds=True)
        super().__init__(base_url, None, timeout_s=timeout_s, proxied=False, dialect=dialect)
        self._offered = models
        self._weigher = Weigher(self._client, timeout_s)

    async def complete(self, request: Request) -> Completion:
        """Answer one prompt; a label is weighed where that can be. Raises EngineError. The server
        names its file, whichever was asked."""
        asked = choice(request)
        completion = (
            await super().complete(request)
            if asked is None
            else await self._weigher.chosen(asked, request.text)
        )
        return replace(completion, model_answered=request.model_name)

    async def health(self) -> Health:
        """Whether it answers; never raises. The server lists its file, not what it makes of it."""
        health = await super().health()
        if not health.ok:
            return health
        said = f"answers as {' and '.join(self._offered)}"
        return replace(health, detail=said, models=self._offered)


class EmbeddedDialect(Dialect):
    """Chat completions that say whether the adapter takes part."""

    def body(self, request: Request) -> dict[str, Any]:
        """The body of a request, in the words of the SDK."""
        adapters = [{"id": 0, "scale": 1.0 if is_tuned(request.model_name) else 0.0}]
        return {**super().body(request), "extra_body": {"lora": adapters}}
