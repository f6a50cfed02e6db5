"""Looking: how far a batch is, its answers, what it cost and who saw it."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from models.states import DocumentState, JobState
from models.terminal import plain, to_json
from models.words import TaskType, Zone
from producer.cli.options import AsJson, Batch, ByChoice, FormatChoice, OneBatch, text
from producer.places import readable

LOOK_S = 0.5
"""How often watch looks."""


def watch(batch: Batch, as_json: AsJson = False) -> None:
    """Show a batch's progress until it is finished; --json prints a line per change."""
    follow(batch, as_json)


def follow(batch: int, as_json: bool, check: Callable[[], None] | None = None) -> None:
    """Follow a batch to its end, whatever its jobs come to. `check` looks each time after
    workers of one's own: while they start, they are not missing."""
    from producer import query

    query.require(batch)
    if as_json:
        _follow_in_lines(batch)
        return
    from producer import render
    from producer.cli.progress import Progress

    with Progress() as progress:
        while True:
            found = query.status(batch)
            if check is not None:
                found["unserved"] = []
            notes = render.notes(found, query.failures(batch), query.troubles(batch))
            progress.show(found, query.stages(batch), notes)
            if query.is_over(found):
                break
            if check is not None:
                check()
            time.sleep(LOOK_S)
    _show_status(found)


def _follow_in_lines(batch: int) -> None:
    from producer import query

    last: dict[str, Any] | None = None
    while True:
        found = query.status(batch)
        said = query.status_json(found)
        changed = {**said, "expected_finish": None}  # which every look sees a little otherwise
        if changed != last:
            print_json(said)
            last = changed
        if query.is_over(found):
            return
        time.sleep(LOOK_S)


def status(batch: Batch, as_json: AsJson = False) -> None:
    """How far a batch is, what it cost, what stands still and what went wrong, and why."""
    from producer import query

    found = query.status(batch)
    if as_json:
        print_json(query.status_json(found))
    else:
        _show_status(found)


def _show_status(found: dict[str, Any]) -> None:
    from producer import query, render
    from producer.money import shown_currency

    batch = found["batch"]
    costs = query.costs_explained(batch, "model") if found["cost_unknown_calls"] else []
    render.status(
        found,
        query.stages(batch),
        query.failures(batch),
        query.troubles(batch),
        costs,
        shown_currency(),
    )


def receipt(batch: Batch, as_json: AsJson = False) -> None:
    """Which engines, hosts and models saw any text of a batch."""
    from producer.receipt import receipt as made

    found = made(batch)
    if as_json:
        print_json(found)
    else:
        from producer import render

        render.receipt(found)


def list_batches(as_json: AsJson = False) -> None:
    """Every batch, newest first."""
    from producer import query

    found = query.batches()
    if as_json:
        print_json(found)
    else:
        from producer import render

        render.batches(found, query.held_jobs(), query.troubles())


def documents(
    batch: Batch,
    state: Annotated[
        DocumentState | None, typer.Option(help="Only documents in this state.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What became of each document: read, read in part, or why not."""
    from producer import query

    rows = query.documents(batch, state)
    if as_json:
        from producer.export import write_documents

        write_documents(rows, sys.stdout)
    else:
        from producer import render

        render.documents(rows)


def costs(
    batch: OneBatch = None,
    by: Annotated[ByChoice, typer.Option(help="What to sum up by.")] = ByChoice.MODEL,
    as_json: AsJson = False,
) -> None:
    """What the calls cost, from the ledger, in USD; what is not known is said to be unknown."""
    from producer import query

    readings = by is ByChoice.ESCALATION
    if as_json:
        print_json(query.escalations(batch) if readings else query.costs(batch, by))
    else:
        from producer import render
        from producer.money import shown_currency

        if not readings:
            render.costs(query.costs_explained(batch, by), by, shown_currency())
        render.escalations(query.escalations(batch))


def engines(as_json: AsJson = False) -> None:
    """Who serves which model where, how fast, at what cost, and from when its machine pays."""
    from producer import query

    if as_json:
        print_json(query.engines())
    else:
        from producer import render

        render.engines(query.engines())


def results(
    batch: OneBatch = None,
    document: Annotated[
        str | None,
        typer.Option(parser=readable, help="Only this document, by path or file name."),
    ] = None,
    ask: Annotated[
        str | None,
        typer.Option(parser=text, help="Only this ask, by name or text."),
    ] = None,
    task: Annotated[TaskType | None, typer.Option(help="Only this task type.")] = None,
    tier: Annotated[
        Zone | None, typer.Option(help="Only this zone of engines: in the building, or not.")
    ] = None,
    state: Annotated[JobState | None, typer.Option(help="Only jobs in this state.")] = None,
    format: Annotated[
        FormatChoice,
        typer.Option(help="csv is for spreadsheets, the others but table for programs."),
    ] = FormatChoice.TABLE,
    out: Annotated[
        Path | None, typer.Option(help="Write to this file instead of the terminal.")
    ] = None,
    with_documents: Annotated[
        bool,
        typer.Option(
            "--with-documents",
            help="After the answers of a batch also its documents that were not read, or in part.",
        ),
    ] = False,
) -> None:
    """Answers, one row per job, as a table or for programs and spreadsheets."""
    from producer import export, query

    if format is FormatChoice.PARQUET and out is None:
        raise typer.BadParameter("--format parquet needs --out FILE")
    if with_documents and batch is None:
        raise typer.BadParameter("--with-documents needs the number of a batch")
    rows = query.results(batch, document=document, ask=ask, task=task, tier=tier, state=state)
    if with_documents and batch is not None:
        rows = chain(rows, query.unread(batch))
    if format is FormatChoice.TABLE:
        from producer import render

        render.results(rows)
    elif format is FormatChoice.PARQUET and out is not None:
        export.write_parquet(rows, out, query.answer_keys(batch))
    else:
        with opened(out) as file:
            match format:
                case FormatChoice.CSV:
                    export.write_csv(rows, file, query.answer_keys(batch))
                case FormatChoice.JSON:
                    export.write_json(rows, file)
                case FormatChoice.JSONL:
                    export.write_jsonl(rows, file)


@contextmanager
def opened(out: Path | None) -> Iterator[TextIO]:
    """The file to write to; None: standard output, which stays open."""
    if out is None:
        yield plain(sys.stdout) if sys.stdout.isatty() else sys.stdout
        sys.stdout.flush()
    else:
        with out.open("w", encoding="utf-8", newline="") as file:
            yield file


def print_json(value: Any) -> None:
    """One line for programs."""
    typer.echo(to_json(value))
