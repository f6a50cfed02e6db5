"""Watching a folder, a bucket or a mailbox: what is new in it becomes batches, look by look."""

import os
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from producer.cli.options import SourcePassword, access, here

if TYPE_CHECKING:
    from producer.places import Place
    from producer.watch.look import Watched


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
            help="Files that were changed more recently are left to a later look, and so are "
            "those whose time is to come or unknown, until two looks so far apart find them alike.",
        ),
    ] = 10.0,
    once: Annotated[bool, typer.Option("--once", help="Look once and end, as for cron.")] = False,
    source_password_file: SourcePassword = None,
) -> None:
    """Submit what is new or changed in a folder, as it comes; files stay as they are."""
    from producer.cli.submit import spec_from_file
    from producer.watch.look import Watched

    spec_from_file(spec, {})  # a wrong one is said at once
    place = _place(path, source_password_file)
    watch, before = _names(place, path, spec)
    watched = Watched(place, watch, here().limits.file_mb, age, before)
    told = _Told()
    while True:
        _look(watched, spec, told, keep_on=not once)
        if once:
            return
        time.sleep(every)


def _names(place: "Place", path: str, spec: Path) -> tuple[str, str]:
    """How this watch is known, however its folder is reached, and how Docmill knew it before."""
    from producer.places import readable
    from producer.sources import is_address

    there, said = os.path.realpath(path), str(Path(path).absolute())
    places = (place.name, place.name) if is_address(path) else (there, said)
    watch, before = (readable(f"{each} with {spec.absolute()}") for each in places)
    return watch, before


def _place(path: str, password_file: Path | None) -> "Place":
    """What is watched. Raises InputError where its kind is not."""
    from models.errors import InputError
    from producer.places import NotFetched
    from producer.sources import is_address
    from producer.watch.look import LocalFolder

    if not is_address(path):
        return LocalFolder(Path(path))
    from producer.remote.place import place_at, shown

    if path.lower().startswith(("http:", "https:")):
        raise InputError(f"{shown(path)}: one file, and nothing to watch; `docmill submit` it")
    try:
        return place_at(path, access(password_file))
    except NotFetched as exc:
        raise InputError(f"{shown(path)}: {exc}") from exc


@dataclass(slots=True)
class _Told:
    """What the look before said, so that it is said once: no more than what is there now."""

    error: str = ""
    refused: frozenset[str] = frozenset()


def _look(watched: "Watched", spec: Path, told: _Told, *, keep_on: bool) -> None:
    """One look, and what came of it; what goes wrong is said, and the next look tries again."""
    from models.errors import DocmillError
    from producer.cli.submit import spec_from_file
    from producer.render import refused

    try:
        look = watched.look(spec_from_file(spec, {}))
    except DocmillError as exc:
        if not keep_on:
            raise
        if str(exc) != told.error:
            typer.echo(f"{_now()} {exc}; looks again", err=True)
        told.error = str(exc)
        return
    for source in look.refused:
        if source.message not in told.refused:
            refused(source)
    told.error, told.refused = "", frozenset(source.message for source in look.refused)
    if look.is_news or not keep_on:
        typer.echo(f"{_now()} {look.sentence()}")


def _now() -> str:
    return f"{datetime.now():%Y-%m-%d %H:%M:%S}"
