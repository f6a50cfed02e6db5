"""Watching a folder, a bucket or a mailbox: what is new in it becomes batches, look by look."""

import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from producer.cli.options import SourcePassword, access, here

if TYPE_CHECKING:
    from producer.folder import Watched
    from producer.places import Place


def watch_folder(
    path: Annotated[
        str,
        typer.Argument(
            help="A folder, with all that stands below it, or an address: s3://BUCKET/PREFIX, "
            "gs://, davs://USER@HOST/PATH, imaps://USER@HOST/FOLDER."
        ),
    ],
    spec: Annotated[Path, typer.Option(help="A YAML file with asks and options.")],
    every: Annotated[
        float, typer.Option(min=0.1, metavar="SECONDS", help="How long between two looks.")
    ] = 10.0,
    age: Annotated[
        float,
        typer.Option(
            min=0.0,
            metavar="SECONDS",
            help="Files that were changed more recently are left to a later look.",
        ),
    ] = 10.0,
    once: Annotated[bool, typer.Option("--once", help="Look once and end, as for cron.")] = False,
    source_password_file: SourcePassword = None,
) -> None:
    """Submit what is new or changed in a folder, as it comes; files stay as they are."""
    from producer.cli.submit import spec_from_file
    from producer.folder import Watched
    from producer.sources import is_address

    spec_from_file(spec, {})  # a wrong one is said at once
    place = _place(path, source_password_file)
    named = place.name if is_address(path) else Path(path).absolute()
    watched = Watched(place, f"{named} with {spec.absolute()}", here().limits.file_mb, age)
    told = set[str]()
    while True:
        _look(watched, spec, told, keep_on=not once)
        if once:
            return
        time.sleep(every)


def _place(path: str, password_file: Path | None) -> "Place":
    """What is watched. Raises InputError where its kind is not."""
    from models.errors import InputError
    from producer.folder import LocalFolder
    from producer.places import NotFetched
    from producer.sources import is_address

    if not is_address(path):
        return LocalFolder(Path(path))
    from producer.remote.place import place_at, shown

    if path.lower().startswith(("http:", "https:")):
        raise InputError(f"{shown(path)}: one file, and nothing to watch; `docmill submit` it")
    try:
        return place_at(path, access(password_file))
    except NotFetched as exc:
        raise InputError(f"{shown(path)}: {exc}") from exc


def _look(watched: "Watched", spec: Path, told: set[str], *, keep_on: bool) -> None:
    """One look, and what came of it; what goes wrong is said, and the next look tries again."""
    from models.errors import DocmillError
    from producer.cli.submit import spec_from_file
    from producer.render import refused

    try:
        look = watched.look(spec_from_file(spec, {}))
    except DocmillError as exc:
        if not keep_on:
            raise
        if str(exc) not in told:
            told.add(str(exc))
            typer.echo(f"{_now()} {exc}; looks again", err=True)
        return
    for source in look.refused:
        if source.message not in told:
            told.add(source.message)
            refused(source)
    if look.is_news or not keep_on:
        typer.echo(f"{_now()} {look.sentence()}")


def _now() -> str:
    return f"{datetime.now():%Y-%m-%d %H:%M:%S}"
