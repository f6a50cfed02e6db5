"""What an OpenAI-compatible server's errors mean. Pure: status, body and headers in, error out.

The codes are OpenAI's (https://platform.openai.com/docs/guides/error-codes), Anthropic's
(https://docs.claude.com/en/api/errors), Gemini's (https://ai.google.dev/gemini-api/docs/troubleshooting),
OpenRouter's, llama-server's and some others'. Where there is none, worker/llm/wordings.py knows
the words.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from worker.llm.engine import EngineError, Trouble
from worker.llm.faults import HINTS, sends_on, sentence
from worker.llm.headers import go_duration, rate_limits, retry_after
from worker.llm.openai.usage import cost_in, usage_in
from worker.llm.wordings import PAGES, is_page, redirects, trouble_in, trouble_of

_CODES: Mapping[Trouble, frozenset[str]] = {
    Trouble.QUOTA: frozenset(
        {
            "insufficient_quota",
            "exceeded_current_quota_error",
            "enforced_spend_limit_reached",
            "billing_hard_limit_reached",
            "billing_not_active",
            "billing_error",
            "payment_required",
        }
    ),
    Trouble.CONTEXT_EXCEEDED: frozenset(
        {
            "context_length_exceeded",
            "exceed_context_size_error",
            "string_above_max_length",
            "request_too_large",
            "tokens_limit_reached",
            "string_too_long",
            "payload_too_large",
        }
    ),
    Trouble.CONTENT_FILTER: frozenset(
        {
            "content_policy_violation",
            "content_filter",
            "moderation_blocked",
            "responsibleaipolicyviolation",
            "data_inspection_failed",
        }
    ),
    Trouble.RATE_LIMITED: frozenset(
        {
            "overloaded_error",
            "overloaded",
            "rate_limit_exceeded",
            "rate_limit_error",
            "resource_exhausted",
            "provider_overloaded",
            "token_limit_exceeded",  # of all batches in the queue
        }
    ),
    Trouble.AUTH: frozenset(
        {
            "invalid_api_key",
            "api_key_invalid",
            "authentication_error",
            "unauthenticated",
            "permission_error",
            "permission_denied",
            "authentication",
        }
    ),
    Trouble.MODEL_NOT_FOUND: frozenset(
        {
            "model_not_found",
            "not_found_error",
            "invalid_model",
            "deploymentnotfound",
            "model_decommissioned",
        }
    ),
    Trouble.UNAVAILABLE: frozenset({"provider_unavailable"}),
    Trouble.MODEL_UNFIT: frozenset({"max_tokens_exceeded"}),
    Trouble.TIMEOUT: frozenset({"request_timeout"}),
    Trouble.BAD_REQUEST: frozenset({"invalid_request", "invalid_prompt", "unprocessable"}),
}
_LOOSE = (None, Trouble.RATE_LIMITED, Trouble.MODEL_NOT_FOUND, Trouble.BAD_REQUEST)
"""What a code says too loosely: a prompt larger than a minute's tokens comes as a rate limit, a
wrong path as something not found, whatever else as an invalid request. There the words go first."""

_NO_WAIT_LIFTS = (Trouble.QUOTA, Trouble.CONTEXT_EXCEEDED)
"""What may come as a rate limit though it is none."""

_HINT = {
    **HINTS,
    Trouble.AUTH: "check the API key and what it may use",
    Trouble.QUOTA: "credit or spend limit is used up, top up or raise it",
    Trouble.MISCONFIGURED: "no chat completions there, check base_url (most end with /v1)",
    Trouble.MODEL_NOT_FOUND: "check the model's name at this address",
    Trouble.NO_MEMORY: "the model does not fit into memory there: choose a smaller one",
}
_MAY_HAVE_RUN = {Trouble.SERVER_ERROR, Trouble.TIMEOUT, Trouble.CONTENT_FILTER}
"""Without a definite refusal the model may have run, and the call may be on the bill."""

_UNDECIDED = {408, 409, 425, 499}
_MODERATED = 403
"""A filter in front of the model, by OpenRouter's word; any other may be one behind it."""


