"""What calls cost, and who saw a batch."""

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from producer.costs import brought, cells, headings, reasons, total
from producer.money import Currency
from producer.render.terminal import Row, answered_by, console, counted, plain_table


def costs(rows: Sequence[Row], by: str, currency: Currency | None) -> None:
    """The ledger summed up; with a currency beside USD, with a total too."""
    if not rows:
        console.print("no calls yet")
        return
    console.print(_costs(rows, by, currency), crop=currency is None)
    estimate = f"estimate in {currency.code}" if currency else "estimate"
    console.print(f"* {estimate}: what the same tokens cost at the frontier model", style="dim")
    if currency:
        console.print(currency.rate, style="dim", highlight=False)
    unknown = sum(row["unknown_price_calls"] for row in rows)
    lost = sum(row["lost_calls"] for row in rows)
    reused = sum(row["reused_answers"] for row in rows)
    if unknown:
        why = escape("; ".join(reasons(rows)))
        console.print(f"{counted(unknown, 'call')} of unknown cost, not in USD: {why}", style="dim")
    if reused:
        said = "answered without a call, from identical requests; they count in frontier* only"
        console.print(f"{counted(reused, 'job')} {said}", style="dim")
    if lost:
        console.print(f"{counted(lost, 'call')} lost: their upper bound is in USD", style="dim")


def escalations(rows: Sequence[Row]) -> None:
    """What second readings brought, a line for each batch."""
    for row in rows:
        console.print(escape(brought(row)), style="dim", highlight=False)


def _costs(rows: Sequence[Row], by: str, currency: Currency | None) -> Table:
    table = plain_table(title=f"costs by {by}")
    if currency is None:
        table.add_column(by, no_wrap=True, max_width=20)
        table.add_column("by", no_wrap=True)
    else:  # one more column of numbers: names are folded, and who answered stands below them
        table.add_column(f"{by}, by", overflow="fold", min_width=8, max_width=20)
    for column in headings(currency):
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        names = [escape(str(row["key"])), answered_by(row)]
        table.add_row(*(["\n".join(names)] if currency else names), *cells(row, currency))
    if currency:
        table.add_section()
        table.add_row("total", *cells(total(rows), currency))
    return table


def receipt(found: Row) -> None:
    """Who saw the batch."""
    table = plain_table(title=f"receipt of batch {found['batch']} ({found['policy']})")
    for column in ("tier", "engine", "host", "model"):
        table.add_column(column, overflow="fold")
    for column in ("calls", "lost", "jobs", "chunks"):
        table.add_column(column, justify="right")
    table.add_column("chunks' SHA-256")
    for row in found["engines"]:
        table.add_row(
            row["tier"] + (" (stand-in)" if row["stand_in"] else ""),
            row["engine"],
            row["host"],
            escape(row["model"]),
            str(row["calls"]),
            str(row["lost_calls"]),
            str(row["jobs"]),
            str(row["chunks"]),
            (row["chunks_sha256"] or "-")[:12],
        )
    console.print(table)
    for row in found["reused"]:
        batches = ", ".join(map(str, row["from_batches"]))
        console.print(
            f"{counted(row['answers'], 'job')} answered without a call: {escape(row['model'])} at "
            f"{row['host']} had answered the same in batch {batches}"
        )
    if found["pinned"]:
        kinds = ", ".join(f"{escape(kind)} in {n}" for kind, n in found["pinned"].items())
        console.print(f"chunks kept local for private data: {kinds}")
    console.print(found["statement"])
    console.print("--json has the hashes in full", style="dim")
