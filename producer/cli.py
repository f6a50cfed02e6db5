"""The command line: parse, call one function, print. Nothing else happens here.

Heavy modules are imported inside the commands, so that `docmill --help` is instant.
"""

import json
import sys
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from models.errors import DocmillError
from models.states import JobState
from models.words import Policy, Pool, Scope, TaskType, Tier

app = typer.Typer(
    name="docmill",
    help="Questions over piles of documents, answered by the smallest model that is good enough.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Plain help and errors: with its panels rich would cost more than all the rest of the start.
    rich_markup_mode=None,
    add_completion=False,
    context_settings={
        "help_option_names": ["-h", "--help"],
        # On the way to a command typer converts a --help that was not given, with pydantic,
        # unless it is a bool already.
        "default_map": {"help": False, "db": {"help": False}},
    },
)
database_commands = typer.Typer(help="The database schema.", no_args_is_help=True)
app.add_typer(database_commands, name="db")


class TaskChoice(StrEnum):
    """--task: a task type, or auto."""

    AUTO = "auto"
    EXTRACTION = "extraction"
    CLASSIFICATION = "classification"
    SIMPLE_CODE = "simple_code"
    SUMMARY = "summary"
    REASONING = "reasoning"


class FormatChoice(StrEnum):
    """--format."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"


class ByChoice(StrEnum):
    """--by."""

    MODEL = "model"
    TASK = "task"
    BATCH = "batch"
    DAY = "day"


def _usd(value: str) -> Decimal:
    try:
        amount = Decimal(value)
    except InvalidOperation:
        raise typer.BadParameter(f"not an amount in USD: {value!r}") from None
    if not amount.is_finite() or amount < 0:
        raise typer.BadParameter(f"must be 0 or more, found {value}")
    return amount


Batch = Annotated[int, typer.Argument(help="The batch's number, as submit printed it.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@app.command()
def submit(
    paths: Annotated[
        list[str],
        typer.Argument(help="Files, folders, globs, JSONL of texts; - reads standard input."),
    ],
    ask: Annotated[
        list[str] | None, typer.Option(help="What to do with each chunk. Repeat for several.")
    ] = None,
    spec: Annotated[
        Path | None, typer.Option(help="A YAML file with asks and options, instead of --ask.")
    ] = None,
    fields: Annotated[
        str | None, typer.Option(help="Answer with these fields: vendor,total,date")
    ] = None,
    schema: Annotated[
        Path | None, typer.Option(help="Answer as this JSON Schema file says.")
    ] = None,
    task: Annotated[
        TaskChoice | None, typer.Option(help="Task type; auto lets the classify step decide.")
    ] = None,
    scope: Annotated[
        Scope | None, typer.Option(help="Ask each chunk, or each document as a whole.")
    ] = None,
    policy: Annotated[
        Policy | None,
        typer.Option(help="local-only: nothing of this batch may leave for a frontier engine."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="What to call the batch.")] = None,
    priority: Annotated[int | None, typer.Option(help="Higher runs first; 0 is normal.")] = None,
    max_cost: Annotated[
        Decimal | None,
        typer.Option(parser=_usd, metavar="USD", help="Hold frontier jobs beyond this budget."),
    ] = None,
    no_reuse: Annotated[
        bool, typer.Option("--no-reuse", help="Ask anew, also what the ledger has an answer to.")
    ] = False,
    plan: Annotated[
        bool, typer.Option("--plan", help="Only say what would be done and what it may cost.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Stay and show the progress.")] = False,
    as_json: AsJson = False,
) -> None:
    """Submit documents with one or more asks; prints the batch's number."""
    from producer import doors

    if (ask is None) == (spec is None):
        raise typer.BadParameter("give --ask (once or more) or --spec FILE, one of the two")
    if spec is not None and (fields or schema or task or scope):
        raise typer.BadParameter("--fields, --schema, --task and --scope stand in the spec file")
    if fields and schema:
        raise typer.BadParameter("give --fields or --schema, not both")
    batch_spec = doors.spec_from_options(
        spec, ask, fields, schema, task, scope, policy, name, priority, max_cost, no_reuse
    )
    if plan:
        _exit(doors.plan(batch_spec, paths, as_json=as_json))
        return
    _exit(doors.submit(batch_spec, paths, as_json=as_json, follow=watch))


@app.command()
def watch(batch: Batch, as_json: AsJson = False) -> None:
    """Show a batch's progress until it is finished; --json prints a line per change."""
    from producer import doors

    _exit(doors.watch(batch, as_json))


@app.command()
def status(batch: Batch, as_json: AsJson = False) -> None:
    """How far a batch is, what it cost, and what went wrong, by reason."""
    from producer import doors, query

    if as_json:
        _print_json(query.status(batch))
    else:
        doors.status(batch)


@app.command()
def receipt(batch: Batch, as_json: AsJson = False) -> None:
    """Which engines, hosts and models saw any text of a batch."""
    from producer import render
    from producer.receipt import receipt as made

    found = made(batch)
    if as_json:
        _print_json(found)
    else:
        render.receipt(found)


@app.command("list")
def list_batches(as_json: AsJson = False) -> None:
    """Every batch, newest first."""
    from producer import query, render

    found = query.batches()
    if as_json:
        _print_json(found)
    else:
        render.batches(found)


