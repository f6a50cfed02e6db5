"""The configuration in Postgres: shown, compared with what is said here, and renewed."""

import json

import typer

from producer.cli.look import print_json
from producer.cli.options import AsJson


def show(as_json: AsJson = False) -> None:
    """The configuration that all processes go by, with every default filled in, as TOML."""
    from models import configuration
    from models.resolve import as_json as settings_of
    from models.resolve import leaves

    found = configuration.current()
    if found is None:
        typer.echo("there is no configuration yet; the first worker or submit writes number 1")
        return
    settings = settings_of(found.config)
    if as_json:
        print_json({"number": found.number, "settings": settings})
        return
    typer.echo(f"# configuration {found.number}")
    for key, value in leaves(settings):
        typer.echo(f"{key} = {json.dumps(value, ensure_ascii=False)}")


def diff() -> None:
    """What docmill.toml and the environment say here that Postgres does not; exits 1 if any."""
    from models import configuration

    found = configuration.current()
    if found is None:
        typer.echo("there is no configuration yet; the first worker or submit writes number 1")
        return
    differences = configuration.pending(found)
    for one in differences:
        typer.echo(str(one))
    if differences:
        typer.echo(f"`docmill config apply` makes what is said here number {found.number + 1}")
        raise typer.Exit(1)
    typer.echo(f"configuration {found.number} in Postgres says all that is said here")


def apply() -> None:
    """Make what docmill.toml and the environment say here the configuration of everybody."""
    from models import configuration

    before = configuration.current()
    found = configuration.applied()
    if before is not None and before.number == found.number:
        typer.echo(f"configuration {found.number} in Postgres says all of it already")
        return
    typer.echo(
        f"configuration {found.number} counts from now on: new batches go by it, older ones once "
        "you `docmill reroute BATCH`; restart workers whose engines it changes"
    )
