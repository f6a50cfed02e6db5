"""One log line per event: a sentence as the event, and the values that belong to it."""

import logging
import sys

import structlog

Logger = structlog.typing.FilteringBoundLogger


def set_up(pool: str) -> None:
    """Lines for people on a terminal, JSON lines elsewhere; libraries speak from warnings up."""
    to_terminal = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S" if to_terminal else "iso", utc=False),
            *([] if to_terminal else [structlog.processors.format_exc_info]),
            # Plain: the usual formatter prints every local variable, passwords and keys too.
            structlog.dev.ConsoleRenderer(
                colors=True, exception_formatter=structlog.dev.plain_traceback
            )
            if to_terminal
            else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )
    structlog.contextvars.bind_contextvars(pool=pool)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    # Celery reports each retry of a connection; worker/outage.py says it once, for all.
    logging.getLogger("celery.worker.consumer.consumer").setLevel(logging.CRITICAL)
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)


def logger() -> Logger:
    """The logger; every line carries the pool."""
    log: Logger = structlog.get_logger()
    return log
