"""Steering a batch in flight."""

from decimal import Decimal
from typing import Annotated

import typer

from models.bounds import MOST_PRIORITY
from models.states import DocumentState
from producer.cli.options import Batch, Password, PasswordFile, here, text, usd


def pause(batch: Batch) -> None:
    """Begin nothing more of a batch; running calls end and are kept."""
    from producer import control

    control.pause(batch)
    typer.echo(f"batch {batch} is paused; `docmill resume {batch}` goes on")


def resume(
    batch: Batch,
    max_cost: Annotated[
        Decimal | None,
        typer.Option(
            parser=usd,
            metavar="USD",
            help="A new budget for all of the batch, not on top of the old.",
        ),
    ] = None,
) -> None:
    """Let a paused batch and held jobs go on, and try at once what is not asked at present."""
    from producer import control

    changed = control.resume(batch, max_cost)
    typer.echo(f"batch {batch} goes on; {changed.jobs} held jobs are back in line")


def cancel(batch: Batch) -> None:
    """Begin nothing more of a batch, ever; answers so far are kept."""
    from producer import control

    changed = control.cancel(batch)
    typer.echo(
        f"batch {batch} is cancelled: {changed.jobs} jobs and {changed.documents} unread "
        "documents; running calls end and are kept"
    )


def retry(
    batch: Batch,
    reason: Annotated[
        str | None,
        typer.Option(
            parser=text,
            metavar="<str>",
            help="Only failures of this category, as status shows them; also needs_ocr, "
            "needs_password, partly.",
        ),
    ] = None,
    password: Password = None,
    password_file: PasswordFile = None,
) -> None:
    """Bring failed jobs and documents of a batch back, with all their attempts. With a password:
    the documents that it opens."""
    from producer import control
    from producer.unlock import Unlocker, passwords_of

    passwords = passwords_of(password, password_file)
    if not passwords:
        changed = control.retry(batch, reason)
        typer.echo(f"{changed.jobs} jobs and {changed.documents} documents are back in line")
        return
    if reason not in (None, DocumentState.NEEDS_PASSWORD):
        raise typer.BadParameter("a password goes with --reason needs_password, or with none")
    with Unlocker(passwords, here().limits) as unlocker:
        changed = control.unlock(batch, unlocker)
    typer.echo(
        f"{changed.documents} documents are back in line; {unlocker.shut} were opened by no "
        "password that was given"
    )


def priority(
    batch: Batch,
    value: Annotated[
        int, typer.Argument(help="Higher runs first.", min=-MOST_PRIORITY, max=MOST_PRIORITY)
    ],
) -> None:
    """Change a batch's priority; it counts within a second."""
    from producer import control

    control.set_priority(batch, value)
    typer.echo(f"batch {batch} has priority {value}")


def reroute(batch: Batch) -> None:
    """Send what is not begun of a batch where docmill.toml and the configuration now say."""
    from producer.processes import run_worker_module

    raise typer.Exit(run_worker_module("reroute", str(batch)))