def status_error(
    status: int, body: object, headers: Mapping[str, str], where: str, secret: str = ""
) -> EngineError:
    """The EngineError of a reply with a status of 300 or more; `body` is its JSON, or its text."""
    said = Said(body)
    trouble = _trouble(status, said)
    now = datetime.now(UTC)
    wait = retry_after(headers, now)
    redirected = sends_on(headers.get("location", ""), secret) if redirects(status) else ""
    hint = redirected or _HINT.get(trouble, "")
    return EngineError(
        trouble,
        sentence(f"{where} answered {status}", hint, said.message, secret),
        status=status,
        retry_after_s=said.retry_after_s if wait is None else wait,
        maybe_billed=trouble in _MAY_HAVE_RUN and _undecided(status, trouble),
        rate_limits=rate_limits(headers, now),
        usage=usage_in(said.body),
        reported_cost_usd=cost_in(said.body),
    )


def error_in_body(body: object, where: str, secret: str = "") -> EngineError:
    """The EngineError of an `error` that came with status 200; its code may be a status."""
    said = Said(body)
    trouble = _trouble(said.status or 500, said)
    return EngineError(
        trouble,
        sentence(f"{where} answered 200", _HINT.get(trouble, ""), said.message, secret),
        status=200,
        # Such an error comes once the model has been asked; only a plain refusal costs nothing.
        maybe_billed=trouble in _MAY_HAVE_RUN,
        usage=usage_in(said.body),
        reported_cost_usd=cost_in(said.body),
    )


def parsed(content: bytes) -> object:
    """The body of an error: JSON where it is some, else text."""
    text = content.decode("utf-8", "replace").strip()
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


class Said:
    """The parts of an error body, whatever its shape."""

    def __init__(self, body: object) -> None:
        self.body = _mapping(_first(body))
        error = _first(body)
        while isinstance(error, dict) and error.get("error"):
            error = error["error"]
        inner = _mapping(error)
        details = inner.get("details")
        self._details = [_mapping(each) for each in details] if isinstance(details, list) else []
        self.codes = {str(code).lower() for code in _codes(inner, self._details) if code}
        self.message = _message(error)
        self.param = str(inner.get("param") or "")
        code = str(inner.get("code"))
        self.status = int(code) if code.isascii() and code.isdigit() and len(code) == 3 else None

    @property
    def code(self) -> Trouble | None:
        """The trouble that its codes stand for."""
        return next((trouble for trouble, codes in _CODES.items() if codes & self.codes), None)

    @property
    def retry_after_s(self) -> float | None:
        """The wait that Gemini asks for in the body."""
        waits = (go_duration(str(each.get("retryDelay", ""))) for each in self._details)
        return next((wait for wait in waits if wait is not None), None)

    @property
    def is_about_the_limit(self) -> bool:
        """Whether max_tokens is refused, and not only its name."""
        renamed = self.param == "max_tokens" and "max_completion_tokens" in self.message
        return self.param in ("max_tokens", "max_completion_tokens") and not renamed

    def names(self, *fields: str) -> bool:
        """Whether it is about one of these request fields, by its `param` or its text."""
        return any(field in self.param or field in self.message for field in fields)


def _first(body: object) -> object:
    """Gemini answers with a list of one."""
    return body[0] if isinstance(body, list) and body else body


def _codes(error: Mapping[str, Any], details: list[dict[str, Any]]) -> Iterator[object]:
    yield from (error.get(key) for key in ("code", "type", "status", "error_type"))
    yield _mapping(error.get("details")).get("error_code")
    yield _mapping(error.get("innererror")).get("code")
    yield from (each.get("reason") for each in details)


def _message(error: object) -> str:
    inner = _mapping(error)
    said = inner.get("message") or inner.get("detail") or error or ""
    raw = _mapping(inner.get("metadata")).get("raw")  # what the provider behind OpenRouter said
    return f"{said}: {raw}" if raw else str(said)


def _trouble(status: int, said: Said) -> Trouble:
    if redirects(status):
        return Trouble.MISCONFIGURED
    page = is_page(said.message)
    if (page and status in PAGES) or (not said.message and status == 404):
        return Trouble.MISCONFIGURED
    by_status = trouble_of(status)
    if page:
        return by_status
    by_code = said.code
    if by_code not in _LOOSE:
        return by_code
    by_words = trouble_in(said.message)
    if by_status is Trouble.RATE_LIMITED and by_words not in _NO_WAIT_LIFTS:
        return by_status
    if by_words is None and said.is_about_the_limit:
        return Trouble.MODEL_UNFIT
    return by_words or by_code or by_status


def _undecided(status: int, trouble: Trouble) -> bool:
    filtered = trouble is Trouble.CONTENT_FILTER and status != _MODERATED
    return filtered or status >= 500 or status in _UNDECIDED


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
