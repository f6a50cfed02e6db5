"""How things look on a terminal. Nothing else prints tables."""

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from models.deadline import to_the_minute
from models.reasons import FieldOutcome
from models.states import BatchState, JobState, SubmitState
from models.terminal import one_line, visible
from models.words import Ruling
from producer import engines as of_engines
from producer.corrections import Answer, Correction, unruled
from producer.costs import brought, cells, headings, reasons, total
from producer.deadline import deadline_line, eta
from producer.money import Currency, usd
from producer.sentences import bulk, field_check, interrupted

if TYPE_CHECKING:
    from models.shares import Share
    from producer.evaluate.escalation import Escalation
    from producer.evaluate.figures import Figures
    from producer.evaluate.report import Change, Report
    from producer.gold import Added
    from producer.sources import Refused
    from producer.submit import Submitted

Row = Mapping[str, Any]

DOCUMENT_WIDTH, ASK_WIDTH, NAME_WIDTH = 20, 12, 6

POLICIES = {"allow-frontier": "frontier"}
"""Shorter, where a column is narrow."""

MOST_ROWS = 200
"""A terminal is no place for more; --format is."""

PURGED = "purged: its documents, asks and answers are gone; its counts stay"

MOST_NAMED = 20
"""What was refused at submit, by name."""

MOST_NOTES = 20
"""Lines about troubles and holds that are shown at once."""


class Terminal(Console):
    """Shows control codes in what it is given, and sends its own."""

    def render_str(self, text: str, **more: Any) -> Text:
        """The text as rich draws it; every string that is printed comes by here."""
        return super().render_str(visible(text), **more)


console = Terminal(emoji=False)  # :key: in an answer is no picture

FIELD_MARKS: Mapping[str | None, str] = {
    FieldOutcome.WRONG: "[red]![/] ",
    FieldOutcome.CHECK: "[yellow]?[/] ",
}

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

STYLES = {
    "submitted": "cyan",
    "done": "green",
    "failed": "red",
    "held": "yellow",
    "partly": "yellow",
    "needs_ocr": "yellow",
    "needs_password": "yellow",
    "unsupported": "red",
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


def submitted(result: "Submitted") -> None:
    """What became of a submit."""
    for source in result.refused[:MOST_NAMED]:
        refused(source)
    if len(result.refused) > MOST_NAMED:
        more = Counter(source.category for source in result.refused[MOST_NAMED:])
        listed = ", ".join(f"{n} {category}" for category, n in more.most_common())
        _complain(f"... and {more.total()} more refused ({listed}); --json names all")
    if result.locked:
        passwords = f"{_count(result.locked, 'document')} opened by no password that was given"
        _complain(f"{passwords}: `docmill documents {result.batch} --state needs_password`")
    if result.batch is None:
        _complain(f"nothing was submitted: all of {len(result.refused)} were refused")
        return
    console.print(
        f"batch [bold]{result.batch}[/]: {_count(result.documents, 'document')} submitted"
        + (f", {len(result.refused)} refused" if result.refused else "")
    )
    if result.accept is not None:
        console.print(f"accept: {result.accept.sentence()}", highlight=False)
    console.print(f"follow it with: docmill watch {result.batch}", style="dim")


@contextmanager
def storing(wanted: bool) -> Iterator[Callable[["Submitted"], None]]:
    """What tells a terminal how far a submit is, in a line that goes when it ends."""
    if not wanted:
        yield lambda _: None
        return
    aside = Terminal(emoji=False, stderr=True)
    with aside.status("looking at the documents ...") as line:
        yield lambda so_far: line.update(
            f"batch {so_far.batch}: {so_far.documents:,} documents stored, "
            f"{len(so_far.refused):,} refused ..."
        )


def refused(source: "Refused") -> None:
    """One thing that could not be used."""
    _complain(f"refused ({source.category}) {source.message}")


def broken_off(result: "Submitted", paths: str) -> None:
    """What a submit had stored when it was broken off, and how it goes on."""
    if result.batch is not None:
        _complain(f"batch {result.batch}: {interrupted(result.batch, result.documents, paths)}")


def _complain(text: str) -> None:
    sys.stderr.write(f"{one_line(text)}\n")


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
        console.print(f"unknown:   {_count(unknown, 'call')}, not in the cost: {why}")
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
            return f"submit is under way: {_count(documents, 'document')} stored so far"
    return None


def unserved_line(row: Mapping[str, str]) -> str:
    """Where nobody is at work; one of a status' `unserved`."""
    return f"no worker serves {row['queue']}: {row['mend']}"


def fate_line(row: Row) -> str:
    """Documents that were not read, or not all of it; one of `query.failures`."""
    example = f"{row['path']}: {row['message']}" if row["message"] else row["path"]
    return f"{row['state']}: {_count(row['n'], 'document')}: {row['mend']} (first: {example})"


def held_line(row: Row) -> str:
    """Why jobs are held; a row of `query.held_jobs`."""
    return f"held: {_count(row['jobs'], 'job')}: {row['message']}"


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


def clock(iso: str) -> str:
    """A moment as people near it read it: the time of day, with the date where it is another."""
    moment = datetime.fromisoformat(iso).astimezone()
    today = moment.date() == datetime.now().astimezone().date()
    return moment.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M")


def _print_notes(lines: Iterable[str]) -> None:
    every = list(lines)
    for line in every[:MOST_NOTES]:
        note(line)
    if len(every) > MOST_NOTES:
        console.print(f"... and {len(every) - MOST_NOTES} more; --json has all", style="dim")


def note(line: str) -> None:
    """One such line."""
    console.print(escape(one_line(line)), style="yellow", highlight=False)


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
    table = _table()
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
    table = _table()
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


def documents(rows: Iterable[Row]) -> None:
    """What became of each document."""
    table = _table(expand=True)
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
            escape(_short("; ".join(said_of(row)), 400)),
        )
    console.print(table)
    if more:
        console.print(f"... and {more} more; --json prints all", style="dim")


