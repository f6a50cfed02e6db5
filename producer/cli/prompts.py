"""Prompts: which versions there are, how two differ, and which one counts."""

from typing import Annotated

import typer

from models.words import TaskType

Task = Annotated[TaskType, typer.Argument(help="The task whose prompt it is.")]


def list_prompts() -> None:
    """Every version of every prompt, and which one counts."""
    from producer.processes import run_worker_module

    raise typer.Exit(run_worker_module("prompts", "list"))


def diff(
    task: Task,
    old: Annotated[
        int | None, typer.Argument(help="A version; left out, the one that counts.")
    ] = None,
    new: Annotated[int | None, typer.Argument(help="Another; left out, the newest.")] = None,
) -> None:
    """How two versions of a prompt differ, line by line."""
    from producer.processes import run_worker_module

    words = [str(number) for number in (old, new) if number is not None]
    raise typer.Exit(run_worker_module("prompts", "diff", str(task), *words))


def promote(
    task: Task,
    version: Annotated[int, typer.Argument(help="The version that is to count from now on.")],
) -> None:
    """Have a version of a prompt count: it is written into docmill.toml, which is applied."""
    from models.settings import settings
    from producer.cli import config
    from producer.prompts import promote as write

    file = settings().docmill_config
    write(file, task, version)
    typer.echo(f"{file}: {task} goes by prompt {version}")
    config.apply()
