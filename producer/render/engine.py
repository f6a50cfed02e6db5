"""Who serves what."""

from collections.abc import Sequence

from rich.markup import escape

from producer import engines as of_engines
from producer.render.terminal import Row, console, plain_table


def engines(rows: Sequence[Row]) -> None:
    """Who serves what, and what it comes to."""
    if not rows:
        console.print("no worker serves an engine, and there were no calls in the last day")
        return
    table = plain_table(title="engines")
    for column in of_engines.HEADINGS:
        numbers = column in of_engines.NUMBERS
        table.add_column(
            column,
            justify="right" if numbers else "left",
            no_wrap=column != "where",
            min_width=11 if column == "where" else None,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*map(escape, of_engines.cells(row)))
    console.print(table)
    console.print("of the last day: at most its last 20,000 calls", style="dim")
    for said in (*of_engines.verdicts(rows), *of_engines.retiring(rows)):
        console.print(escape(said), style="dim", highlight=False)