def said_of(row: Row) -> list[str]:
    """What there is to be said of a document; a row of `query.documents`."""
    gaps = [f"missing: pages {gap['pages']} ({gap['why']})" for gap in row["missing"] or ()]
    return [*filter(None, [row["message"]]), *gaps, *row["notes"]]


def results(rows: Iterable[Row]) -> None:
    """The answers, short enough to read on 80 columns."""
    table, marked = _table(expand=True), False
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
        escape(_short(name, DOCUMENT_WIDTH - len(pages) - 2) + (f" p{pages}" if pages else "")),
        escape(_short(row["ask"] or "", ASK_WIDTH)),
        _by(row),
        shown + mark + escape(_answer(row)),
    ]


def worst(fields: Mapping[str, Row] | None) -> FieldOutcome | None:
    """The worst outcome of an answer's checks; None: there is none."""
    found = {check["outcome"] for check in (fields or {}).values()}
    return next((each for each in reversed(FieldOutcome) if each in found), None)


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


def escalations(rows: Sequence[Row]) -> None:
    """What second readings brought, a line for each batch."""
    for row in rows:
        console.print(escape(brought(row)), style="dim", highlight=False)


def engines(rows: Sequence[Row]) -> None:
    """Who serves what, and what it comes to."""
    if not rows:
        console.print("no worker serves an engine, and there were no calls in the last day")
        return
    table = _table(title="engines")
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


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def reviews(rows: Sequence[Row], counts: Row) -> None:
    """The answers that a person should look at."""
    if not rows:
        console.print("nothing to review" if not counts["answers"] else "nothing of it is free")
        return
    table = _table(expand=True)
    for column in ("job", "document", "field", "value"):
        table.add_column(column, overflow="fold", no_wrap=column == "job")
    table.add_column("why", ratio=1)
    for row in rows:
        for number, each in enumerate(row["open"]):
            mark = FIELD_MARKS.get(each["outcome"], "")
            table.add_row(
                str(row["job"]) if not number else "",
                escape(
                    _short(row["document"].rsplit("/", 1)[-1], DOCUMENT_WIDTH) if not number else ""
                ),
                escape(each["field"]),
                mark + escape(_short(brief(each["value"]), 60)),
                escape(field_check(each)),
            )
        if row["claimed_by"]:
            table.add_row("", "", "", "", f"[dim]{escape(row['claimed_by'])} is at it[/]")
    console.print(table)
    console.print(
        f"{_count(counts['answers'], 'answer')} to review, somebody is at {counts['claimed']}; "
        "`docmill correct JOB FIELD=VALUE`, or the page, rules on them",
        style="dim",
        highlight=False,
    )


def corrected(job: int, made: Sequence[Correction]) -> None:
    """What was ruled on an answer."""
    for each in made:
        console.print(f"job {job}: {_ruling(each)}", highlight=False)


