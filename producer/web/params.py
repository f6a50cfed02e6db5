"""What a browser sends, checked: numbers, filters and forms, each of them bounded."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request

from models.bounds import MOST_PRIORITY, MOST_USD
from models.errors import NotFound
from models.states import JobState
from models.words import TaskType, Zone

MOST_DIGITS = 18
"""What fits into a bigint whatever the digits are."""

MOST_PATH = 4_096
MOST_FORM_BYTES = 4_096
MOST_FORM_FIELDS = 8


@dataclass(frozen=True, slots=True)
class Filters:
    """Which results to show. `ask` is an ask's number, from 1."""

    document: str | None = None
    ask: int | None = None
    task: str | None = None
    tier: str | None = None
    state: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The filters by name, for SQL and for links."""
        return asdict(self)


def wrong(message: str) -> HTTPException:
    """What a page answers to something it cannot use."""
    return HTTPException(400, message)


def path_number(request: Request, name: str) -> int:
    """A number in the page's address. Raises NotFound."""
    raw = request.path_params[name]
    if not _is_number(raw):
        raise NotFound(f"there is no {name} {raw[:40]}")
    return int(raw)


def query_number(request: Request, name: str) -> int | None:
    """A number after the question mark."""
    raw = request.query_params.get(name, "")
    if not raw:
        return None
    if not _is_number(raw):
        raise wrong(f"{name} must be a number, found {raw[:40]!r}")
    return int(raw)


def _is_number(raw: str) -> bool:
    return raw.isascii() and raw.isdigit() and len(raw) <= MOST_DIGITS


def query_word(request: Request, name: str, allowed: Iterable[str]) -> str | None:
    """One of a few words after the question mark."""
    raw = request.query_params.get(name, "")
    if not raw:
        return None
    if raw not in allowed:
        raise wrong(f"{name} must be one of {', '.join(allowed)}; found {raw[:40]!r}")
    return raw


def read_filters(request: Request) -> Filters:
    """The filters of a results table."""
    document = request.query_params.get("document", "").strip()
    if len(document) > MOST_PATH or "\x00" in document:
        raise wrong(f"document must be a path of at most {MOST_PATH} characters")
    ask = query_number(request, "ask")
    if ask is not None and ask > 100:
        raise wrong(f"ask must be a number up to 100, found {ask}")
    return Filters(
        document=document or None,
        ask=ask,
        task=query_word(request, "task", list(TaskType)),
        tier=query_word(request, "tier", list(Zone)),
        state=query_word(request, "state", list(JobState)),
    )


async def read_form(request: Request, most_bytes: int = MOST_FORM_BYTES) -> dict[str, str]:
    """The fields of a small form; no file can be sent."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > most_bytes:
            raise HTTPException(413, "the form is too long")
    try:
        return dict(parse_qsl(body.decode(), max_num_fields=MOST_FORM_FIELDS))
    except ValueError as exc:
        raise wrong("the form cannot be read") from exc


def form_priority(form: Mapping[str, str]) -> int:
    """The priority in a form."""
    raw = form.get("priority", "").strip()
    digits = raw.removeprefix("-")
    if not _is_number(digits) or abs(int(raw)) > MOST_PRIORITY:
        raise wrong(
            f"priority must be a whole number from -{MOST_PRIORITY} to {MOST_PRIORITY}, "
            f"found {raw[:40]!r}"
        )
    return int(raw)


def form_budget(form: Mapping[str, str]) -> Decimal | None:
    """The budget in a form, in USD; None when it was left empty."""
    raw = form.get("max_cost", "").strip()
    if not raw:
        return None
    try:
        amount = Decimal(raw)
    except InvalidOperation:
        raise wrong(f"the budget must be an amount in USD, found {raw[:40]!r}") from None
    if not amount.is_finite() or not 0 <= amount <= MOST_USD:
        raise wrong(f"the budget must be from 0 to {MOST_USD} USD, found {raw[:40]!r}")
    return amount


def form_reason(form: Mapping[str, str]) -> str | None:
    """The category of failures to retry; None: all."""
    raw = form.get("reason", "")
    if len(raw) > 200 or "\x00" in raw:
        raise wrong("reason must be a category of failures, as the batch page shows them")
    return raw or None
