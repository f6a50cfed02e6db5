"""What several commands take: arguments, options and their values, checked."""

import os
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from models.bounds import MOST_USD, NOT_STORED
from models.words import TaskType

if TYPE_CHECKING:
    from models.config import Config
    from producer.remote.access import Access

TASKS = (AUTO := "auto", *TaskType)
"""--task of submit: a task type, or auto, which leaves it to the classify step."""


class FormatChoice(StrEnum):
    """--format."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"


class ByChoice(StrEnum):
    """--by."""

    MODEL = "model"
    TASK = "task"
    BATCH = "batch"
    DAY = "day"
    ESCALATION = "escalation"


def here() -> "Config":
    """What docmill.toml says on this host. Raises ConfigError."""
    from models.config_file import load_config
    from models.settings import settings

    return load_config(settings().docmill_config)


def access(password_file: Path | None) -> "Access":
    """How this host asks servers of documents. Raises ConfigError, InputError."""
    from producer.remote.access import Access, source_password

    return Access(here().sources, source_password(password_file))


def task(value: str) -> str:
    """A task type or auto. Raises BadParameter."""
    if value not in TASKS:
        raise typer.BadParameter(f"{value!r} is not one of {', '.join(TASKS)}")
    return value


def text(value: str) -> str:
    """Words that the database can be asked for. Raises BadParameter."""
    if NOT_STORED.search(value):
        raise typer.BadParameter("not text in UTF-8")
    return value


def usd(value: str) -> Decimal:
    """An amount in USD. Raises BadParameter."""
    try:
        amount = Decimal(value)
    except InvalidOperation:
        raise typer.BadParameter(f"not an amount in USD: {value!r}") from None
    if not amount.is_finite() or not 0 <= amount <= MOST_USD:
        raise typer.BadParameter(f"must be from 0 to {MOST_USD}, found {value}")
    return amount


Password = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        help="Opens PDFs that need it. Others may see it in the list of processes: prefer a file.",
    ),
]
PasswordFile = Annotated[
    Path | None,
    typer.Option(help="Passwords for PDFs that need one, one a line; each is tried in turn."),
]
SourcePassword = Annotated[
    Path | None,
    typer.Option(
        "--source-password-file",
        help="Its first line is the password for davs:// and imaps://; else the variable "
        "DOCMILL_SOURCE_PASSWORD.",
    ),
]


def reviewer(given: str | None) -> str:
    """Who reviews: the name given, or else the user of this machine. Raises InputError."""
    from getpass import getuser

    from producer.review import reviewer_name

    try:
        return reviewer_name(given if given is not None else getuser())
    except (KeyError, OSError):  # a container without a name for its user
        return reviewer_name(f"user {os.getuid()}")


Batch = Annotated[int, typer.Argument(help="The batch's number, as submit printed it.")]
OneBatch = Annotated[int | None, typer.Argument(help="Only this batch; every batch when left out.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Host = Annotated[str, typer.Option(help="Address where the page listens; it has no log-in.")]
Port = Annotated[int, typer.Option(help="The page's port.")]
By = Annotated[
    str | None,
    typer.Option("--by", parser=text, metavar="NAME", help="Who says so; by default the user."),
]