def _ruling(made: Correction) -> str:
    old, new = (escape(_short(brief(value), 80)) for value in (made.old, made.new))
    field = escape(made.field)
    if made.ruling is Ruling.CONFIRMED:
        return f"{field} confirmed: {old}"
    return f"{field}: {old} → {'not in the text' if made.ruling is Ruling.ABSENT else new}"


def imported(ruled: Sequence[tuple[Answer, list[Correction]]], *, dry_run: bool) -> None:
    """What a corrected export came to."""
    for answer, made in ruled[:MOST_ROWS]:
        corrected(answer.job, made)
    if len(ruled) > MOST_ROWS:
        console.print(f"... and {len(ruled) - MOST_ROWS} more answers; --json prints all")
    rulings = [each.ruling for _, made in ruled for each in made]
    confirmed = rulings.count(Ruling.CONFIRMED)
    said = "would be" if dry_run else "were"
    console.print(
        f"{_count(len(rulings) - confirmed, 'value')} {said} corrected and {confirmed} confirmed, "
        f"in {_count(len(ruled), 'answer')}",
        highlight=False,
    )


def history(answer: Answer, rows: Sequence[Row]) -> None:
    """An answer as it stands, and what was ruled on it."""
    console.print(f"job {answer.job}: {escape(brief(answer.value))}", highlight=False)
    if not rows:
        console.print("nobody ruled on it yet", style="dim")
        return
    table = _table()
    for column in ("when", "who", "field", "ruling", "old", "new"):
        table.add_column(column, overflow="fold")
    for row in rows:
        values = (_short(brief(row[key]), 60) for key in ("old", "new"))
        cells = (row["made_at"][:19], row["reviewer"], row["field"], row["ruling"], *values)
        table.add_row(*map(escape, cells))
    console.print(table)


