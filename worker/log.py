"""One log line per event: a sentence as the event, and the values that belong to it."""

import logging
import sys
from typing import TextIO

import structlog

from models.terminal import plain, visible

Logger = structlog.typing.FilteringBoundLogger


def set_up(pool: str) -> None:
    """Lines for people on a terminal, JSON lines elsewhere; libraries speak from warnings up."""
    to_terminal = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _clock(to_terminal),
            *([_visible] if to_terminal else [structlog.processors.format_exc_info]),
            # Plain: the usual formatter prints every local variable, passwords and keys too.
            structlog.dev.ConsoleRenderer(colors=True, exception_formatter=_traceback)
            if to_terminal
            else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )
    structlog.contextvars.bind_contextvars(pool=pool)
    logging.basicConfig(
        level=logging.WARNING,
        format="%(levelname)s %(name)s %(message)s",
        stream=plain(sys.stderr),
    )
    # Celery reports each retry of a connection; worker/outage.py says it once, for all.
    logging.getLogger("celery.worker.consumer.consumer").setLevel(logging.CRITICAL)
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)


def _clock(to_terminal: bool) -> structlog.processors.TimeStamper:
    """The wall clock of whoever sits there; else UTC, which lines of all hosts have in common."""
    form = "%H:%M:%S" if to_terminal else "iso"
    return structlog.processors.TimeStamper(fmt=form, utc=not to_terminal)


def _visible(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """No text of others steers the terminal; the colours are the renderer's."""
    return {key: visible(said) if isinstance(said, str) else said for key, said in event.items()}


def _traceback(out: TextIO, exc_info: structlog.typing.ExcInfo) -> None:
    structlog.dev.plain_traceback(plain(out), exc_info)


def logger() -> Logger:
    """The logger; every line carries the pool."""
    log: Logger = structlog.get_logger()
    return log
