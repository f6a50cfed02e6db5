"""What finds the task types of asks: how right it is here, and a model that learns from this
installation."""

import typer


def report() -> None:
    """Say how right and how sure the task types of this installation's asks are."""
    from producer.processes import run_worker_module

    raise typer.Exit(run_worker_module("classifier", "report"))


def train() -> None:
    """Make this installation's own model from its settled asks; it counts where it is no worse."""
    from producer.processes import run_worker_module

    raise typer.Exit(run_worker_module("classifier", "train"))
