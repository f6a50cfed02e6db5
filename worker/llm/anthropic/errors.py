"""What Anthropic's errors mean. Pure: status, body and headers in, error out.

Types and codes: https://platform.claude.com/docs/en/api/errors. Where they say too little,
worker/llm/wordings.py knows the words.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from worker.llm.engine import EngineError, Trouble
from worker.llm.faults import HINTS, sends_on, sentence
from worker.llm.headers import rate_limits, retry_after
from worker.llm.wordings import PAGES, is_page, redirects, trouble_in, trouble_of

_CODES = {
    "enforced_spend_limit_reached": Trouble.QUOTA,
    "contract_spend_limit_reached": Trouble.QUOTA,
    "linked_organization_spend_limit_reached": Trouble.QUOTA,
    "linked_organization_billing_unavailable": Trouble.QUOTA,
    "organization_on_hold": Trouble.AUTH,
    "cmek_key_disabled": Trouble.AUTH,
    "cmek_key_network_blocked": Trouble.AUTH,
}
"""The codes that say more than the type that they come with."""

_TYPES = {
    "authentication_error": Trouble.AUTH,
    "permission_error": Trouble.AUTH,
    "billing_error": Trouble.QUOTA,
    "request_too_large": Trouble.CONTEXT_EXCEEDED,
    "overloaded_error": Trouble.RATE_LIMITED,
    "timeout_error": Trouble.TIMEOUT,
}
_LOOSE_TYPES = {
    "invalid_request_error": Trouble.BAD_REQUEST,
    "not_found_error": Trouble.MODEL_NOT_FOUND,
    "rate_limit_error": Trouble.RATE_LIMITED,
}
"""What a type says too loosely: an empty account comes as an invalid request, a wrong path as
something not found. There the words go first."""

_NO_WAIT_LIFTS = (Trouble.QUOTA, Trouble.CONTEXT_EXCEEDED)
"""What may come as a rate limit though it is none."""

_STATUSES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""With which each type comes where it is an answer of its own."""

_HINT = {
    **HINTS,
    Trouble.AUTH: "check the API key and what it may use",
    Trouble.QUOTA: "credit or spend limit is used up, top up or raise it",
    Trouble.MISCONFIGURED: "no Messages API there, check base_url (it ends before /v1)",
    Trouble.MODEL_NOT_FOUND: "check the model's name at this address",
}
_MAY_HAVE_RUN = {Trouble.SERVER_ERROR, Trouble.TIMEOUT, Trouble.CONTENT_FILTER}
"""Without a definite refusal the model may have run, and the call may be on the bill."""


def status_error(
    status: int, body: object, headers: Mapping[str, str], where: str, secret: str = ""
) -> EngineError:
    """The EngineError of a reply with a status of 300 or more; `body` is its JSON, or its text."""
    said = said_in(body)
    trouble = _trouble(status, said)
    now = datetime.now(UTC)
    redirected = sends_on(headers.get("location", ""), secret) if redirects(status) else ""
    hint = redirected or _HINT.get(trouble, "")
    return EngineError(
        trouble,
        sentence(f"{where} answered {status}", hint, said.message, secret),
        status=status,
        retry_after_s=retry_after(headers, now),
        maybe_billed=trouble in _MAY_HAVE_RUN,
        rate_limits=rate_limits(headers, now),
    )


def error_in_body(body: object, where: str, secret: str = "") -> EngineError:
    """The EngineError of an error that came with status 200, as gateways answer."""
    said = said_in(body)
    trouble = _trouble(500, said)
    words = sentence(f"{where} answered 200", _HINT.get(trouble, ""), said.message, secret)
    return EngineError(trouble, words, status=200, maybe_billed=trouble in _MAY_HAVE_RUN)


def error_in_batch(body: object, where: str, secret: str = "") -> EngineError:
    """The EngineError of a request of a batch that came to nothing: that of a call made at once,
    but it is never billed
    (https://platform.claude.com/docs/en/build-with-claude/batch-processing)."""
    status = _STATUSES.get(said_in(body).type, 500)
    error = status_error(status, body, {}, where, secret)
    error.maybe_billed = False
    return error


@dataclass(frozen=True, slots=True)
class Said:
    """The parts of an error body."""

    type: str
    code: str
    message: str


def said_in(body: object) -> Said:
    """The parts of an error body, or of what a gateway sends in its place."""
    error = _object(body).get("error") or body
    inner = _object(error)
    message = inner.get("message") or inner.get("detail") or error or ""
    code = _object(inner.get("details")).get("error_code")
    return Said(str(inner.get("type") or ""), str(code or ""), str(message))


def _trouble(status: int, said: Said) -> Trouble:
    if redirects(status):
        return Trouble.MISCONFIGURED
    page = is_page(said.message)
    if (page and status in PAGES) or (not said.message and status == 404):
        return Trouble.MISCONFIGURED
    by_status = Trouble.TIMEOUT if status == 504 else trouble_of(status)
    if page:
        return by_status
    firm = _CODES.get(said.code) or _TYPES.get(said.type)
    if firm is not None:
        return firm
    loose = _LOOSE_TYPES.get(said.type, by_status)
    by_words = trouble_in(said.message)
    if loose is Trouble.RATE_LIMITED and by_words not in _NO_WAIT_LIFTS:
        return loose
    return by_words or loose


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
