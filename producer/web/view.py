"""Rows made into HTML: the templates, and the words and numbers in them. Everything is escaped."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from models.reasons import FieldOutcome
from producer.corrections import unruled
from producer.costs import brought
from producer.money import usd
from producer.render import brief, worst
from producer.sentences import asked, bulk, cost_reason, escalation, field_check

STOP_POLLING = 286
"""htmx: show this, and ask no more."""

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(name: str, status_code: int = 200, **context: Any) -> HTMLResponse:
    """A template as a response."""
    return HTMLResponse(_templates.get_template(name).render(context), status_code)


def refusal_page(status_code: int, message: str) -> HTMLResponse:
    """A page that says why not."""
    return page("error.html", status_code, message=message, retry=False)


def error_page(request: Request, status_code: int, message: str) -> HTMLResponse:
    """What went wrong, as a page, or as a line where htmx asked for a part of one."""
    if "hx-request" in request.headers:
        return page("_error.html", status_code, message=message)
    # a page that was only looked at may look again by itself; a form must not be sent twice
    retry = status_code == 503 and request.method == "GET"
    return page("error.html", status_code, message=message, retry=retry)


def count(number: float | None) -> str:
    """A number with thousands; a dash where nothing was reported."""
    return "–" if number is None else f"{number:,}"


def plural(number: int, noun: str) -> str:
    """1 job, 2 jobs."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def moment(iso: str | None) -> str:
    """A time as the database's rows have it; a dash where there is none."""
    return "–" if iso is None else in_utc(datetime.fromisoformat(iso))


def in_utc(moment: datetime) -> str:
    """A time to the second, in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def short(text: str, most: int) -> str:
    """One line of at most so many characters."""
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most - 1] + "…"


def pages(ends: list[int | None] | None) -> str:
    """3, or 3-4."""
    return "–".join(str(end) for end in dict.fromkeys(ends or ()) if end is not None)


def pretty(value: Any) -> str:
    """JSON that a person can read."""
    return json.dumps(value, ensure_ascii=False, indent=2)


def typed(value: Any) -> str:
    """A value as a person would type it: texts as they are, nothing for null, else JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def query(given: Mapping[str, Any]) -> str:
    """A query string of what is given, with its question mark."""
    kept = {key: value for key, value in given.items() if value is not None}
    return f"?{urlencode(kept)}" if kept else ""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value of an answer; `span` is where it stands in the document's text, `check` what its
    checks came to."""

    path: str
    value: Any
    span: tuple[int, int] | None
    check: Mapping[str, Any] | None = None


def leaves(value: Any, spans: Mapping[str, Any], checks: Mapping[str, Any]) -> Iterator[Leaf]:
    """Every value of an answer, with the paths by which spans and checks name them; a list or an
    object where a check is about it, and at the end what the answer lacks altogether."""
    shown = set()
    for leaf in _leaves(value, spans, checks, ""):
        shown.add(leaf.path)
        yield leaf
    yield from (Leaf(name, None, None, checks[name]) for name in checks if name not in shown)


def _leaves(
    value: Any, spans: Mapping[str, Any], checks: Mapping[str, Any], path: str
) -> Iterator[Leaf]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        name = f"{path}.{key}" if path else str(key)
        if isinstance(item, (dict, list)):
            if name in checks:  # what the checks say of a list as a whole
                said = _items(len(item)) if isinstance(item, list) else item
                yield Leaf(name, said, None, checks[name])
            yield from _leaves(item, spans, checks, name)
        else:
            start, end = spans.get(name) or (None, None)
            span = None if start is None or end is None else (start, end)
            yield Leaf(name, item, span, checks.get(name))


def _items(number: int) -> str:
    return "1 item" if number == 1 else f"{number} items"


def sure_spans(checks: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Where the values stand that are sure, in whatever form."""
    sure = FieldOutcome.SURE
    return {
        path: each["span"]
        for path, each in checks.items()
        if each["outcome"] == sure and each.get("span")
    }


@dataclass(frozen=True, slots=True)
class Run:
    """A run of text and the values that stand in it."""

    text: str
    names: tuple[str, ...]


def runs(text: str, start: int, spans: Mapping[str, Any]) -> list[Run]:
    """Text cut where a span begins or ends; `start` is the text's place in its document."""
    size = len(text)
    places = {
        name: (max(begin - start, 0), min(end - start, size))
        for name, (begin, end) in spans.items()
        if begin - start < size and end > start
    }
    cuts = sorted({0, size, *chain.from_iterable(places.values())})
    return [
        Run(
            text[begin:end],
            tuple(name for name, (first, last) in places.items() if first <= begin and end <= last),
        )
        for begin, end in pairwise(cuts)
    ]


_templates.filters.update(
    usd=usd,
    brought=brought,
    cost_reason=cost_reason,
    field_check=field_check,
    worst=worst,
    unruled=unruled,
    typed=typed,
    count=count,
    moment=moment,
    short=short,
    pages=pages,
    brief=brief,
    pretty=pretty,
)
_templates.globals.update(
    asked=asked,
    bulk=bulk,
    escalation=escalation,
    moment=moment,
    plural=plural,
    query=query,
    runs=runs,
)
