"""How far batches are, and what a person has to know of them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial

from rich.markup import escape
from rich.table import Table

from models.deadline import to_the_minute
from models.states import BatchState, JobState, SubmitState
from producer.costs import reasons
from producer.deadline import deadline_line, eta
from producer.money import Currency, usd
from producer.render.terminal import (
    NAME_WIDTH,
    STYLES,
    Row,
    clock,
    console,
    counted,
    note,
    plain_table,
)
from producer.sentences import bulk, interrupted

POLICIES = {"allow-frontier": "frontier"}
"""Shorter, where a column is narrow."""

PURGED = "purged: its documents, asks and answers are gone; its counts stay"

MOST_NOTES = 20
"""Lines about troubles and holds that are shown at once."""


def status(
    found: Row,
    stages: Row,
    failures: Sequence[Row],
    troubles: Sequence[Row],
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
        console.print(f"eta:       {eta(found['documents'], stages)}")
    now = datetime.now().astimezone()
    if line := deadline_line(found, stages, now, partial(to_the_minute, now=now)):
        console.print(f"deadline:  {line}")
    if found["accept"] is not None:
        console.print(f"accept:    {found['accept'].sentence()}", highlight=False)
    console.print(f"cost:      {_cost_line(found['cost_usd'], currency)}")
    if unknown := found["cost_unknown_calls"]:
        why = escape("; ".join(reasons(costs)))
        console.print(f"unknown:   {counted(unknown, 'call')}, not in the cost: {why}")
    _print_notes(notes(found, failures, troubles).values())
    failed = [row for row in failures if row["state"] == "failed"]
    if failed:
        again = f"docmill retry {found['batch']} [--reason R]"
        console.print(f"what went wrong ({escape(again)} tries again):")
        console.print(_failures(failed))


def notes(found: Row, failures: Sequence[Row], troubles: Sequence[Row]) -> dict[str, str]:
    """What a person has to know of a batch beside its numbers: lines, by what each is about."""
    lines = {}
    if line := submit_line(found["batch"], found["submit"], sum(found["documents"].values())):
        lines[f"submit {found['submit']}"] = line
    if found["state"] == BatchState.PURGED:
        lines["purged"] = PURGED
    for row in found["unserved"]:
        lines[f"unserved {row['queue']}"] = unserved_line(row)
    for row in found["bulks"]:
        lines[f"bulk {row['created_at']} {row['state']}"] = bulk(row, clock)
    fates = [row for row in failures if row["kind"] == "document" and row["mend"]]
    lines |= {f"documents {row['state']}": fate_line(row) for row in fates}
    held = [row for row in failures if row["state"] == JobState.HELD]
    lines |= {f"held {row['category']}": held_line(row) for row in held}
    return lines | {f"trouble {_place(row)}": trouble_line(row) for row in troubles}


def submit_line(batch: int, submit: str, documents: int) -> str | None:
    """What is to be said of a batch with so many documents, where not all are stored."""
    match submit:
        case SubmitState.INTERRUPTED:
            return interrupted(batch, documents)
        case SubmitState.UNDER_WAY:
            return f"submit is under way: {counted(documents, 'document')} stored so far"
    return None


def unserved_line(row: Mapping[str, str]) -> str:
    """Where nobody is at work; one of a status' `unserved`."""
    return f"no worker serves {row['queue']}: {row['mend']}"


def fate_line(row: Row) -> str:
    """Documents that were not read, or not all of it; one of `query.failures`."""
    example = f"{row['path']}: {row['message']}" if row["message"] else row["path"]
    return f"{row['state']}: {counted(row['n'], 'document')}: {row['mend']} (first: {example})"


def held_line(row: Row) -> str:
    """Why jobs are held; a row of `query.held_jobs`."""
    return f"held: {counted(row['jobs'], 'job')}: {row['message']}"


def trouble_line(row: Row) -> str:
    """What is not asked at present; a row of `query.troubles`."""
    until = f", tried again at {clock(row['until'])}" if row["until"] else ""
    return (
        f"not asked: {_place(row)} since {clock(row['since'])}{until}: {row['message']}; "
        f"{row['mend']}"
    )


def _place(row: Row) -> str:
    what = f"{row['engine']}/{row['model']}" if row["model"] else f"engine {row['engine']}"
    return f"{what} at {row['host']}"


def _print_notes(lines: Iterable[str]) -> None:
    every = list(lines)
    for line in every[:MOST_NOTES]:
        note(line)
    if len(every) > MOST_NOTES:
        console.print(f"... and {len(every) - MOST_NOTES} more; --json has all", style="dim")


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


def _failures(failures: Sequence[Row]) -> Table:
    table = plain_table()
    for column in ("what", "reason"):
        table.add_column(column, overflow="fold")
    table.add_column("n", justify="right", no_wrap=True)
    table.add_column("for example", overflow="fold")
    for row in failures:
        example = f"{row['path']}: {row['message']}"
        table.add_row(row["kind"], escape(row["category"]), str(row["n"]), escape(example[:200]))
    return table


def batches(found: Sequence[Row], held: Sequence[Row], troubles: Sequence[Row]) -> None:
    """Every batch in a line, on 80 columns; then what is held or not asked at present."""
    if not found:
        console.print("no batch yet; `docmill submit` makes one")
        return
    table = plain_table()
    table.padding = 0  # its lines bring a space between the columns
    table.add_column("batch", justify="right", no_wrap=True)
    table.add_column("name", overflow="fold", min_width=NAME_WIDTH, max_width=4 * NAME_WIDTH)
    for column in ("state", "policy"):
        table.add_column(column, no_wrap=True)
    for column in ("docs", "jobs", "open", "done", "failed", "held"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in found:
        table.add_row(*_batch_cells(row))
    console.print(table)
    about = [(row["batch"], row["submit"], row["documents"]) for row in found]
    lines = [f"batch {one[0]}: {line}" for one in about if (line := submit_line(*one))]
    lines += [f"batch {row['batch']}: {held_line(row)}" for row in held]
    _print_notes(lines + [trouble_line(row) for row in troubles])


def _batch_cells(row: Row) -> list[str]:
    read = row["documents"] - row["documents_waiting"]
    documents = compact(row["documents"])
    policy = POLICIES.get(row["policy"], row["policy"])
    return [
        str(row["batch"]),
        escape(row["name"] or ""),
        row["state"],
        f"{policy} {row['priority']:+}" if row["priority"] else policy,
        f"{compact(read)}/{documents}" if row["documents_waiting"] else documents,
        *(compact(row[key]) for key in ("jobs", "open", "done", "failed", "held")),
    ]


def compact(number: int) -> str:
    """A count of at most five signs: 9,999, then 10k, then 1.0M."""
    if number < 10_000:
        return f"{number:,}"
    return f"{number // 1000}k" if number < 1_000_000 else f"{number / 1_000_000:.1f}M"
