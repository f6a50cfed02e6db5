"""How things look on a terminal. Nothing else prints tables."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress
from rich.table import Table

from producer.costs import cells, headings, reasons, total
from producer.money import Currency, usd
from producer.sources import Refused
from producer.submit import Submitted

Row = Mapping[str, Any]

DOCUMENT_WIDTH, ASK_WIDTH = 20, 12

MOST_ROWS = 200
"""A terminal is no place for more; --format is."""

RECENT_S = 20
"""The span in which stages.sql counts recent ends; gives the ETA."""

console = Console()
errors = Console(stderr=True)

STYLES = {
    "done": "green",
    "failed": "red",
    "held": "yellow",
    "skipped": "dim",
    "cancelled": "dim",
    "running": "cyan",
}


def _table(title: str | None = None, *, expand: bool = False) -> Table:
    """Plain enough for 80 columns."""
    return Table(
        title=title,
        expand=expand,
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        title_justify="left",
    )


def submitted(result: Submitted) -> None:
    """What became of a submit."""
    for source in result.refused:
        refused(source)
    if result.batch is None:
        errors.print("[red]nothing was submitted:[/] no document could be used")
        return
    console.print(
        f"batch [bold]{result.batch}[/]: {_count(result.documents, 'document')} submitted"
        + (f", {len(result.refused)} refused" if result.refused else "")
    )
    console.print(f"follow it with: docmill watch {result.batch}", style="dim")


def refused(source: Refused) -> None:
    """One thing that could not be used."""
    errors.print(f"[yellow]refused[/] ({source.category}) {escape(source.message)}")


def status(
    found: Row,
    stages: Row,
    failures: Sequence[Row],
    costs: Sequence[Row],
    currency: Currency | None,
) -> None:
    """How far a batch is; `costs` are its rows of the ledger, where some calls have no price."""
    name = f" {escape(found['name'])}" if found["name"] else ""
    console.print(
        f"batch [bold]{found['batch']}[/]{name}: [bold]{found['state']}[/]  "
        f"({found['policy']}, priority {found['priority']})"
    )
    console.print(f"documents: {_counts(found['documents'])}")
    console.print(f"jobs:      {_counts(found['jobs'])}")
    if found["state"] in ("running", "paused"):
        console.print(f"eta:       {_eta(stages)}")
    console.print(f"cost:      {_cost_line(found['cost_usd'], currency)}")
    if unknown := found["cost_unknown_calls"]:
        why = escape("; ".join(reasons(costs)))
        console.print(f"unknown:   {_count(unknown, 'call')}, not in the cost: {why}")
    if failures:
        console.print(_failures(failures, found["batch"]))


def _counts(states: Mapping[str, int]) -> str:
    if not states:
        return "none yet"
    return ", ".join(
        f"[{STYLES.get(key, 'default')}]{n} {key}[/]" for key, n in sorted(states.items())
    )


def _cost_line(cost_usd: str | None, currency: Currency | None) -> str:
    if cost_usd is None:
        return "unknown"
    return f"{usd(cost_usd)} ({currency.amount(cost_usd)})" if currency else f"${cost_usd}"


def _eta(stages: Row) -> str:
    left = stages["total"] - stages["ended"]
    if not stages["recent"]:
        return "not known yet"
    seconds = round(left * RECENT_S / stages["recent"])
    return f"about {seconds // 60} min {seconds % 60:02d} s"


def _failures(failures: Sequence[Row], batch: int) -> Table:
    table = _table(title=f"what went wrong (docmill retry {batch} [--reason R] tries again)")
    for column in ("what", "state", "reason", "n", "for example"):
        table.add_column(column)
    for row in failures:
        example = f"{row['path']}: {row['message']}"
        table.add_row(
            row["kind"], row["state"], row["category"], str(row["n"]), escape(example[:200])
        )
    return table


def batches(found: Sequence[Row]) -> None:
    """Every batch in a line."""
    if not found:
        console.print("no batch yet; `docmill submit` makes one")
        return
    table = _table()
    table.add_column("batch", justify="right")
    table.add_column("name", no_wrap=True, max_width=12)
    for column in ("state", "policy", "docs"):
        table.add_column(column, no_wrap=True)
    for column in ("jobs", "open", "done", "failed", "held"):
        table.add_column(column, justify="right")
    for row in found:
        table.add_row(
            str(row["batch"]),
            escape(row["name"] or ""),
            row["state"],
            row["policy"] + (f" {row['priority']:+}" if row["priority"] else ""),
            f"{row['documents']}"
            + (f" ({row['documents_waiting']} to read)" if row["documents_waiting"] else ""),
            *(str(row[key]) for key in ("jobs", "open", "done", "failed", "held")),
        )
    console.print(table)


def results(rows: Iterable[Row]) -> None:
    """The answers, short enough to read on 80 columns."""
    table = _table(expand=True)
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
    console.print(table)
    if more:
        console.print(f"... and {more} more; --format jsonl or csv prints all", style="dim")


def _result_cells(row: Row) -> list[str]:
    state = row["state"]
    name = row["document"].rsplit("/", 1)[-1]
    pages = "-".join(str(page) for page in dict.fromkeys(row["pages"] or ()) if page is not None)
    shown = "" if state == "done" else f"[{STYLES.get(state, 'default')}]{state}[/] "
    mark = {True: "[green]✓[/] ", False: "[red]✗[/] ", None: ""}[row["grounded"]]
    return [
        escape(_short(name, DOCUMENT_WIDTH - len(pages) - 2) + (f" p{pages}" if pages else "")),
        escape(_short(row["ask"], ASK_WIDTH)),
        _by(row),
        shown + mark + escape(_answer(row)),
    ]


def _by(row: Row) -> str:
    return "stand-in" if row["stand_in"] else row["tier"] or ""


def _answer(row: Row) -> str:
    if row["value"] is not None:
        return _short(brief(row["value"]), 160)
    if row["error"]:
        return _short(f"{row['error']['category']}: {row['error']['message']}", 160)
    return _short(row["reason"] or "", 160)


def brief(value: Any) -> str:
    """An answer as a person would jot it down."""
    if isinstance(value, dict):
        if len(value) == 1:
            return brief(next(iter(value.values())))
        return ", ".join(f"{key}: {brief(item)}" for key, item in value.items())
    if isinstance(value, list):
        return "; ".join(map(brief, value))
    return "-" if value is None else value if isinstance(value, str) else json.dumps(value)


def _short(text: str, most: int) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most - 1] + "…"


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
        console.print(f"{_count(unknown, 'call')} of unknown cost, not in USD: {why}", style="dim")
    if reused:
        said = "answered without a call, from identical requests; they count in frontier* only"
        console.print(f"{_count(reused, 'job')} {said}", style="dim")
    if lost:
        console.print(f"{_count(lost, 'call')} lost: their upper bound is in USD", style="dim")


def _costs(rows: Sequence[Row], by: str, currency: Currency | None) -> Table:
    table = _table(title=f"costs by {by}")
    if currency is None:
        table.add_column(by, no_wrap=True, max_width=20)
        table.add_column("by", no_wrap=True)
    else:  # one more column of numbers: names are folded, and who answered stands below them
        table.add_column(f"{by}, by", overflow="fold", min_width=8, max_width=20)
    for column in headings(currency):
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        names = [escape(str(row["key"])), _by(row)]
        table.add_row(*(["\n".join(names)] if currency else names), *cells(row, currency))
    if currency:
        table.add_section()
        table.add_row("total", *cells(total(rows), currency))
    return table


def receipt(found: Row) -> None:
    """Who saw the batch."""
    table = _table(title=f"receipt of batch {found['batch']} ({found['policy']})")
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
            f"{_count(row['answers'], 'job')} answered without a call: {escape(row['model'])} at "
            f"{row['host']} had answered the same in batch {batches}"
        )
    if found["pinned"]:
        kinds = ", ".join(f"{escape(kind)} in {n}" for kind, n in found["pinned"].items())
        console.print(f"chunks kept local for private data: {kinds}")
    console.print(found["statement"])
    console.print("--json has the hashes in full", style="dim")


class Progress:
    """A bar per stage, kept up to date."""

    def __init__(self, batch: int) -> None:
        self._bars = RichProgress(
            TextColumn("{task.description:<10}"),
            BarColumn(bar_width=40),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            console=console,
        )
        self._tasks = {
            stage: self._bars.add_task(stage, total=None, note="")
            for stage in ("ingest", "classify", "run")
        }

    def __enter__(self) -> "Progress":
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def show(self, found: Row, stages: Row) -> None:
        """Draw one look at the batch."""
        documents = found["documents"]
        unread = documents.get("pending", 0) + documents.get("running", 0)
        total = sum(documents.values())
        self._update("ingest", total - unread, total, "documents")
        jobs = stages["total"]
        self._update("classify", jobs - stages["to_classify"], jobs, "jobs")
        note = (
            f"local {stages['local_running']} running, {stages['local_ready']} waiting; "
            f"frontier {stages['frontier_running']} running, {stages['frontier_ready']} waiting; "
            f"eta {_eta(stages)}"
            if stages["ended"] < jobs
            else "jobs"
        )
        self._update("run", stages["ended"], jobs, note)

    def _update(self, stage: str, done: int, total: int, note: str) -> None:
        self._bars.update(self._tasks[stage], completed=done, total=total, note=note)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
