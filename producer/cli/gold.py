"""Gold sets: adding, looking, handing on."""

from pathlib import Path
from typing import Annotated

import typer

from models.words import Split, TaskType
from producer.cli.look import opened, print_json
from producer.cli.options import AsJson, Batch, By, reviewer, text

Name = Annotated[str, typer.Argument(help="The set's name.")]


def add(
    name: Name,
    batch: Batch,
    keep: Annotated[
        bool,
        typer.Option(
            "--keep", help="The rows stay when the batch is purged; else they go with it."
        ),
    ] = False,
    licence: Annotated[
        str | None, typer.Option(parser=text, help="Of the documents. Default: own.")
    ] = None,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Add the answers of a batch that were corrected or confirmed."""
    from producer import gold, render

    added = gold.add_batch(
        gold.set_name(name), batch, reviewer(by), licence=licence or gold.OWN, keep=keep
    )
    if as_json:
        print_json({"set": name, "added": added.fresh, "replaced": added.replaced,
                    "unsettled": added.unsettled})  # fmt: skip
    else:
        render.gold_added(name, added)


def list_sets(as_json: AsJson = False) -> None:
    """Every gold set: its rows, how they are split, tasks and licences."""
    from producer import gold

    if as_json:
        print_json(gold.sets())
    else:
        from producer import render

        render.gold_sets(gold.sets())


def export(
    name: Name,
    split: Annotated[Split | None, typer.Option(help="Only rows of this split.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write to this file instead of the terminal.")
    ] = None,
) -> None:
    """Write a set as JSON lines, as import reads them."""
    from models.terminal import to_json
    from producer import gold

    rows = gold.rows_of(name, split)
    with opened(out) as file:
        for row in rows:
            file.write(to_json(row) + "\n")


def import_rows(
    name: Name,
    file: Annotated[Path, typer.Argument(help="JSON lines with text, ask and fields, or label.")],
    ask: Annotated[
        str | None, typer.Option(parser=text, help="Of the lines that have none.")
    ] = None,
    task: Annotated[
        TaskType | None,
        typer.Option(help="Of the lines that say none: else extraction, or classification."),
    ] = None,
    source: Annotated[
        str | None, typer.Option(parser=text, help="Where the lines that do not say so come from.")
    ] = None,
    licence: Annotated[
        str | None, typer.Option(parser=text, help="Of the lines that do not say theirs.")
    ] = None,
    local_only: Annotated[
        bool, typer.Option("--local-only", help="None of it may leave the building.")
    ] = False,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Add labelled JSON lines to a set: all of them, or none where one cannot be used."""
    from producer import gold, render

    defaults = gold.Defaults(ask, task, source, licence, local_only)
    added = gold.import_file(gold.set_name(name), file, reviewer(by), defaults)
    if as_json:
        print_json({"set": name, "added": added.fresh, "replaced": added.replaced})
    else:
        render.gold_added(name, added)


def remove(name: Name) -> None:
    """Take a set away for good, the rows that were added with --keep too."""
    from producer import gold

    typer.echo(f"{gold.remove(name)} rows of {name} are gone")
