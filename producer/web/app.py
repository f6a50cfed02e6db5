"""The page: batches, progress, results and costs in a browser, on this machine unless told else."""

import asyncio
import logging
import signal
import socket
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import typer
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from models.database import make_ready
from models.errors import DocmillError, InputError, NotFound, ServiceAway
from producer.web import evals, pages, review
from producer.web.actions import act
from producer.web.files import download
from producer.web.guard import HEADERS, Guard, bare, is_loopback
from producer.web.view import error_page

STOP_S = 5
"""How long downloads under way may take when the page is told to stop."""

AWAY = "Postgres does not answer. Nothing is lost: what is stored stays, and workers wait for it."
BROKEN = "Something went wrong in Docmill itself. The output of `docmill web` says what."
NO_LOGIN = "warning: the page has no log-in; whoever reaches {} can read and steer every batch"


def make_app(host: str = "127.0.0.1") -> Starlette:
    """The page as an ASGI application; `host` is where it will listen."""
    return Starlette(
        routes=[
            Route("/", pages.batches),
            Route("/live", pages.batches_live),
            Route("/costs", pages.costs),
            Route("/evals", evals.evals),
            Route("/evals/{eval}", evals.evaluation),
            Route("/batches/{batch}", pages.batch),
            Route("/batches/{batch}/live", pages.batch_live),
            Route("/batches/{batch}/documents", pages.documents),
            Route("/batches/{batch}/cancel", pages.cancel),
            Route("/batches/{batch}/receipt", pages.receipt),
            Route("/batches/{batch}/review", review.start),
            Route("/batches/{batch}/review/next", review.take, methods=["POST"]),
            Route("/batches/{batch}/review/{job}", review.look),
            Route("/batches/{batch}/review/{job}", review.decide, methods=["POST"]),
            Route("/batches/{batch}/results.{form}", download),
            Route("/batches/{batch}/jobs/{job}", pages.job),
            Route("/batches/{batch}/actions/{action}", act, methods=["POST"]),
            Mount("/static", StaticFiles(directory=Path(__file__).parent / "static")),
        ],
        middleware=[Middleware(Guard, host=host)],
        exception_handlers=_HANDLERS,
    )


def _http_error(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)
    message = "There is no such page." if exc.status_code == 404 else exc.detail
    return error_page(request, exc.status_code, message)


def _not_found(request: Request, exc: Exception) -> Response:
    return error_page(request, 404, str(exc))


def _not_now(request: Request, exc: Exception) -> Response:
    """The batch is not in the state that a button needs."""
    return error_page(request, 409, str(exc))


def _away(request: Request, exc: Exception) -> Response:
    """What the driver says may hold names and addresses: it goes to the terminal only."""
    typer.echo(f"docmill web: {exc}", err=True)
    return error_page(request, 503, AWAY)


def _unready(request: Request, exc: Exception) -> Response:
    return error_page(request, 503, str(exc))


def _broken(request: Request, exc: Exception) -> Response:
    response = error_page(request, 500, BROKEN)
    response.headers.update(HEADERS)  # this one is made outside of the guard
    return response


_HANDLERS: dict[Any, Any] = {
    HTTPException: _http_error,
    NotFound: _not_found,
    InputError: _not_now,
    ServiceAway: _away,
    DocmillError: _unready,
    Exception: _broken,
}


def serve(host: str, port: int) -> None:
    """Serve the page until SIGINT or SIGTERM. Raises InputError when it cannot listen there."""
    listener = _listen(bare(host), port)
    config = uvicorn.Config(
        make_app(host),
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=STOP_S,
    )
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    server = uvicorn.Server(config)
    _stop_by_signal(server)
    _prepare()
    shown = f"[{bare(host)}]" if ":" in host else host
    address = f"http://{shown}:{listener.getsockname()[1]}/"
    typer.echo(f"the page is at {address}")
    if not is_loopback(host):
        typer.echo(NO_LOGIN.format(address), err=True)
    sys.stdout.flush()
    with listener:
        server.run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as exc:
        why = exc.strerror if isinstance(exc, OSError) and exc.strerror else exc
        raise InputError(
            f"the page cannot listen on {host} port {port}: {why}; choose with --host and --port"
        ) from exc


def _is_news(record: logging.LogRecord) -> bool:
    """Downloads that the end of the page cuts off are no defect: their traceback says nothing."""
    kind = record.exc_info[0] if record.exc_info else None
    return kind is None or not issubclass(kind, asyncio.CancelledError)


def _stop_by_signal(server: uvicorn.Server) -> None:
    """uvicorn raises its signals again once it has stopped; they must not end this process then."""

    def stop(_: int, __: FrameType | None) -> None:
        server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


def _prepare() -> None:
    """Start the embedded server and make the schema now, not under the first visitors' requests."""
    try:
        make_ready()
    except DocmillError as exc:
        typer.echo(f"docmill web: {exc}", err=True)
