"""What an OpenAI-compatible server's answers with status 200 mean. Pure.

A status of 200 promises little: gateways answer 200 with an error in the body once the model
has started, with no choices, with no usage, or with a refusal.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from worker.llm.bodies import json_in, object_in
from worker.llm.counts import seconds, sum_of
from worker.llm.engine import Completion, EngineError, Finish, Trouble
from worker.llm.headers import rate_limits
from worker.llm.openai.errors import error_in_body
from worker.llm.openai.usage import cost_in, usage_in

# OpenAI's own words, and those that gateways pass through from other makers.
_FINISH = {
    "stop": Finish.STOP,
    "eos": Finish.STOP,
    "end_turn": Finish.STOP,
    "stop_sequence": Finish.STOP,
    "length": Finish.LENGTH,
    "max_tokens": Finish.LENGTH,
    "model_length": Finish.LENGTH,
    "content_filter": Finish.CONTENT_FILTER,
    "refusal": Finish.CONTENT_FILTER,
    "safety": Finish.CONTENT_FILTER,
}
CHECK = "check base_url (most end with /v1)"


def completion(
    content: bytes, headers: Mapping[str, str], latency_ms: int, where: str, secret: str = ""
) -> Completion:
    """The Completion of a chat completion. Raises EngineError where it holds none."""
    reply = object_in(content, where, secret, CHECK)
    return completion_in(reply, headers, latency_ms, where, secret)


def completion_in(
    reply: Mapping[str, Any],
    headers: Mapping[str, str],
    latency_ms: int,
    where: str,
    secret: str = "",
) -> Completion:
    """The same of one that has been read."""
    choice = _choice(reply, where, secret)
    text, finish = _answer(choice, reply, where)
    return Completion(
        text=text,
        finish=finish,
        latency_ms=latency_ms,
        usage=usage_in(reply),
        model_answered=_word(reply.get("model")),
        engine_seconds=engine_seconds(reply),
        reported_cost_usd=cost_in(reply),
        rate_limits=rate_limits(headers, datetime.now(UTC)),
        has_logprobs=bool(_object(choice.get("logprobs")).get("content")),
    )


def model_names(content: bytes, where: str) -> tuple[str, ...]:
    """The ids of a `/models` listing; empty where it is of another form. Raises EngineError where
    it is no API's."""
    listed = _object(json_in(content, where, check=CHECK)).get("data")
    entries = listed if isinstance(listed, list) else []
    return tuple(str(entry["id"]) for entry in entries if "id" in _object(entry))


def _choice(reply: Mapping[str, Any], where: str, secret: str) -> dict[str, Any]:
    choices = reply.get("choices")
    choice = _object(choices[0]) if isinstance(choices, list) and choices else {}
    error = reply.get("error") or choice.get("error")
    if error:
        raise error_in_body({"error": error, "usage": reply.get("usage")}, where, secret)
    if reply.get("object") == "error":
        raise error_in_body(reply, where, secret)
    if not choice:
        raise _broken("the answer holds no choices", where, reply)
    return choice


def _answer(choice: Mapping[str, Any], reply: Mapping[str, Any], where: str) -> tuple[str, Finish]:
    message, reason = _object(choice.get("message")), choice.get("finish_reason")
    text, refused = _content(message.get("content")), _word(message.get("refusal"))
    if reason == "error":
        raise _broken("the model stopped with an error", where, reply)
    if refused:  # billed like any answer, so its usage must not be lost in an exception
        return text or refused, Finish.CONTENT_FILTER
    return text or "", _finish(reason)


def _finish(reason: object) -> Finish:
    # A reason that is missing or new counts as finished: the answer is checked later anyway.
    return _FINISH.get(str(reason).lower(), Finish.STOP)


def _content(content: object) -> str | None:
    if isinstance(content, list):  # some servers answer in parts
        parts = [_word(_object(part).get("text")) for part in content]
        return "".join(part for part in parts if part)
    return _word(content)


def engine_seconds(reply: Mapping[str, Any]) -> float | None:
    """Seconds that the engine spent, where it says so: llama-server states the milliseconds of
    prompt and answer."""
    timings = _object(reply.get("timings"))
    return sum_of(tuple(seconds(timings.get(part), 1000) for part in ("prompt_ms", "predicted_ms")))


def _broken(what: str, where: str, reply: Mapping[str, Any] | None = None) -> EngineError:
    """`reply`: what came all the same, with the tokens that it took."""
    stated = reply or {}
    return EngineError(
        Trouble.SERVER_ERROR,
        f"{where}: {what}",
        status=200,
        maybe_billed=True,
        usage=usage_in(stated),
        reported_cost_usd=cost_in(stated),
    )


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _word(value: object) -> str | None:
    return value if isinstance(value, str) else None
