"""What an OpenAI-compatible server's errors mean. Pure: status, body and headers in, error out.

The codes are OpenAI's (https://platform.openai.com/docs/guides/error-codes), Anthropic's
(https://docs.claude.com/en/api/errors), OpenRouter's and llama-server's.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from worker.llm.engine import EngineError, Trouble
from worker.llm.faults import brief
from worker.llm.headers import rate_limits, retry_after

_QUOTA_CODES = {
    "insufficient_quota",
    "enforced_spend_limit_reached",
    "billing_hard_limit_reached",
    "billing_not_active",
    "billing_error",
}
_CONTEXT_CODES = {
    "context_length_exceeded",
    "exceed_context_size_error",
    "string_above_max_length",
    "request_too_large",
}
_FILTER_CODES = {"content_policy_violation", "content_filter", "moderation_blocked"}
_LOAD_CODES = {"overloaded_error", "overloaded"}
_LIMIT_CODES = {"rate_limit_exceeded", "rate_limit_error"}
_MODEL_CODES = {"model_not_found", "not_found_error", "invalid_model"}
_AUTH_CODES = {"invalid_api_key", "authentication_error", "permission_error"}

_QUOTA_WORDS = ("credit balance is too low", "insufficient credits")
_CONTEXT_WORDS = (
    "maximum context length",
    "prompt is too long",
    "input is too long",
    "available context size",
    "context window",
    # A prompt larger than a whole minute's tokens: no wait will ever let it through.
    "request too large",
)
_FILTER_WORDS = ("content policy", "content management policy", "was flagged")
_MODEL_WORDS = ("not a valid model", "model not found")

_BY_STATUS = {
    401: Trouble.AUTH,
    402: Trouble.QUOTA,
    403: Trouble.AUTH,
    404: Trouble.MODEL_NOT_FOUND,
    408: Trouble.SERVER_ERROR,
    409: Trouble.SERVER_ERROR,  # the same Idempotency-Key is still being answered
    413: Trouble.CONTEXT_EXCEEDED,
    425: Trouble.SERVER_ERROR,
    429: Trouble.RATE_LIMITED,
    499: Trouble.SERVER_ERROR,
    503: Trouble.UNAVAILABLE,
    529: Trouble.RATE_LIMITED,
}
_HINT = {
    Trouble.AUTH: "check the API key and what it may use",
    Trouble.QUOTA: "credit or spend limit is used up, top up or raise it",
    Trouble.MODEL_NOT_FOUND: "check the model's name at this address",
    Trouble.CONTEXT_EXCEEDED: "the prompt is too long for this model",
    Trouble.CONTENT_FILTER: "the provider refused this text",
    Trouble.UNAVAILABLE: "not ready",
}
# Without a definite refusal the model may have run, and the call may be on the bill.
_UNDECIDED = {408, 409, 425, 499}
_REFUSED_5XX = {503, 529}


def status_error(
    status: int, body: object, headers: Mapping[str, str], where: str, secret: str = ""
) -> EngineError:
    """The EngineError of a reply with a status of 300 or more; `body` is its parsed `error`."""
    found = _Error(body)
    trouble = _trouble(status, found)
    billed = status in _UNDECIDED or (status >= 500 and status not in _REFUSED_5XX)
    now = datetime.now(UTC)
    return EngineError(
        trouble,
        _said(trouble, status, found.message, where, secret),
        status=status,
        retry_after_s=retry_after(headers, now),
        maybe_billed=billed,
        rate_limits=rate_limits(headers, now),
    )


def error_in_body(body: object, where: str, secret: str = "") -> EngineError:
    """The EngineError of an `error` that came with status 200; its code may be a status."""
    found = _Error(body)
    trouble = _trouble(found.status or 500, found)
    # Such an error comes once the model has been asked; only a plain refusal costs nothing.
    billed = trouble in (Trouble.SERVER_ERROR, Trouble.CONTENT_FILTER)
    said = _said(trouble, 200, found.message, where, secret)
    return EngineError(trouble, said, status=200, maybe_billed=billed)


def names_field(body: object, *fields: str) -> bool:
    """Whether an error is about one of these request fields, by its `param` or its text."""
    found = _Error(body)
    return any(field in found.param or field in found.message for field in fields)


class _Error:
    """The parts of an error body, whatever its shape."""

    def __init__(self, body: object) -> None:
        error: dict[str, Any] = body if isinstance(body, dict) else {}
        details = error.get("details")
        inner = details.get("error_code") if isinstance(details, dict) else None
        words = (error.get("code"), error.get("type"), inner)
        self.codes = {str(word).lower() for word in words if word is not None}
        self.message = str(error.get("message") or body or "")
        self.param = str(error.get("param") or "")
        code = str(error.get("code"))
        self.status = int(code) if code.isascii() and code.isdigit() and len(code) == 3 else None

    def has(self, codes: set[str], words: tuple[str, ...] = ()) -> bool:
        text = self.message.lower()
        return bool(self.codes & codes) or any(word in text for word in words)


def _trouble(status: int, error: _Error) -> Trouble:
    named = _named(error)
    if named:
        return named
    fallback = Trouble.SERVER_ERROR if status >= 500 else Trouble.BAD_REQUEST
    return _BY_STATUS.get(status, fallback)


def _named(error: _Error) -> Trouble | None:
    for trouble, codes, words in (
        (Trouble.QUOTA, _QUOTA_CODES, _QUOTA_WORDS),
        (Trouble.CONTEXT_EXCEEDED, _CONTEXT_CODES, _CONTEXT_WORDS),
        (Trouble.CONTENT_FILTER, _FILTER_CODES, _FILTER_WORDS),
        (Trouble.RATE_LIMITED, _LOAD_CODES | _LIMIT_CODES, ()),
        (Trouble.AUTH, _AUTH_CODES, ()),
        (Trouble.MODEL_NOT_FOUND, _MODEL_CODES, _MODEL_WORDS),
    ):
        if error.has(codes, words):
            return trouble
    return None


def _said(trouble: Trouble, status: int, text: str, where: str, secret: str) -> str:
    hint = f", {_HINT[trouble]}" if trouble in _HINT else ""
    return f"{where} answered {status}{hint}: {brief(text, secret) or 'no text'}"
