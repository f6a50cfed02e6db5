"""What became of documents."""

from collections.abc import Iterable

from rich.markup import escape

from models.terminal import one_line
from producer.render.terminal import MOST_ROWS, STYLES, Row, console, plain_table, short


def documents(rows: Iterable[Row]) -> None:
    """What became of each document."""
    table = plain_table(expand=True)
    table.add_column("document", overflow="fold", ratio=2)
    table.add_column("state", no_wrap=True)
    for column in ("pages", "jobs"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("why, and what is missing or odd", overflow="fold", ratio=3)
    more = 0
    for number, row in enumerate(rows):
        if number >= MOST_ROWS:
            more += 1
            continue
        style = STYLES.get(row["state"], "default")
        table.add_row(
            escape(one_line(row["document"])),
            f"[{style}]{row['state']}[/]",
            "-" if row["pages"] is None else str(row["pages"]),
            f"{row['jobs_finished']}/{row['jobs']}" if row["jobs"] else "-",
            escape(short("; ".join(said_of(row)), 400)),
        )
    console.print(table)
    if more:
        console.print(f"... and {more} more; --json prints all", style="dim")


def said_of(row: Row) -> list[str]:
    """What there is to be said of a document; a row of `query.documents`."""
    gaps = [f"missing: pages {gap['pages']} ({gap['why']})" for gap in row["missing"] or ()]
    return [*filter(None, [row["message"]]), *gaps, *row["notes"]]
