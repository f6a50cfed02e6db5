"""What Ollama's replies mean. Pure: a reply in, a Completion or an EngineError out."""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from worker.llm.bodies import broken, object_in
from worker.llm.counts import count, seconds, sum_of
from worker.llm.engine import (
    Completion,
    EngineError,
    Finish,
    Message,
    Request,
    Told,
    Trouble,
    Usage,
)
from worker.llm.faults import brief, sends_on, sentence
from worker.llm.headers import retry_after
from worker.llm.wordings import is_page, redirects, trouble_in, trouble_of

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

# Words of a server whose runner, the process with the model, went down in the middle of a call.
_RUNNER_DIED = re.compile(
    r"error was encountered while running the model: .*EOF"
    r"|model runner has unexpectedly stopped",
    re.IGNORECASE | re.DOTALL,
)

_HINT = {
    Trouble.AUTH: "sign in to it, or choose a local model",
    Trouble.MISCONFIGURED: "check its address, that is no Ollama",
    Trouble.MODEL_NOT_FOUND: "pull the model (ollama pull NAME)",
    Trouble.MODEL_UNFIT: "choose another model, this one cannot do that here",
    Trouble.NO_MEMORY: "choose a smaller model or context_tokens, or give that host more memory",
    Trouble.CONTEXT_EXCEEDED: "the prompt is longer than the context window",
    Trouble.UNAVAILABLE: "busy or starting",
}
# An Ollama that listens on loopback alone says so, without a word, to every other name of its host.
_UNKNOWN_HOST = (
    "it does not know this host name: set OLLAMA_HOST=0.0.0.0 there, or let the proxy in front "
    "of it send Host: localhost"
)


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
    reply = object_in(content, where, check="check its address")
    if reply.get("error"):
        said = _innermost(str(reply["error"]))
        raise _error(trouble_in(said) or Trouble.SERVER_ERROR, 200, said, where)
    model = reply.get("model")
    found = Completion(
        text=_text(reply, where),
        finish=_finish(reply, where),
        latency_ms=latency_ms,
        usage=Usage(
            # Zero is left out by the server, so absent and 0 are both "not reported".
            input_tokens=count(reply.get("prompt_eval_count")) or None,
            output_tokens=count(reply.get("eval_count")) or None,
        ),
        model_answered=model if isinstance(model, str) else None,
        engine_seconds=_engine_seconds(reply),
        has_logprobs=bool(reply.get("logprobs")),
    )
    _refuse_cut_prompt(found, request, where)
    return found


def shown(reply: Mapping[str, Any]) -> Told:
    """What `/api/show` tells of a model. The window is that of its weights, whatever `num_ctx` asks
    for."""
    info, able = reply.get("model_info"), reply.get("capabilities")
    stated = info if isinstance(info, dict) else {}
    windows = [count(value) for key, value in stated.items() if key.endswith(".context_length")]
    return Told(
        str(reply.get("template") or ""),
        windows[0] if windows else None,
        "vision" in able if isinstance(able, list) else None,
    )


def refusal(status: int, text: str, headers: Mapping[str, str], where: str) -> EngineError:
    """The EngineError of a reply whose status is not 200."""
    error = _error_in(text)
    said = text.strip() if error is None else error
    wait = retry_after(headers, datetime.now(UTC))
    if redirects(status):
        hint = sends_on(headers.get("location", ""))
        return _error(Trouble.MISCONFIGURED, status, said, where, wait, hint)
    if status == 403 and not said:
        return _error(Trouble.MISCONFIGURED, status, said, where, wait, _UNKNOWN_HOST)
    return _error(_trouble(status, said, ours=error is not None), status, said, where, wait)


def _trouble(status: int, said: str, *, ours: bool) -> Trouble:
    """`ours`: it came in the form of Ollama's errors."""
    if _RUNNER_DIED.search(said):
        return Trouble.DIED
    page = is_page(said)
    if (page and status == 400) or (not ours and status == 404):
        return Trouble.MISCONFIGURED
    named = None if page else trouble_in(said)
    return named or trouble_of(status)


def _error_in(text: str) -> str | None:
    """What stands in the `error` of a reply; None: it is none of an Ollama's."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return _innermost(str(found["error"])) if isinstance(found, dict) and "error" in found else None


def _innermost(said: str) -> str:
    """llama-server's own error stands as a string in Ollama's."""
    try:
        inner = json.loads(said)["error"]
        return f"{inner['message']} ({inner['type']})"
    except (ValueError, TypeError, LookupError, RecursionError):
        return said


def _error(
    trouble: Trouble,
    status: int,
    said: str,
    where: str,
    wait: float | None = None,
    hint: str = "",
) -> EngineError:
    hint = hint or _HINT.get(trouble, "")
    message = sentence(f"{where} answered {status}", hint, said)
    billed = trouble in (Trouble.SERVER_ERROR, Trouble.DIED, Trouble.TIMEOUT) and status != 499
    return EngineError(trouble, message, status=status, retry_after_s=wait, maybe_billed=billed)


def _text(reply: Mapping[str, Any], where: str) -> str:
    message = reply.get("message")
    if not isinstance(message, dict):
        raise broken("the answer holds no message", where)
    content = message.get("content")
    return content if isinstance(content, str) else ""


def _finish(reply: Mapping[str, Any], where: str) -> Finish:
    if reply.get("done") is False:
        # How Ollama gives up on a model that writes the same token more than 30 times.
        return Finish.LOOP
    if reply.get("done") is not True or not any(key in reply for key in _METRICS):
        raise broken("the answer ends in the middle (no done or no metrics)", where)
    reason = reply.get("done_reason")
    if not isinstance(reason, str | None) or reason not in _FINISH:
        # load, unload: no prompt was answered
        raise broken(f"the answer ended with {brief(str(reason))!r}", where)
    return _FINISH[reason]


def _refuse_cut_prompt(found: Completion, request: Request, where: str) -> None:
    read = found.usage.input_tokens
    if read is None or _far_below_the_window(read, request):
        return
    estimate = estimate_tokens(request.messages)
    if not was_cut(read, request.context_tokens, estimate):
        return
    said = (
        f"{where} read {read} tokens of a prompt of about {estimate} with a context window of "
        f"{request.context_tokens}: the prompt was cut, use a larger window or smaller chunks"
    )
    raise EngineError(
        Trouble.CONTEXT_EXCEEDED,
        said,
        status=200,
        maybe_billed=True,
        usage=found.usage,
        engine_seconds=found.engine_seconds,
    )


def _far_below_the_window(read: int, request: Request) -> bool:
    """What was_cut never finds fault with, told without an estimate: most prompts are like that."""
    characters = sum(len(message.content) + 1 for message in request.messages)
    most_tokens = characters // _OTHER_PER_TOKEN
    return 2 * most_tokens <= request.context_tokens and read < request.context_tokens - 1


def _engine_seconds(reply: Mapping[str, Any]) -> float | None:
    spent = (seconds(reply.get(f"{part}_duration"), _NS) for part in ("prompt_eval", "eval"))
    return sum_of(tuple(part or None for part in spent))