def gold_added(name: str, added: "Added") -> None:
    """What became of rows that were to be added to a gold set."""
    console.print(
        f"{_count(added.fresh, 'row')} added to {escape(name)}, {added.replaced} replaced",
        highlight=False,
    )
    if added.unsettled:
        console.print(
            f"{_count(added.unsettled, 'answer')} left out, such as job {added.first_unsettled}: "
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
    table = _table()
    table.add_column("set", overflow="fold")
    numbers = ("rows", "train", "held", "documents", "kept", "local_only")
    for column in numbers:
        table.add_column(column.replace("_", "-"), justify="right")
    for column in ("tasks", "licences"):
        table.add_column(column, overflow="fold")
    for row in rows:
        words = (escape(_short(", ".join(row[key]), 120)) for key in ("tasks", "licences"))
        table.add_row(escape(row["name"]), *(f"{row[key]:,}" for key in numbers), *words)
    console.print(table)


def evals(rows: Sequence[Row]) -> None:
    """Every eval."""
    if not rows:
        console.print("no evals yet; `docmill eval --gold NAME --model ENGINE/MODEL` makes one")
        return
    table = _table()
    for column in ("eval", "begun", "of", "texts", "models", "batch"):
        table.add_column(column, overflow="fold")
    for row in rows:
        split = f" ({row['split']})" if row["split"] else ""
        of = f"{row['kind']} {row['source']}{split}"
        texts = str(row["texts"]) if row["scored_at"] else "not compared yet"
        cells = (str(row["eval"]), row["created_at"][:16].replace("T", " "), of, texts)
        table.add_row(
            *map(escape, cells), escape(", ".join(row["places"])), str(row["batch"] or "deleted")
        )
    console.print(table)


def eval_report(made: "Report") -> None:
    """An eval: a table for each task, its fields and languages, what follows from it."""
    about = made.about
    console.print(f"eval {about['eval']} of {about['kind']} {escape(about['source'])}")
    if made.left_out:
        said = _count(made.left_out, "text")
        console.print(f"{said} left out: not every model has answered, or may see it", style="dim")
    for choice in made.choices:
        found = [one for one in made.figures if one.task == choice.task]
        _eval_task(choice.task, found)
        _eval_parts("field", found, [one.fields for one in found])
        if any(len(one.languages) > 1 for one in found):
            _eval_parts("language", found, [one.languages for one in found])
        _eval_escalations([one for one in made.escalations if one.task == choice.task])
        _eval_choice(made, choice.task)
    console.print("\n[bold]for docmill.toml[/]")
    console.print(escape(made.table), highlight=False, soft_wrap=True)


def _eval_task(task: str, found: "Sequence[Figures]") -> None:
    table = _table()
    table.title = f"{task}: {found[0].right.n} texts, 95 % intervals"
    table.add_column("model", overflow="fold")
    numbers = ("right", "to the best", "sure/check/wrong %", "$ / 1,000", "$ / right", "p50 s",
               "p95 s", "tokens/s")  # fmt: skip
    for column in numbers:
        table.add_column(column, justify="right", no_wrap=True)
    for one in found:
        table.add_row(escape(one.place), _share(one.right), *_eval_cells(one))
    console.print(table)


def _eval_cells(one: "Figures") -> Iterator[str]:
    against, per_answer = one.against_best, one.usd_per_answer
    yield "the best" if against is None else f"{against.value:+.3f}, p {against.p:.3f}"
    values = max(one.sure + one.unsure + one.wrong, 1)
    checks = (one.sure, one.unsure, one.wrong)
    yield "/".join(f"{100 * n / values:.0f}" for n in checks) if any(checks) else "-"
    yield "unknown" if per_answer is None else usd(str(1000 * per_answer))
    yield "unknown" if one.usd_per_right is None else usd(str(one.usd_per_right))
    for milliseconds in (one.p50_ms, one.p95_ms):
        yield "-" if milliseconds is None else f"{milliseconds / 1000:.1f}"
    yield "-" if one.tokens_per_s is None else f"{one.tokens_per_s:,.1f}"


def _share(found: "Share") -> str:
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


def _eval_parts(
    noun: str, found: "Sequence[Figures]", parts: "Sequence[Mapping[str, Share]]"
) -> None:
    table = _table()
    table.add_column(noun, overflow="fold")
    for one in found:
        table.add_column(escape(one.place), justify="right", overflow="fold")
    for name in dict.fromkeys(name for each in parts for name in each):
        cells = (_share(each[name]) if name in each else "-" for each in parts)
        table.add_row(escape(name), *cells)
    console.print(table)


def _eval_escalations(found: "Sequence[Escalation]") -> None:
    if not found:
        return
    table = _table()
    table.title = "asked again where a value is wrong by its checks"
    for column in ("model", "then"):
        table.add_column(column, overflow="fold")
    for column in ("escalated", "right before", "right after", "$ / right", "$ / further right"):
        table.add_column(column, justify="right", overflow="fold")
    for one in found:
        costs = (one.usd_per_right, one.usd_per_gained)
        table.add_row(
            escape(one.first),
            escape(one.onward),
            *map(_share, (one.escalated, one.before, one.after)),
            *("unknown" if cost is None else usd(str(cost)) for cost in costs),
        )
    console.print(table)


def _eval_choice(made: "Report", task: str) -> None:
    [choice] = [each for each in made.choices if each.task == task]
    if choice.chosen is None:
        said = f"{task}: nothing measured is as good as what was answered then"
    elif choice.is_enough:
        low = choice.chosen.right.low
        said = (
            f"{task}: {choice.chosen.place} is good enough: at least {low:.3f}, and "
            f"{made.quality:g} of the best is {choice.bar:.3f}"
        )
    else:
        said = f"{task}: none is good enough for sure; {choice.chosen.place} is the best"
    console.print(escape(said), highlight=False)
    console.print(escape(f"  {eval_saving(made, task)}"), highlight=False, style="dim")


def eval_saving(made: "Report", task: str) -> str:
    """What a task's choice saves in a year, in words."""
    per_year, saved = made.per_year.get(task), made.savings.get(task)
    if per_year is None:
        return "no such job was answered in the last 30 days: nothing to save yet"
    at = f"at {per_year:,.0f} jobs a year, as in the last 30 days"
    if saved is None:
        return (
            f"what it saves {at}, is not known: a model here has no price "
            "(usd_per_hour of its engine, or [prices])"
        )
    verb = "saves" if saved >= 0 else "costs"
    return f"{verb} {usd(str(abs(saved)))} a year {at}"


def eval_changes(before: int, after: int, rows: "Sequence[Change]") -> None:
    """What changed between two evals."""
    table = _table()
    table.title = f"eval {before} and eval {after}"
    for column in ("task", "model"):
        table.add_column(column, overflow="fold")
    for column in (f"eval {before}", f"eval {after}", "on the same texts"):
        table.add_column(column, justify="right", overflow="fold")
    for row in rows:
        low, high = row.paired.interval
        change = f"{row.paired.value:+.3f} [{low:+.3f}, {high:+.3f}], p {row.paired.p:.3f}, "
        table.add_row(
            row.task,
            escape(row.place),
            _share(row.before),
            _share(row.after),
            change + f"{row.paired.n} texts",
        )
    console.print(table)
