"""The reads that only the page needs: bounded, so that a page never loads a whole batch."""

from collections.abc import Mapping
from typing import Any

from models.boxes import PageBoxes
from models.errors import NotFound
from producer.query import (
    Row,
    every,
    known_cost,
    moment,
    money,
    one,
    result_row,
    value_keys,
)
from producer.web.facsimile import PageWords


def page_batches(before: int | None, most: int) -> list[dict[str, Any]]:
    """One page of batches, newest first, with their costs: what the web page lists."""
    return [
        {
            **row,
            "cost_usd": known_cost(row["cost_usd"], row["calls"]),
            "created_at": moment(row["created_at"]),
        }
        for row in every("page_batches", before=before, most=most)
    ]


def page_frame(batch: int) -> Row:
    """A batch's asks (numbered from 1), budget and birth. Raises NotFound."""
    row = one("page_frame", batch=batch)
    if row is None:
        raise NotFound(f"there is no batch {batch}")
    return {
        "created_at": moment(row["created_at"]),
        "max_cost_usd": money(row["max_cost_usd"]),
        "asks": row["asks"] or [],
    }


def page_results(
    batch: int, filters: Mapping[str, str | int | None], after: int | None, most: int
) -> list[dict[str, Any]]:
    """Up to `most` results that follow job `after`; the ask is filtered by its number."""
    order = {key: place for place, key in enumerate(value_keys(batch))}
    rows = every("page_results", batch=batch, after=after, most=most, **filters)
    return [result_row(row, order) for row in rows]


def page_job(batch: int, job: int) -> dict[str, Any]:
    """One job with its answer. Raises NotFound."""
    row = one("page_job", batch=batch, job=job)
    if row is None:
        raise NotFound(f"there is no job {job} in batch {batch}")
    order = {key: place for place, key in enumerate(value_keys(batch))}
    return {**result_row(row, order), "finished_at": moment(row["finished_at"])}


def page_job_texts(job: int, most: int) -> list[Row]:
    """The pieces of text that a job looks at, in their order."""
    return sorted(every("page_job_texts", job=job, most=most), key=lambda row: row["ordinal"])


def page_job_boxes(job: int, at: int) -> PageWords | None:
    """The page of a job's document on which character `at` of its text should stand; None: of none
    before there it is known where its words stand."""
    row = one("page_job_boxes", job=job, at=at)
    if row is None:
        return None
    boxes = PageBoxes.of_compact(row["ratio"], row["words"])
    return PageWords(row["page"], row["char_start"], boxes, row["pieces"] or [])


def page_job_calls(job: int, most: int) -> list[dict[str, Any]]:
    """A job's calls, oldest first."""
    return [
        {**row, "cost_usd": money(row["cost_usd"]), "started_at": moment(row["started_at"])}
        for row in every("page_job_calls", job=job, most=most)
    ]
