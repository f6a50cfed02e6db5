"""Gold sets."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.markup import escape

from producer.render.terminal import Row, console, counted, plain_table, short

if TYPE_CHECKING:
    from producer.gold import Added


def gold_added(name: str, added: "Added") -> None:
    """What became of rows that were to be added to a gold set."""
    console.print(
        f"{counted(added.fresh, 'row')} added to {escape(name)}, {added.replaced} replaced",
        highlight=False,
    )
    if added.unsettled:
        console.print(
            f"{counted(added.unsettled, 'answer')} left out, such as job {added.first_unsettled}: "
            "nobody ruled on some of their values; `docmill correct JOB --confirm` says that they "
            "are right",
            style="dim",
            highlight=False,
        )


def gold_sets(rows: Sequence[Row]) -> None:
    """Every gold set."""
    if not rows:
        console.print("no gold yet; `docmill gold add NAME BATCH` begins a set")
        return
    table = plain_table()
    table.add_column("set", overflow="fold")
    numbers = ("rows", "train", "held", "documents", "kept", "local_only")
    for column in numbers:
        table.add_column(column.replace("_", "-"), justify="right")
    for column in ("tasks", "licences"):
        table.add_column(column, overflow="fold")
    for row in rows:
        words = (escape(short(", ".join(row[key]), 120)) for key in ("tasks", "licences"))
        table.add_row(escape(row["name"]), *(f"{row[key]:,}" for key in numbers), *words)
    console.print(table)
