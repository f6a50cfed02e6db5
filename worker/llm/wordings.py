"""What servers say went wrong, and what is meant. Pure: a text in, a trouble out.

A status says little: a wrong key comes as 400, a prompt that is too long as 500, and each server
has its own words for it. The words are those of Ollama, llama-server, vLLM, TGI, LM Studio, OpenAI,
Azure, Anthropic, Gemini, Groq, xAI, DeepSeek, Mistral, Bedrock, OpenRouter, LiteLLM and Replicate.
"""

import re
from collections.abc import Mapping

from worker.llm.engine import Trouble

_READ_CHARS = 4_000
"""A server may repeat the whole prompt in its error; what it has to say comes first."""

_Row = tuple[Trouble, re.Pattern[str]]


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE | re.DOTALL)


SCHEMA_REFUSED = _any(
    r"invalid format:",
    r"(?:invalid|unsupported) (?:json )?schema",
    r"schemas? (?:contains|conversion|is too|produces)",
    r"response_?schema",
    r"output_(?:format|config)[\w.]*\.schema",
    r"\bgrammar\b",
    r"vocabulary required for format",
    r"initialize samplers",
)
"""A schema that the server cannot make a grammar of. Asked without one, it may well answer."""

SYSTEM_ROLE_REFUSED = _any(
    r"(?:system|developer) (?:role|message|instruction|prompt)s?\b.{0,40}\bnot\b.{0,20}"
    r"(?:supported|enabled|allowed)",
    r"only user and assistant roles",
    r"roles must alternate",
    r"do(?:es not|esn.t) support '?system\b",
)
"""A model whose template knows user and assistant alone, such as Gemma's."""

# The first row that fits decides, so the narrow ones come first.
_WORDINGS: tuple[_Row, ...] = (
    # Schemas first, for their refusals repeat them, whatever words they hold.
    (Trouble.BAD_REQUEST, SCHEMA_REFUSED),
    (Trouble.BAD_REQUEST, SYSTEM_ROLE_REFUSED),
    (Trouble.BAD_REQUEST, _any(r"option .{1,40} must be of type")),
    (Trouble.TIMEOUT, _any(r"deadline exceeded", r"timed out waiting for")),
    # A prompt larger than a whole minute's tokens comes as a rate limit that no wait lifts.
    (
        Trouble.CONTEXT_EXCEEDED,
        _any(r"request (?:body )?too large", r"maximum context length"),
    ),
    # Gemini says "you exceeded your current quota" of a minute's, too.
    (Trouble.RATE_LIMITED, _any(r"(?:please retry|try again) in \d")),
    (
        Trouble.QUOTA,
        _any(
            r"insufficient (?:credit|balance|fund|quota)",
            r"credit balance is too low",
            r"credits? (?:is|are) depleted",
            r"used all available credits",
            r"too many (?:tokens|requests) per day",
            r"payment instrument",
            r"requires more credits",
            r"exceeded your (?:current )?quota",
            r"(?:spend|spending|usage|billing|key) (?:hard )?limits?\b",
            r"budget has been exceeded",
            r"enable billing",
            r"billing to be enabled",
            r"check your billing",
        ),
    ),
    (
        Trouble.AUTH,
        _any(
            r"(?:invalid|incorrect|missing|wrong|bad|expired|no) (?:x-)?api[- _]?key",
            r"api[- _]?key\b.{0,24}(?:invalid|not valid|incorrect|expired|revoked|leaked|disabled)",
            r"no auth credentials",
            r"user location is not supported",
            r"\A\W*operation not allowed\W*\Z",
        ),
    ),
    (
        Trouble.CONTENT_FILTER,
        _any(
            r"content (?:policy|management policy)",
            r"content[- ]filter",
            r"was flagged",
            r"\bnsfw\b",
            r"safety system",
            r"prohibited content",
            r"inappropriate content",
            r"content exists risk",
            r"considered high risk",
        ),
    ),
    (
        Trouble.NO_MEMORY,
        _any(
            r"requires more (?:system |gpu )?memory",
            r"out of memory",
            r"insufficient (?:system resources|(?:system |gpu )?memory)",
            r"not enough (?:system |gpu |video )?(?:memory|vram)",
            r"(?:unable|failed) to allocate",
            r"cannot (?:allocate memory|be allocated)",
        ),
    ),
    (
        Trouble.MODEL_UNFIT,
        _any(
            r"max[_ ]?(?:completion_?|new_?|output_?)?tokens\b.{0,60}?(?:too large|"
            r"less than or equal|maximum (?:value|allowed)|supported range|valid range)",
            r"supports at most \d+ (?:completion|output) tokens",
            r"maximum tokens you requested exceeds?\b",
            r"on-demand throughput",
            r"does not support (?:chat|generate|thinking)",
            r"(?:unable to|failed to|error) load(?:ing)? (?:the )?model",
            r"unknown model architecture",
            r"not supported by your version of ollama",
        ),
    ),
    (
        Trouble.MODEL_NOT_FOUND,
        _any(
            r"not a valid model",
            r"(?:unknown|invalid) model\b",
            r"\b(?:model|deployment)s?\b.{0,120}?(?:does not exist|not found|not exist)",
            r"no endpoints found",
            r"specified version does not exist",
            r"no models? (?:is |are )?loaded",
            r"model .{0,120}?has been (?:decommissioned|deprecated|retired)",
            r"model .{0,120}?reached the end of its life",
            r"model is marked by provider as legacy",
            r"model identifier is invalid",
            r"access to the model with",
            r"model access is denied",
            r"not authorized to perform: bedrock:\w+ on resource",
        ),
    ),
    (
        Trouble.MISCONFIGURED,
        _any(
            r"404 page not found",
            r"\A\W*(?:resource )?not found\W*\Z",
            r"method not allowed",
            r"cannot (?:post|get) /",
            r"(?:invalid|unknown request) url",
            r"(?:no such|unknown|invalid) (?:route|path|endpoint)",
            r"unexpected endpoint or method",
            r"http request (?:was sent )?to (?:an )?https",
            r"\btime: (?:invalid duration|(?:unknown|missing) unit)",
        ),
    ),
    (
        Trouble.RATE_LIMITED,
        _any(
            r"rate[- ]?limit",
            r"per[- ]min(?:ute)?\b",
            r"too many requests",
            r"throttl",
            r"enqueued token",  # of all batches in the queue
        ),
    ),
    (
        Trouble.CONTEXT_EXCEEDED,
        _any(
            r"context window",
            r"context length of only",
            r"maximum (?:prompt|input|model|sequence)[ _]length",
            r"\bn_keep\b.{0,20}>= ?n_ctx",
            r"\b(?:exceed(?:s|ed)?|(?:longer|larger|greater) than)\b.{0,60}?\bcontext\b",
            r"\bcontext\b.{0,60}?(?:exceed|overflow|too (?:large|long))",
            r"\b(?:prompt|inputs?|string)\b.{0,60}?(?:too (?:large|long)|exceeds (?:the )?max)",
            r"too many input tokens",
            r"\binputs?\b.{0,60}?must (?:be <=|have less than)",
            r"range of input length",
        ),
    ),
)

