"""What says how likely values are right: how well it ranks here, and a model of one's own."""

import typer


def report() -> None:
    """Say how well the scores of values rank what people ruled right and wrong, and what they
    accept."""
    from producer.processes import run_worker_module

    raise typer.Exit(run_worker_module("scores", "report"))


def train() -> None:
    """Fit this installation's own scores to its corrected answers; they count from then on."""
    from producer.processes import run_worker_module

    raise typer.Exit(run_worker_module("scores", "train"))
