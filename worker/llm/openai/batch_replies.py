"""What the batch APIs that speak of chat completions take and say. Pure.

OpenAI's (https://platform.openai.com/docs/api-reference/batch) takes and gives files of lines.
OpenRouter's (https://openrouter.ai/docs/batch-quickstart) has the same states and results in JSON.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from worker.llm import results
from worker.llm.batches import Order, Progress, Reply
from worker.llm.bodies import broken
from worker.llm.counts import count
from worker.llm.engine import Completion, EngineError, Trouble
from worker.llm.faults import brief
from worker.llm.openai.dialect import Dialect
from worker.llm.openai.errors import error_in_body, status_error
from worker.llm.openai.replies import CHECK, completion_in

ENDPOINT: Final = "/v1/chat/completions"
WINDOW: Final = "24h"
OURS = "docmill"
"""The key of a batch's metadata under which its name stands."""

SKEW = timedelta(minutes=1)
"""By so much a provider's clock may be behind."""

_SHOWN_CHARS = 500
_SHOWN_ERRORS = 5
_ENDED = frozenset({"completed", "expired", "cancelled", "failed"})
_NEVER_ASKED = re.compile(
    r"batch[_ ](?:was |has been )?(?:expired|cancell?ed)|completion window", re.IGNORECASE
)
"""What is said of a request that the batch ended without."""


def as_lines(order: Order, dialect: Dialect) -> bytes:
    """The file of an order, a line for each request."""
    lines = (
        _encoded(
            {
                "custom_id": item.name,
                "method": "POST",
                "url": ENDPOINT,
                "body": dialect.body(item.request),
            }
        )
        for item in order.items
    )
    return b"".join(line + b"\n" for line in lines)


def as_object(order: Order, dialect: Dialect) -> bytes:
    """The same in one object. OpenRouter reads it as it comes, and wants the requests last."""
    model = order.items[0].request.model_name
    head = {"endpoint": ENDPOINT, "model": model, "completion_window": WINDOW}
    rows = b",".join(
        _encoded({"custom_id": item.name, "body": dialect.body(item.request)})
        for item in order.items
    )
    return _encoded(head)[:-1] + b',"requests":[' + rows + b"]}"


def progress_in(state: Mapping[str, Any], secret: str = "") -> Progress:
    """How far a batch has come. A state that is not known is one on the way."""
    status, counts = state.get("status"), _object(state.get("request_counts"))
    done = (count(counts.get("completed")) or 0) + (count(counts.get("failed")) or 0)
    refused = _why(state, secret) if status == "failed" else None
    return Progress(ended=status in _ENDED, done=done, refused=refused)


def _why(state: Mapping[str, Any], secret: str) -> str:
    listed = _object(state.get("errors")).get("data")
    errors = [*(listed if isinstance(listed, list) else []), state.get("error")]
    texts = [str(_object(error).get("message") or "") for error in errors]
    said = list(dict.fromkeys(filter(None, texts)))[:_SHOWN_ERRORS]
    plain = "".join(one if one.isprintable() else " " for one in "; ".join(said))
    return brief(plain, secret, _SHOWN_CHARS) or "the provider gave no reason"


def reply_in(line: bytes, where: str, secret: str = "") -> Reply | None:
    """What became of one request; None: a line that is nobody's. Raises EngineError where it is no
    API's at all, but a page."""

    def read(said: Mapping[str, Any]) -> Completion:
        return _completion(said, where, secret)

    return results.reply_in(line, "custom_id", read, where, secret, CHECK)


def _completion(said: Mapping[str, Any], where: str, secret: str) -> Completion:
    response, error = _object(said.get("response")), said.get("error")
    if not response:
        raise _unanswered(error, where, secret)
    status, body = count(response.get("status_code")) or 0, response.get("body")
    if 200 <= status < 300:
        # Nobody waited for it: how long it took is not known, and the limits are not a call's.
        return completion_in(_object(body), {}, 0, where, secret)
    if 300 <= status < 600:
        raise status_error(status, body, {}, where, secret)
    raise broken("a reply without a status", where)


def _unanswered(error: object, where: str, secret: str) -> EngineError:
    if not error:
        return broken("neither a reply nor an error", where)
    stated = _object(error)
    text = " ".join(str(stated.get(part) or "") for part in ("code", "type", "message"))
    if _NEVER_ASKED.search(text):
        said = f"{where}: the batch ended before this request: {brief(text, secret)}"
        return EngineError(Trouble.UNAVAILABLE, said)
    return error_in_body({"error": error}, where, secret)


@dataclass(frozen=True, slots=True)
class Listed:
    """A batch in a provider's list."""

    remote: str
    created: datetime | None
    metadata: Mapping[str, Any]
    model: str | None
    requests: int
    """0: it does not say, or has not counted them yet."""


def page_in(page: Mapping[str, Any]) -> list[Listed]:
    """The batches on a page of the list."""
    entries = page.get("data")
    found = (_object(entry) for entry in (entries if isinstance(entries, list) else []))
    return [_listed(entry) for entry in found if isinstance(entry.get("id"), str)]


def _listed(entry: Mapping[str, Any]) -> Listed:
    model = entry.get("model")
    return Listed(
        remote=entry["id"],
        created=_moment(entry.get("created_at")),
        metadata=_object(entry.get("metadata")),
        model=model if isinstance(model, str) else None,
        requests=count(_object(entry.get("request_counts")).get("total")) or 0,
    )


def is_older(listed: Listed, since: datetime) -> bool:
    """Whether it, and so all that comes behind it, began before that moment on any clock."""
    return listed.created is not None and listed.created < since - SKEW


def begun_by(order: Order, since: datetime, listed: Iterable[Listed]) -> Sequence[str]:
    """Which of them are this order's: those of its name. Where there is none, those without any
    metadata that began since then for the same model with as many requests, and may be."""
    recent = [one for one in listed if not is_older(one, since)]
    named = [one.remote for one in recent if one.metadata.get(OURS) == order.name]
    alike = [one for one in recent if not one.metadata and _is_like(one, order)]
    return named or [one.remote for one in sorted(alike, key=lambda one: -one.requests)]


def _is_like(listed: Listed, order: Order) -> bool:
    models = {item.request.model_name for item in order.items}
    same_model = listed.model is None or listed.model in models
    return same_model and listed.requests in (0, len(order.items)) and listed.created is not None


def _moment(stated: object) -> datetime | None:
    """Seconds since 1970, as OpenAI has it, or a moment in words."""
    try:
        if isinstance(stated, str):
            moment = datetime.fromisoformat(stated)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return datetime.fromtimestamp(stated, UTC) if isinstance(stated, int | float) else None
    except (ValueError, OverflowError, OSError):
        return None


def _encoded(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
