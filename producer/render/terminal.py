"""What all tables share: the terminal, its colours, how texts are made short."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from models.reasons import FieldOutcome
from models.terminal import one_line, visible

Row = Mapping[str, Any]

DOCUMENT_WIDTH, ASK_WIDTH, NAME_WIDTH = 20, 12, 6

MOST_ROWS = 200
"""A terminal is no place for more; --format is."""


class Terminal(Console):
    """Shows control codes in what it is given, and sends its own."""

    def render_str(self, text: str, **more: Any) -> Text:
        """The text as rich draws it; every string that is printed comes by here."""
        return super().render_str(visible(text), **more)


console = Terminal(emoji=False)  # :key: in an answer is no picture

STYLES = {
    "submitted": "cyan",
    "done": "green",
    "failed": "red",
    "held": "yellow",
    "partly": "yellow",
    "needs_ocr": "yellow",
    "needs_password": "yellow",
    "unsupported": "red",
    "skipped": "dim",
    "cancelled": "dim",
    "running": "cyan",
}

FIELD_MARKS: Mapping[str | None, str] = {
    FieldOutcome.WRONG: "[red]![/] ",
    FieldOutcome.CHECK: "[yellow]?[/] ",
}


def plain_table(title: str | None = None, *, expand: bool = False) -> Table:
    """Plain enough for 80 columns."""
    return Table(
        title=title,
        expand=expand,
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        title_justify="left",
    )


def note(line: str) -> None:
    """One such line."""
    console.print(escape(one_line(line)), style="yellow", highlight=False)


def counted(number: int, noun: str) -> str:
    """A number with its noun."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def brief(value: Any) -> str:
    """An answer as a person would jot it down."""
    if isinstance(value, dict):
        if len(value) == 1:
            return brief(next(iter(value.values())))
        return ", ".join(f"{key}: {brief(item)}" for key, item in value.items())
    if isinstance(value, list):
        return "; ".join(map(brief, value))
    return "-" if value is None else value if isinstance(value, str) else json.dumps(value)


def short(text: str, most: int) -> str:
    """A text on one line of at most so many characters."""
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most - 1] + "…"


def clock(iso: str) -> str:
    """A moment as people near it read it: the time of day, with the date where it is another."""
    moment = datetime.fromisoformat(iso).astimezone()
    today = moment.date() == datetime.now().astimezone().date()
    return moment.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M")


def answered_by(row: Row) -> str:
    """Who answered, as a column says it."""
    return "stand-in" if row["stand_in"] else row["tier"] or ""
