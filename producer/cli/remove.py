"""Removing what batches hold, for good."""

from typing import Annotated

import typer

from producer.cli.options import Batch


def purge(
    batch: Batch,
    keep_costs: Annotated[
        bool,
        typer.Option(
            "--keep-costs",
            help="Its costs stay under its number; else only in the sums of days.",
        ),
    ] = False,
) -> None:
    """Take away documents, asks and answers of a batch that is over, for good; counts stay."""
    from producer.processes import run_worker_module

    words = ["purge", str(batch), *(["--keep-costs"] if keep_costs else [])]
    raise typer.Exit(run_worker_module(*words))


def delete(batch: Batch) -> None:
    """Take away a batch that is over, for good; its costs stay in the sums of days."""
    from producer.processes import run_worker_module

    raise typer.Exit(run_worker_module("purge", str(batch), "--delete"))