_WINDOW = re.compile(r"context length is (\d+)", re.IGNORECASE)
_ANSWER = _any(
    r"too large: (\d+)",
    r"(\d+) (?:in|for) +the (?:completion|output)",
    r"plus (\d+) 'max_tokens'",
)


def trouble_in(text: str) -> Trouble | None:
    """The trouble that a server's words stand for; None where they say nothing known."""
    text = text[:_READ_CHARS]
    if _answer_alone_is_too_long(text):
        return Trouble.MODEL_UNFIT
    return next((trouble for trouble, words in _WORDINGS if words.search(text)), None)


def _answer_alone_is_too_long(text: str) -> bool:
    """The window has no room for max_tokens even without a prompt: no other prompt will help."""
    window, answer = _WINDOW.search(text), _ANSWER.search(text)
    if window is None or answer is None:
        return False
    return int(next(filter(None, answer.groups()))) >= int(window[1])


BY_STATUS: Mapping[int, Trouble] = {
    401: Trouble.AUTH,
    402: Trouble.QUOTA,
    403: Trouble.AUTH,
    404: Trouble.MODEL_NOT_FOUND,
    405: Trouble.MISCONFIGURED,
    407: Trouble.MISCONFIGURED,
    408: Trouble.SERVER_ERROR,
    409: Trouble.SERVER_ERROR,  # the same Idempotency-Key is still being answered
    413: Trouble.CONTEXT_EXCEEDED,
    425: Trouble.SERVER_ERROR,
    429: Trouble.RATE_LIMITED,
    499: Trouble.SERVER_ERROR,  # the server thinks that this client went away
    501: Trouble.MISCONFIGURED,
    503: Trouble.UNAVAILABLE,
    529: Trouble.RATE_LIMITED,
}


def trouble_of(status: int) -> Trouble:
    """What a status of 400 or more stands for where nothing else is said."""
    return BY_STATUS.get(status, Trouble.SERVER_ERROR if status >= 500 else Trouble.BAD_REQUEST)


def redirects(status: int) -> bool:
    """Whether a status says that something else is to be asked."""
    return 300 <= status < 400


PAGES = frozenset({400, 404, 410, 421, 426})
"""Statuses with which a web page says that no API has been asked."""


def is_page(text: str) -> bool:
    """Whether it is a web page: no API says so, but a proxy, a sign-in or a wrong address does."""
    return text.lstrip("\ufeff \t\r\n")[:1] == "<"


def is_no_api(text: str) -> bool:
    """Whether an answer with status 200 is not an API's at all, rather than one that was cut off.

    Streams (`data: ...`, `: comment`) are an API's, though not asked for.
    """
    start = text.lstrip("\ufeff \t\r\n")[:16]
    return start != "" and not start.startswith(("{", "[", '"', "data:", "event:", ":"))
