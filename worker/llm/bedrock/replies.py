"""What Converse's answers mean. Pure: a reply in, a Completion or an EngineError out.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from collections.abc import Mapping
from typing import Any

from worker.llm.bodies import broken, object_in
from worker.llm.counts import MOST_TOKENS, count, seconds
from worker.llm.engine import Completion, Finish, Usage

CHECK = "check region and endpoint_url"
"""What to do where it is no Bedrock that answered."""

_FINISH = {
    "max_tokens": Finish.LENGTH,
    "model_context_window_exceeded": Finish.LENGTH,
    "guardrail_intervened": Finish.CONTENT_FILTER,
    "content_filtered": Finish.CONTENT_FILTER,
}
"""Any other reason counts as finished: the answer is checked later anyway."""


def completion(content: bytes, model: str, latency_ms: int, where: str) -> Completion:
    """The Completion of a reply from `model`. Raises EngineError where it holds none."""
    return completion_in(object_in(content, where, check=CHECK), model, latency_ms, where)


def completion_in(reply: Mapping[str, Any], model: str, latency_ms: int, where: str) -> Completion:
    """The same of a reply's JSON."""
    usage = _usage(_object(reply.get("usage")))
    message = _object(reply.get("output")).get("message")
    if not isinstance(message, dict):
        raise broken("the answer holds no message", where, usage)
    return Completion(
        text=_text(message.get("content")),
        finish=_FINISH.get(str(reply.get("stopReason")), Finish.STOP),
        latency_ms=latency_ms,
        usage=usage,
        model_answered=_model(reply) or model,
        engine_seconds=seconds(_object(reply.get("metrics")).get("latencyMs"), 1000),
    )


def _text(content: object) -> str:
    """The text of an answer, without what was reasoned before it."""
    parts = content if isinstance(content, list) else []
    texts = (_object(part).get("text") for part in parts)
    return "".join(text for text in texts if isinstance(text, str))


def _usage(stated: Mapping[str, Any]) -> Usage:
    """Cached tokens are counted beside the others
    (https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html), unless the total
    says that they are not."""
    read, written = count(stated.get("inputTokens")), count(stated.get("outputTokens"))
    cached = count(stated.get("cacheReadInputTokens"))
    stored = count(stated.get("cacheWriteInputTokens"))
    beside = (cached or 0) + (stored or 0)
    if read is not None and stated.get("totalTokens") != read + (written or 0):
        read += beside
    return Usage(
        input_tokens=None if read is None or read > MOST_TOKENS else read,
        cached_tokens=cached,
        output_tokens=written,
        cache_written_tokens=stored,
    )


def _model(reply: Mapping[str, Any]) -> str | None:
    """The model that a prompt router chose; a reply names no other, for its address does."""
    router = _object(_object(reply.get("trace")).get("promptRouter"))
    invoked = router.get("invokedModelId")
    return invoked if isinstance(invoked, str) else None


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
