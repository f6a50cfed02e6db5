"""The pages that are only looked at. Plain functions: Starlette runs them in its thread pool."""

from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from models.states import BatchState, DocumentState, JobState
from models.words import TaskType, Zone
from producer import query
from producer.costs import total
from producer.deadline import deadline_line, eta
from producer.money import shown_currency
from producer.receipt import receipt as receipt_of
from producer.render import said_of, submit_line
from producer.review import counted, history
from producer.web import query as page_query
from producer.web.params import path_number, query_number, query_word, read_filters
from producer.web.view import STOP_POLLING, in_utc, leaves, page, sure_spans

BATCHES = 50
RESULTS = 100
CALLS = 100
PIECES = 10
COST_KEYS = ("model", "task", "batch", "day")


def batches(request: Request) -> Response:
    """Every batch, newest first, kept up to date."""
    return page("batches.html", **_batches(request))


def batches_live(request: Request) -> Response:
    """The part of `batches` that htmx asks for again and again."""
    return page("_batches.html", **_batches(request))


def _batches(request: Request) -> dict[str, Any]:
    before = query_number(request, "before")
    found = page_query.page_batches(before, BATCHES + 1)
    following = found[BATCHES - 1]["batch"] if len(found) > BATCHES else None
    return {
        "batches": found[:BATCHES],
        "before": before,
        "following": following,
        "troubles": query.troubles(),
        "currency": shown_currency(),
    }


def batch(request: Request) -> Response:
    """One batch: progress, buttons and a page of results."""
    number = path_number(request, "batch")
    live = _progress(number)
    filters = read_filters(request)
    after = query_number(request, "after")
    rows = page_query.page_results(number, filters.as_dict(), after, RESULTS + 1)
    return page(
        "batch.html",
        **live,
        frame=page_query.page_frame(number),
        filters=filters.as_dict(),
        after=after,
        rows=rows[:RESULTS],
        following=rows[RESULTS - 1]["job"] if len(rows) > RESULTS else None,
        tasks=list(TaskType),
        tiers=list(Zone),
        states=list(JobState),
        now=datetime.now(UTC).isoformat(),
        to_review=counted(number),
    )


def batch_live(request: Request) -> Response:
    """The part of `batch` that htmx asks for, until nothing changes any more."""
    live = _progress(path_number(request, "batch"))
    return page("_batch.html", STOP_POLLING if live["over"] else 200, **live)


def _progress(number: int) -> dict[str, Any]:
    found, stages = query.status(number), query.stages(number)
    documents, held = found["documents"], bool(found["jobs"].get(JobState.HELD))
    steerable = found["state"] not in (BatchState.CANCELLED, BatchState.PURGED)
    return {
        "found": found,
        "stages": stages,
        "eta": eta(documents, stages),
        "deadline": deadline_line(found, stages, datetime.now(UTC), in_utc),
        "failures": query.failures(number),
        "troubles": query.troubles(number),
        "submit": submit_line(number, found["submit"], sum(documents.values())),
        "steerable": steerable,
        "held": held,
        "documents": sum(documents.values()),
        "unread": documents.get("pending", 0) + documents.get("running", 0),
        # jobs that are held may go on at any moment
        "over": query.is_over(found) and not (held and steerable),
        "currency": shown_currency(),
    }


def documents(request: Request) -> Response:
    """A page of what became of each document of a batch."""
    number = path_number(request, "batch")
    state = query_word(request, "state", list(DocumentState))
    after = query_number(request, "after")
    rows = list(query.documents(number, state, after=after, most=RESULTS + 1))
    return page(
        "documents.html",
        batch=number,
        rows=[{**row, "said": said_of(row)} for row in rows[:RESULTS]],
        state=state,
        states=list(DocumentState),
        after=after,
        following=rows[RESULTS - 1]["document_id"] if len(rows) > RESULTS else None,
    )


def cancel(request: Request) -> Response:
    """Ask once more: a cancelled batch does not come back."""
    return page("cancel.html", found=query.status(path_number(request, "batch")))


def job(request: Request) -> Response:
    """One job: its answer, the text with the values marked, and its calls."""
    found = page_query.page_job(path_number(request, "batch"), path_number(request, "job"))
    checks = found["fields"] or {}
    spans = sure_spans(checks) | (found["spans"] or {})
    value = found["value"]
    return page(
        "job.html",
        job=found,
        spans=spans,
        leaves=list(leaves(value, spans, checks)) if isinstance(value, (dict, list)) else [],
        texts=page_query.page_job_texts(found["job"], PIECES),
        history=history(found["job"]) if found["corrected"] else [],
        calls=page_query.page_job_calls(found["job"], CALLS),
        currency=shown_currency(),
    )


def costs(request: Request) -> Response:
    """The ledger summed up, for all batches or one."""
    by = query_word(request, "by", COST_KEYS) or COST_KEYS[0]
    number = query_number(request, "batch")
    rows = query.costs_explained(number, by)
    return page(
        "costs.html",
        rows=rows,
        readings=query.escalations(number),
        total=total(rows),
        currency=shown_currency(),
        by=by,
        keys=COST_KEYS,
        batch=number,
    )


def receipt(request: Request) -> Response:
    """Who saw any text of a batch."""
    return page("receipt.html", found=receipt_of(path_number(request, "batch")))
