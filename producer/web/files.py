"""Results as downloads: streamed block by block, whatever the size of the batch."""

from collections.abc import Callable, Generator, Iterator, Mapping
from io import StringIO
from itertools import chain, islice
from threading import BoundedSemaphore
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from models.errors import NotFound
from producer import export, query
from producer.web import query as page_query
from producer.web.params import Filters, path_number, read_filters

BLOCK = 500
"""Rows made into text at a time."""

AT_ONCE = 4
"""Downloads at a time: each holds connections, and the pages need some too."""

Rows = Iterator[dict[str, Any]]
Blocks = Generator[str, None, None]
Headers = Mapping[str, str]

_turns = BoundedSemaphore(AT_ONCE)


def download(request: Request) -> StreamingResponse:
    """The results that the filters leave, as CSV or JSON lines."""
    batch = path_number(request, "batch")
    form = request.path_params["form"]
    if form not in FORMS:
        raise HTTPException(404)
    media_type, blocks_of = FORMS[form]
    rows = query.results(batch, **_filters(batch, read_filters(request)))
    blocks = _in_turn(blocks_of(batch, rows))
    first = next(blocks, "")  # what goes wrong at once still becomes a page that says so
    headers = {"content-disposition": f'attachment; filename="batch-{batch}.{form}"'}
    return _Stream(first, blocks, media_type, headers)


class _Stream(StreamingResponse):
    """Closes its rows, and with them a connection, when the browser goes away too."""

    def __init__(self, first: str, blocks: Blocks, media_type: str, headers: Headers) -> None:
        super().__init__(chain((first,), blocks), media_type=media_type, headers=headers)
        self._blocks = blocks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send everything, or as much as is wanted."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._blocks.close()


def _in_turn(blocks: Iterator[str]) -> Blocks:
    if not _turns.acquire(blocking=False):
        raise HTTPException(503, f"{AT_ONCE} downloads are under way; try again when one has ended")
    try:
        yield from blocks
    finally:
        _turns.release()


def _filters(batch: int, filters: Filters) -> dict[str, Any]:
    asks = {ask["number"]: ask["label"] for ask in page_query.page_frame(batch)["asks"]}
    if filters.ask is not None and filters.ask not in asks:
        raise NotFound(f"batch {batch} has no ask {filters.ask}")
    return {**filters.as_dict(), "ask": asks.get(filters.ask)}


def _csv(batch: int, rows: Rows) -> Iterator[str]:
    keys = query.answer_keys(batch)
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
