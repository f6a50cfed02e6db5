"""Reviewing on the page: source beside fields, one value after the other, by keyboard alone.

Who reviews is a name in a cookie: the page has no log-in, and a name proves nothing. Looking
changes nothing; what takes an answer or rules on it is a form.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from models.errors import InputError
from producer import review
from producer.corrections import Answer, at, find, leaves, named, open_fields
from producer.query import require
from producer.web import query as page_query
from producer.web.facsimile import Facsimile, facsimile
from producer.web.pages import PIECES
from producer.web.params import path_number, read_form, wrong
from producer.web.view import leaves as shown_leaves
from producer.web.view import page

COOKIE = "reviewer"
MOST_FORM_BYTES = 1_000_000
"""A summary may be long, and every letter of it takes up to nine signs in a form."""

QUOTED = "quoted by the check"
"""Beside the fields' names: what a check quotes from the text."""

Form = Mapping[str, str]
Spans = Mapping[str, Sequence[int]]


def start(request: Request) -> Response:
    """How much there is to review, and who does it."""
    batch = path_number(request, "batch")
    require(batch)
    return page(
        "review_start.html",
        batch=batch,
        counts=review.counted(batch),
        most=review.MOST_COUNTED,
        reviewer=_reviewer(request),
    )


async def take(request: Request) -> Response:
    """Take the next answer for this reviewer, and remember the name."""
    batch = path_number(request, "batch")
    form = await read_form(request)
    try:
        name = review.reviewer_name(form.get("by", ""))
    except InputError as exc:
        raise wrong(str(exc)) from exc
    response = RedirectResponse(await run_in_threadpool(_next, batch, name), status_code=303)
    response.set_cookie(COOKIE, quote(name), httponly=True, samesite="strict")
    return response


def look(request: Request) -> Response:
    """One answer: its text, its values, and the one that is looked at."""
    job = page_query.page_job(path_number(request, "batch"), path_number(request, "job"))
    answer, reviewer = review.answer_of(job["job"]), _reviewer(request)
    wanted = request.query_params.get("field") or _first(answer)
    path = find(answer, wanted) if wanted else ()
    texts = page_query.page_job_texts(job["job"], PIECES)
    checks = job["fields"] or {}
    spans = _spans(job, wanted, texts)
    target = wanted if wanted in spans else QUOTED
    return page(
        "review.html",
        job=job,
        field=wanted,
        value=at(answer.value, path),
        check=checks.get(wanted),
        seen=answer.last,
        corrected=answer.rulings or {},
        claimed_by=None if answer.claimed_by == reviewer else answer.claimed_by,
        held=reviewer is not None and answer.claimed_by == reviewer,
        spans=spans,
        target=target,
        facsimile=_facsimile(job["job"], spans, target),
        leaves=list(shown_leaves(job["value"], job["spans"] or {}, checks)),
        texts=texts,
        quoted=QUOTED,
    )


def _first(answer: Answer) -> str:
    """The field to look at: the worst one that is open, else the first."""
    paths = (named(path) for path, _ in leaves(answer.value))
    return next(iter(open_fields(answer)), None) or next(paths, "")


def _spans(job: Mapping[str, Any], field: str, texts: list[Mapping[str, Any]]) -> Spans:
    """Where the values stand, and under QUOTED the words that the check of the one that is looked
    at quotes."""
    checks = job["fields"] or {}
    found = {**(job["spans"] or {})}
    found |= {name: check["span"] for name, check in checks.items() if check.get("span")}
    words = (checks.get(field, {}).get("about") or "").split()
    quoted = re.compile(r"\W{1,60}".join(map(re.escape, words)), re.IGNORECASE)
    for piece in texts:
        if words and (place := quoted.search(piece["text"])):
            return {**found, QUOTED: [piece["char_start"] + each for each in place.span()]}
    return found


def _facsimile(job: int, spans: Spans, target: str) -> Facsimile | None:
    """The page on which the `target` stands; None: nobody knows where."""
    if target not in spans:
        return None
    found = page_query.page_job_boxes(job, spans[target][0])
    return facsimile(found, spans, target) if found else None


async def decide(request: Request) -> Response:
    """Do what a button says about a value, and go on to the next."""
    batch, job = path_number(request, "batch"), path_number(request, "job")
    reviewer = _reviewer(request)
    if reviewer is None:
        return RedirectResponse(f"/batches/{batch}/review", status_code=303)
    form = await read_form(request, MOST_FORM_BYTES)
    if form.get("do") == "stay":
        held = await run_in_threadpool(review.renew, job, reviewer)
        return Response(status_code=204 if held else 409)
    where = await run_in_threadpool(_decided, batch, job, reviewer, form)
    return RedirectResponse(where, status_code=303)


def _decided(batch: int, job: int, reviewer: str, form: Form) -> str:
    """Rule as the form says; where the reviewer goes from there."""
    page_query.page_job(batch, job)
    in_line = review.renew(job, reviewer)
    field, do = form.get("field", ""), form.get("do")
    seen = form.get("seen", "")
    if not seen.isascii() or not seen.isdecimal() or len(seen) > 18:
        raise wrong("the form lacks what its reviewer had seen; look at the answer again")
    match do:
        case "skip":
            review.skip(job, reviewer)
            return _next(batch, reviewer)
        case "confirm":
            review.correct(job, {}, reviewer, confirm=True, seen=int(seen))
        case "accept" | "absent" | "fix":
            review.correct(job, {field: _typed(do, form)}, reviewer, seen=int(seen))
        case _:
            raise wrong("a review accepts, fixes, calls absent, confirms or skips")
    if open_fields(review.answer_of(job)):
        return f"/batches/{batch}/review/{job}#here"
    return _next(batch, reviewer) if in_line else f"/batches/{batch}/jobs/{job}"


def _typed(do: str, form: Form) -> str | None:
    """The value of a form as `review.correct` takes it; browsers end lines with CR LF."""
    match do:
        case "accept":
            return None
        case "absent":
            return "null"
    if "value" not in form:
        raise wrong("write the right value, or say that the text does not have it")
    return form["value"].replace("\r\n", "\n")


def _next(batch: int, reviewer: str) -> str:
    """The page of the next answer; that of the whole review where none is left."""
    jobs = review.claim(batch, reviewer)
    return f"/batches/{batch}/review/{jobs[0]}#here" if jobs else f"/batches/{batch}/review"


def _reviewer(request: Request) -> str | None:
    """Who reviews, as the cookie says; None: nobody has said."""
    try:
        return review.reviewer_name(unquote(request.cookies.get(COOKIE, "")))
    except InputError:
        return None