@app.command()
def results(
    batch: Annotated[int | None, typer.Argument(help="Only this batch.")] = None,
    document: Annotated[str | None, typer.Option(help="Only this path, or file name.")] = None,
    ask: Annotated[str | None, typer.Option(help="Only this ask, by name or text.")] = None,
    task: Annotated[TaskType | None, typer.Option(help="Only this task type.")] = None,
    tier: Annotated[Tier | None, typer.Option(help="Only this tier.")] = None,
    state: Annotated[JobState | None, typer.Option(help="Only jobs in this state.")] = None,
    format: Annotated[FormatChoice, typer.Option(help="How to print.")] = FormatChoice.TABLE,
    out: Annotated[Path | None, typer.Option(help="Write to this file.")] = None,
) -> None:
    """Answers, one row per job, as a table or for programs and spreadsheets."""
    from producer import doors

    if format is FormatChoice.PARQUET and out is None:
        raise typer.BadParameter("--format parquet needs --out FILE")
    filters = {"document": document, "ask": ask, "task": task, "tier": tier, "state": state}
    doors.results(batch, filters, format, out)


@app.command()
def costs(
    batch: Annotated[int | None, typer.Argument(help="Only this batch.")] = None,
    by: Annotated[ByChoice, typer.Option(help="What to sum up by.")] = ByChoice.MODEL,
    as_json: AsJson = False,
) -> None:
    """What the calls cost, from the ledger; what is not known is said to be unknown."""
    from producer import doors, query

    if as_json:
        _print_json(query.costs(batch, by))
    else:
        doors.costs(batch, by)


@app.command()
def pause(batch: Batch) -> None:
    """Begin nothing more of a batch; running calls end and are kept."""
    from producer import control

    control.pause(batch)
    typer.echo(f"batch {batch} is paused; `docmill resume {batch}` goes on")


@app.command()
def resume(
    batch: Batch,
    max_cost: Annotated[
        Decimal | None, typer.Option(parser=_usd, metavar="USD", help="A new budget.")
    ] = None,
) -> None:
    """Let a paused batch, and jobs that were held, go on."""
    from producer import control

    changed = control.resume(batch, max_cost)
    typer.echo(f"batch {batch} goes on; {changed.jobs} held jobs are back in line")


@app.command()
def cancel(batch: Batch) -> None:
    """Begin nothing more of a batch, ever; answers so far are kept."""
    from producer import control

    changed = control.cancel(batch)
    typer.echo(
        f"batch {batch} is cancelled: {changed.jobs} jobs and {changed.documents} unread "
        "documents; running calls end and are kept"
    )


@app.command()
def retry(
    batch: Batch,
    reason: Annotated[
        str | None, typer.Option(help="Only failures of this category, as status shows them.")
    ] = None,
) -> None:
    """Bring failed jobs and documents of a batch back, with all their attempts."""
    from producer import control

    changed = control.retry(batch, reason)
    typer.echo(f"{changed.jobs} jobs and {changed.documents} documents are back in line")


@app.command()
def priority(
    batch: Batch,
    value: Annotated[int, typer.Argument(help="Higher runs first.", min=-1_000_000, max=1_000_000)],
) -> None:
    """Change a batch's priority."""
    from producer import control

    control.set_priority(batch, value)
    typer.echo(f"batch {batch} has priority {value}")


@app.command()
def worker(
    pool: Annotated[Pool, typer.Argument(help="local also consumes the classify queue.")],
    slots: Annotated[
        int | None, typer.Option(min=1, help="Requests in flight (documents, for ingest).")
    ] = None,
) -> None:
    """Run a worker pool until Ctrl-C. Every pool may run on its own host."""
    from producer import processes

    processes.become_worker(pool, slots)


@app.command()
def up(
    host: Annotated[str, typer.Option(help="Where the page listens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The page's port.")] = 8400,
) -> None:
    """Embedded servers, all pools and the page, in the foreground; one Ctrl-C stops all."""
    from producer import processes

    _exit(processes.up(host, port))


@app.command()
def web(
    host: Annotated[str, typer.Option(help="Where the page listens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The page's port.")] = 8400,
) -> None:
    """The page: batches, progress, results and costs."""
    from producer.web.app import serve

    serve(host, port)


@app.command()
def demo(
    paths: Annotated[
        list[str] | None, typer.Argument(help="Your documents instead of samples/.")
    ] = None,
) -> None:
    """The whole path on real documents, embedded, to the end; then results and costs."""
    from producer import demo as show

    _exit(show.run(paths or []))


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Check every connection, model, limit and price, and say what to do."""
    from producer import processes

    _exit(processes.run_worker_module("doctor", *(["--json"] if as_json else [])))


@database_commands.command()
def upgrade() -> None:
    """Bring the schema up to this Docmill's."""
    from models import database

    database.upgrade()
    typer.echo(f"{database.safe_url()} has schema {database.current_revision()}")


@database_commands.command()
def downgrade(
    revision: Annotated[str, typer.Argument(help="A revision, -1, or base (removes all data).")],
) -> None:
    """Take the schema back to a revision."""
    from models import database

    database.downgrade(revision)
    typer.echo(f"{database.safe_url()} has schema {database.current_revision() or 'none'}")


@database_commands.command()
def current() -> None:
    """Which schema the database has, and which this Docmill needs."""
    from models import database

    found = database.current_revision() or "none"
    typer.echo(f"{database.safe_url()} has schema {found}; needed: {database.head_revision()}")


for _command in (*app.registered_commands, *database_commands.registered_commands):
    # What stands in the list of commands; without it typer cuts the help off to fit one line.
    _command.short_help = _command.callback.__doc__


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, default=str))


def _exit(code: int) -> None:
    if code:
        raise typer.Exit(code)


def main() -> None:
    """The console script. Exit codes: 0 done, 1 a failure that is explained, 2 wrong usage."""
    try:
        app()
    except DocmillError as exc:
        typer.echo(f"docmill: {exc}", err=True)
        sys.exit(1)
    except OSError as exc:
        typer.echo(f"docmill: {exc}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
