"""Answers."""

from collections.abc import Iterable, Mapping

from rich.markup import escape

from models.reasons import FieldOutcome
from producer.corrections import unruled
from producer.render.terminal import (
    ASK_WIDTH,
    DOCUMENT_WIDTH,
    FIELD_MARKS,
    MOST_ROWS,
    STYLES,
    Row,
    answered_by,
    brief,
    console,
    plain_table,
    short,
)

FIELD_NOTE = (
    "! the text speaks against a value, ? somebody should look at one; the page and --format jsonl "
    "say at which, and why"
)

ACCEPTED: Mapping[bool | None, str] = {
    True: "[dim]accepted[/] ",
    False: "[yellow]for review[/] ",
    None: "",
}
"""Before an answer of a batch that states the error which it accepts."""

CORRECTED = "[cyan]✎[/] "
"""Before an answer that a person ruled on, in place of whether all of it stands in the text."""


def results(rows: Iterable[Row]) -> None:
    """The answers, short enough to read on 80 columns."""
    table, marked = plain_table(expand=True), False
    table.add_column("document", no_wrap=True, max_width=DOCUMENT_WIDTH)
    table.add_column("ask", no_wrap=True, max_width=ASK_WIDTH)
    table.add_column("by", no_wrap=True)
    table.add_column("answer (✓ all of it stands in the text, ✗ not all)", ratio=1)
    more = 0
    for number, row in enumerate(rows):
        if number >= MOST_ROWS:
            more += 1
            continue
        table.add_row(*_result_cells(row))
        marked = marked or worst(unruled(row["fields"], row["corrected"])) in FIELD_MARKS
    console.print(table)
    if marked:
        console.print(FIELD_NOTE, style="dim")
    if more:
        console.print(f"... and {more} more; --format jsonl or csv prints all", style="dim")


def _result_cells(row: Row) -> list[str]:
    state = row["state"]
    name = row["document"].rsplit("/", 1)[-1]
    pages = "-".join(str(page) for page in dict.fromkeys(row["pages"] or ()) if page is not None)
    shown = "" if state == "done" else f"[{STYLES.get(state, 'default')}]{state}[/] "
    mark = {True: "[green]✓[/] ", False: "[red]✗[/] ", None: ""}[row["grounded"]]
    if row["corrected"]:
        mark = CORRECTED
    mark += FIELD_MARKS.get(worst(unruled(row["fields"], row["corrected"])), "")
    mark += ACCEPTED[row["accepted"]]
    return [
        escape(short(name, DOCUMENT_WIDTH - len(pages) - 2) + (f" p{pages}" if pages else "")),
        escape(short(row["ask"] or "", ASK_WIDTH)),
        answered_by(row),
        shown + mark + escape(_answer(row)),
    ]


def worst(fields: Mapping[str, Row] | None) -> FieldOutcome | None:
    """The worst outcome of an answer's checks; None: there is none."""
    found = {check["outcome"] for check in (fields or {}).values()}
    return next((each for each in reversed(FieldOutcome) if each in found), None)


def _answer(row: Row) -> str:
    if row["value"] is not None:
        return short(brief(row["value"]), 160)
    if row["error"]:
        return short(f"{row['error']['category']}: {row['error']['message']}", 160)
    return short(row["reason"] or "", 160)
