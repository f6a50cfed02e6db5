"""Results as downloads: streamed block by block, whatever the size of the batch."""

from collections.abc import Callable, Iterator
from io import StringIO
from itertools import chain, islice
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import StreamingResponse

from models.errors import NotFound
from producer import export, query
from producer.web_params import Filters, path_number, read_filters

BLOCK = 500
"""Rows made into text at a time."""

Rows = Iterator[dict[str, Any]]


def download(request: Request) -> StreamingResponse:
    """The results that the filters leave, as CSV or JSON lines."""
    batch = path_number(request, "batch")
    form = request.path_params["form"]
    if form not in FORMS:
        raise HTTPException(404)
    media_type, blocks_of = FORMS[form]
    rows = query.results(batch, **_filters(batch, read_filters(request)))
    blocks = blocks_of(batch, rows)
    first = next(blocks, "")  # what goes wrong at once still becomes a page that says so
    return StreamingResponse(
        chain((first,), blocks),
        media_type=media_type,
        headers={"content-disposition": f'attachment; filename="batch-{batch}.{form}"'},
    )


def _filters(batch: int, filters: Filters) -> dict[str, Any]:
    asks = {ask["number"]: ask["label"] for ask in query.page_frame(batch)["asks"]}
    if filters.ask is not None and filters.ask not in asks:
        raise NotFound(f"batch {batch} has no ask {filters.ask}")
    return {**filters.as_dict(), "ask": asks.get(filters.ask)}


def _csv(batch: int, rows: Rows) -> Iterator[str]:
    keys = query.value_keys(batch)
    header = StringIO()
    export.write_csv((), header, keys)
    yield header.getvalue()
    while block := list(islice(rows, BLOCK)):
        text = StringIO()
        export.write_csv(block, text, keys)
        yield text.getvalue()[len(header.getvalue()) :]


def _jsonl(_: int, rows: Rows) -> Iterator[str]:
    while block := list(islice(rows, BLOCK)):
        text = StringIO()
        export.write_jsonl(block, text)
        yield text.getvalue()


FORMS: dict[str, tuple[str, Callable[[int, Rows], Iterator[str]]]] = {
    "csv": ("text/csv", _csv),
    "jsonl": ("application/x-ndjson", _jsonl),
}
