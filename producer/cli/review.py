"""Reviewing answers: what a person should look at, and what they make of it."""

from pathlib import Path
from typing import Annotated

import typer

from models.bounds import MOST_CLAIMED, MOST_LISTED
from producer.cli.look import print_json
from producer.cli.options import AsJson, Batch, By, reviewer, text


def review(
    batch: Batch,
    most: Annotated[int, typer.Option(help="So many answers.", min=1, max=MOST_LISTED)] = 50,
    claim: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            max=MOST_CLAIMED,
            help="Take the next N for yourself: nobody else gets them for 5 minutes.",
        ),
    ] = None,
    release: Annotated[
        bool, typer.Option("--release", help="Give back what you took of this batch.")
    ] = False,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """The answers that a person should look at, the worst first, and which values of them."""
    from producer import render
    from producer import review as reviews

    if claim and release:
        raise typer.BadParameter("give --claim or --release, not both")
    if release:
        typer.echo(
            f"{reviews.release(batch, reviewer(by))} answers of batch {batch} are free again"
        )
        return
    mine = set(reviews.claim(batch, reviewer(by), claim)) if claim else None
    found = reviews.waiting(batch, most if mine is None else MOST_LISTED)
    shown = [row for row in found if mine is None or row["job"] in mine]
    if as_json:
        for row in shown:
            print_json(row)
    else:
        render.reviews(shown, reviews.counted(batch))


def correct(
    job: Annotated[
        int | None, typer.Argument(help="The job's number, as results and the page show it.")
    ] = None,
    values: Annotated[
        list[str] | None,
        typer.Argument(
            parser=text,
            metavar="FIELD=VALUE...",
            help="The right values; null: the text does not say it.",
        ),
    ] = None,
    confirm: Annotated[
        bool, typer.Option("--confirm", help="Every other value of the answer is right.")
    ] = False,
    file: Annotated[
        Path | None,
        typer.Option(help="A corrected export of results, CSV or JSON lines, instead of a job."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --file: only say what would be corrected.")
    ] = False,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Correct or confirm values of an answer; without values: what was ruled on it so far."""
    if (job is None) == (file is None) or (file is not None and values):
        raise typer.BadParameter("give a job and FIELD=VALUE, or --file CORRECTED, one of the two")
    if file is not None:
        _import(file, reviewer(by), confirm, dry_run, as_json)
        return
    assert job is not None
    if dry_run:
        raise typer.BadParameter("--dry-run goes with --file")
    if values or confirm:
        _correct(job, values or (), reviewer(by), confirm, as_json)
    else:
        _history(job, as_json)


def _correct(
    job: int, values: "list[str] | tuple[()]", by: str, confirm: bool, as_json: bool
) -> None:
    from producer import render
    from producer import review as reviews

    typed: dict[str, str] = {}
    for each in values:
        field, is_given, value = each.partition("=")
        if not is_given or not field or field in typed:
            raise typer.BadParameter(
                f"{each!r} is not FIELD=VALUE, or its field stands there twice"
            )
        typed[field] = value
    made = reviews.correct(job, typed, by, confirm=confirm)
    if as_json:
        print_json({"job": job, "corrections": [each.as_json() for each in made]})
    else:
        render.corrected(job, made)


def _history(job: int, as_json: bool) -> None:
    from producer import render
    from producer import review as reviews

    answer, rows = reviews.answer_of(job), reviews.history(job)
    if as_json:
        print_json({"job": job, "value": answer.value, "corrections": rows})
    else:
        render.history(answer, rows)


def _import(file: Path, by: str, confirm: bool, dry_run: bool, as_json: bool) -> None:
    from producer import render
    from producer.corrected_file import import_file

    ruled = import_file(file, by, confirm=confirm, dry_run=dry_run)
    if as_json:
        for answer, made in ruled:
            rows = [each.as_json() for each in made]
            print_json({"job": answer.job, "corrections": rows})
    else:
        render.imported(ruled, dry_run=dry_run)
