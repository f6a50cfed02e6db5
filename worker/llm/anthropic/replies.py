"""What Anthropic's answers with status 200 mean. Pure."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from worker.llm.anthropic.errors import error_in_body
from worker.llm.bodies import broken, object_in
from worker.llm.counts import MOST_TOKENS, count
from worker.llm.engine import Completion, Finish, Usage
from worker.llm.headers import rate_limits

_FINISH = {
    "end_turn": Finish.STOP,
    "stop_sequence": Finish.STOP,
    "max_tokens": Finish.LENGTH,
    "model_context_window_exceeded": Finish.LENGTH,
    "refusal": Finish.CONTENT_FILTER,
}
_DAY = re.compile(r"-\d{8}$")


def completion(
    content: bytes, headers: Mapping[str, str], latency_ms: int, where: str, secret: str = ""
) -> Completion:
    """The Completion of a message. Raises EngineError where it holds none."""
    reply = object_in(content, where, secret)
    return completion_in(reply, headers, latency_ms, where, secret)


def completion_in(
    reply: Mapping[str, Any],
    headers: Mapping[str, str],
    latency_ms: int,
    where: str,
    secret: str = "",
) -> Completion:
    """The same of a message's JSON."""
    if reply.get("type") == "error" or reply.get("error"):
        raise error_in_body(reply, where, secret)
    blocks = reply.get("content")
    if not isinstance(blocks, list):
        raise broken("the answer holds no content", where, usage_in(reply))
    text = "".join(map(_text, blocks))
    # A reason that is missing or new counts as finished: the answer is checked later anyway.
    finish = _FINISH.get(str(reply.get("stop_reason")), Finish.STOP)
    if finish is Finish.CONTENT_FILTER:
        text = text or str(_object(reply.get("stop_details")).get("explanation") or "")
    model = reply.get("model")
    return Completion(
        text=text,
        finish=finish,
        latency_ms=latency_ms,
        usage=usage_in(reply),
        model_answered=model if isinstance(model, str) else None,
        rate_limits=rate_limits(headers, datetime.now(UTC)),
    )


def usage_in(reply: Mapping[str, Any]) -> Usage:
    """The tokens that a message states. Its `input_tokens` are those beside the cache: the prompt
    is they, what was read from the cache and what was written into it."""
    stated = _object(reply.get("usage"))
    beside, written = count(stated.get("input_tokens")), count(stated.get("output_tokens"))
    cached = count(stated.get("cache_read_input_tokens"))
    stored = count(stated.get("cache_creation_input_tokens"))
    thought = count(_object(stated.get("output_tokens_details")).get("thinking_tokens"))
    whole = None if beside is None else beside + (cached or 0) + (stored or 0)
    possible = whole if whole is None or whole <= MOST_TOKENS else None
    return Usage(possible, cached, written, thought, stored)


def model_names(content: bytes, where: str) -> tuple[str, ...]:
    """The names of a listing of models. A model that is listed with its day answers to the name
    without it, too. Raises EngineError where it is no API's."""
    listed = object_in(content, where).get("data")
    ids = [str(_object(each).get("id", "")) for each in listed] if isinstance(listed, list) else []
    names = (name for one in ids for name in (one, _DAY.sub("", one)) if name)
    return tuple(dict.fromkeys(names))


def _text(block: object) -> str:
    said = _object(block)
    return str(said.get("text") or "") if said.get("type") == "text" else ""


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
