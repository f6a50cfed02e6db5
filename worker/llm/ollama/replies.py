"""What Ollama's replies mean. Pure: a reply in, a Completion or an EngineError out."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from worker.llm.engine import Completion, EngineError, Finish, Message, Request, Trouble, Usage
from worker.llm.faults import brief
from worker.llm.headers import retry_after

_NS = 1_000_000_000  # Ollama states durations in nanoseconds
_METRICS = (
    "total_duration",
    "prompt_eval_count",
    "prompt_eval_duration",
    "eval_count",
    "eval_duration",
)
_FINISH = {"stop": Finish.STOP, "length": Finish.LENGTH, None: Finish.STOP}

# Characters per token, high on purpose (so that an estimate is rather too low): English runs at
# 4 to 4.7 with today's vocabularies, Devanagari at 2 to 2.5, Chinese at 1 to 1.5.
_ASCII_PER_TOKEN = 4
_OTHER_PER_TOKEN = 2
# Below this share of the estimate a prompt has lost text rather than been estimated badly.
_CUT_SHARE = 0.6
# The middle cut keeps num_ctx/2 + 2 tokens (num_keep 4); templates move that by a few.
_MIDDLE_CUT_SLACK = 4

_TROUBLE = {
    401: Trouble.AUTH,
    403: Trouble.AUTH,
    404: Trouble.MODEL_NOT_FOUND,
    429: Trouble.RATE_LIMITED,
    503: Trouble.UNAVAILABLE,
}
_HINT = {
    Trouble.AUTH: "sign in to it, or choose a local model",
    Trouble.MODEL_NOT_FOUND: "pull the model (ollama pull NAME)",
    Trouble.CONTEXT_EXCEEDED: "the prompt is longer than the context window",
    Trouble.UNAVAILABLE: "busy or starting",
}


def estimate_tokens(messages: Iterable[Message]) -> int:
    """A low estimate of the tokens of a prompt, from its characters alone."""
    return sum(_estimate(message.content) for message in messages)


def _estimate(text: str) -> int:
    # Runs of white space are one token or two, however long: count one character each.
    words = text.split()
    chars = sum(map(len, words)) + len(words)
    other = len(text) - len(text.encode("ascii", "ignore"))
    return max(0, chars - other) // _ASCII_PER_TOKEN + other // _OTHER_PER_TOKEN


def was_cut(prompt_eval_count: int, num_ctx: int, estimate: int) -> bool:
    """Whether a prompt was shortened in silence, by the tokens that the server says it read.

    The signs are those of ollama#17889, #17427 and #3839: the window is full to the last
    token, or about half of it was kept, or far fewer tokens were read than the prompt has. The
    last is asked only where the prompt can have been longer than the window.
    """
    if prompt_eval_count in (num_ctx, num_ctx - 1):
        return True
    kept_half = abs(prompt_eval_count - (num_ctx // 2 + 2)) <= _MIDDLE_CUT_SLACK
    if kept_half and estimate > num_ctx:
        return True
    return 2 * estimate > num_ctx and prompt_eval_count < _CUT_SHARE * estimate


def completion(content: bytes, request: Request, latency_ms: int, where: str) -> Completion:
    """The Completion of a reply with status 200. Raises EngineError where it holds none."""
    reply = _parsed(content, where)
    if reply.get("error"):
        raise _error(_trouble(500, str(reply["error"])), 200, str(reply["error"]), where)
    if reply.get("done") is not True or not any(key in reply for key in _METRICS):
        raise _broken("the answer ends in the middle (no done or no metrics)", where)
    usage = Usage(
        input_tokens=_count(reply.get("prompt_eval_count")),
        output_tokens=_count(reply.get("eval_count")),
    )
    _refuse_cut_prompt(usage, request, where)
    return Completion(
        text=_text(reply, where),
        finish=_finish(reply, where),
        latency_ms=latency_ms,
        usage=usage,
        model_answered=reply.get("model"),
        engine_seconds=_engine_seconds(reply),
    )


def refusal(status: int, text: str, headers: Mapping[str, str], where: str) -> EngineError:
    """The EngineError of a reply whose status is not 200."""
    said = _said(text)
    wait = retry_after(headers, datetime.now(UTC))
    return _error(_trouble(status, said), status, said, where, wait)


def _trouble(status: int, said: str) -> Trouble:
    if status in (400, 413, 500) and _speaks_of_length(said):
        return Trouble.CONTEXT_EXCEEDED
    # A schema that it cannot compile is answered with 500, though no retry will mend it.
    if status == 500 and said.startswith("invalid format"):
        return Trouble.BAD_REQUEST
    if status in _TROUBLE:
        return _TROUBLE[status]
    # 499: the server thinks that this client went away.
    return Trouble.SERVER_ERROR if status >= 499 or status == 408 else Trouble.BAD_REQUEST


def _speaks_of_length(said: str) -> bool:
    text = said.lower()
    words = ("exceed", "too large", "longer", "too long")
    return "context" in text and any(word in text for word in words)


def _said(text: str) -> str:
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return str(found["error"]) if isinstance(found, dict) and found.get("error") else text


def _error(
    trouble: Trouble, status: int, said: str, where: str, wait: float | None = None
) -> EngineError:
    hint = f", {_HINT[trouble]}" if trouble in _HINT else ""
    message = f"{where} answered {status}{hint}: {brief(said) or 'no text'}"
    billed = trouble is Trouble.SERVER_ERROR and status != 499
    return EngineError(trouble, message, status=status, retry_after_s=wait, maybe_billed=billed)


def _broken(what: str, where: str) -> EngineError:
    return EngineError(Trouble.SERVER_ERROR, f"{where}: {what}", status=200, maybe_billed=True)


def _parsed(content: bytes, where: str) -> dict[str, Any]:
    try:
        reply = json.loads(content)
    except ValueError as exc:
        raise _broken(f"the answer is not JSON ({brief(str(exc))})", where) from exc
    if not isinstance(reply, dict):
        raise _broken("the answer is not a JSON object", where)
    return reply


def _text(reply: Mapping[str, Any], where: str) -> str:
    message = reply.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(content, str):
        raise _broken("the answer holds no message", where)
    return content


def _finish(reply: Mapping[str, Any], where: str) -> Finish:
    reason = reply.get("done_reason")
    if (
        not isinstance(reason, str | None) or reason not in _FINISH
    ):  # load, unload: no prompt was answered
        raise _broken(f"the answer ended with {brief(str(reason))!r}", where)
    return _FINISH[reason]


def _refuse_cut_prompt(usage: Usage, request: Request, where: str) -> None:
    read = usage.input_tokens
    if read is None or _far_below_the_window(read, request):
        return
    estimate = estimate_tokens(request.messages)
    if not was_cut(read, request.context_tokens, estimate):
        return
    said = (
        f"{where} read {read} tokens of a prompt of about {estimate} with a context window of "
        f"{request.context_tokens}: the prompt was cut, use a larger window or smaller chunks"
    )
    raise EngineError(Trouble.CONTEXT_EXCEEDED, said, status=200, maybe_billed=True)


def _far_below_the_window(read: int, request: Request) -> bool:
    """What was_cut never finds fault with, told without an estimate: most prompts are like that."""
    characters = sum(len(message.content) + 1 for message in request.messages)
    most_tokens = characters // _OTHER_PER_TOKEN
    return 2 * most_tokens <= request.context_tokens and read < request.context_tokens - 1


def _count(value: object) -> int | None:
    # Zero is left out by the server, so absent and 0 are both "not reported".
    return value if isinstance(value, int) and value > 0 else None


def _engine_seconds(reply: Mapping[str, Any]) -> float | None:
    spent = [_count(reply.get(key)) for key in ("prompt_eval_duration", "eval_duration")]
    known = [part for part in spent if part is not None]
    return sum(known) / _NS if known else None
