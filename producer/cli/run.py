"""Running Docmill's own processes: workers, the page, the demo, and the check of all of it."""

from typing import Annotated

import typer

from models.words import Pool
from producer.cli.options import AsJson, Host, Port

HOST, PORT = "127.0.0.1", 8400


def worker(
    pool: Annotated[
        Pool,
        typer.Argument(
            help="ingest reads documents; local serves engines in the building and the classify "
            "step; frontier serves the others."
        ),
    ],
    slots: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Requests in flight at each engine (documents at once, for ingest). Default: as "
            "configured; 2 documents.",
        ),
    ] = None,
    engines: Annotated[
        str | None, typer.Option(help="Serve these engines only, such as gpu1,gpu2.")
    ] = None,
    models: Annotated[
        str | None, typer.Option(help="Serve these models only, such as phi4-mini,gemma3:4b.")
    ] = None,
) -> None:
    """Run a worker pool until Ctrl-C. Every pool may run on its own host."""
    from producer.processes import become_worker

    become_worker(pool, slots, _listed(engines), _listed(models))


def _listed(names: str | None) -> list[str]:
    return [name.strip() for name in (names or "").split(",") if name.strip()]


def up(host: Host = HOST, port: Port = PORT) -> None:
    """All pools, the page, and servers where none are named; one Ctrl-C stops all."""
    from producer import processes

    raise typer.Exit(processes.up(host, port))


def web(host: Host = HOST, port: Port = PORT) -> None:
    """The page: batches, progress, results and costs."""
    from producer.web.app import serve

    serve(host, port)


def demo(
    paths: Annotated[
        list[str] | None, typer.Argument(help="Your files and folders instead of samples/.")
    ] = None,
) -> None:
    """The whole path on real documents, embedded, to the end; then results and costs."""
    from producer.cli.demo import run

    raise typer.Exit(run(paths or []))


def doctor(
    as_json: AsJson = False,
    probe: Annotated[
        bool,
        typer.Option(
            "--probe",
            help="Ask each model a few small questions: does it keep to a schema, read the system "
            "message, refuse long prompts? On the frontier they cost as any call does.",
        ),
    ] = False,
) -> None:
    """Check every connection, model, limit and price, and say what to do."""
    from producer.processes import run_worker_module

    words = [*(["--json"] if as_json else []), *(["--probe"] if probe else [])]
    raise typer.Exit(run_worker_module("doctor", *words))


def formats(as_json: AsJson = False) -> None:
    """List the kinds of documents that are read, and what reads them."""
    from producer.processes import run_worker_module

    raise typer.Exit(run_worker_module("formats", *(["--json"] if as_json else [])))
