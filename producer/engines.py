"""Engines as people read them: who serves what, how fast, at what cost, and from when it pays."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from producer.money import plain

Row = Mapping[str, Any]

HEADINGS = ("engine", "model", "where", "slots", "state", "calls", "tok/s", "USD/M", "frontier/M")

NUMBERS = frozenset({"slots", "calls", "tok/s", "USD/M", "frontier/M"})

THOUSAND, MILLION = 1_000, 1_000_000


def engine_row(row: Row) -> dict[str, Any]:
    """A row of engines.sql as both doors show it, with from when on its machine pays."""
    found = dict(row)
    for key in ("usd_per_mtok", "frontier_usd_per_mtok", "usd_per_hour"):
        found[key] = plain(row[key]) if row[key] is not None else None
    for key in ("tokens_per_second", "tokens_per_hour"):
        found[key] = round(float(row[key]), 1) if row[key] is not None else None
    return {**found, "state": state(row), "break_even_tokens_per_hour": _break_even(row)}


def state(row: Row) -> str:
    """ok, why the model is not asked, or that nobody serves it."""
    if not row["workers"]:
        return "no worker"
    if not row["shut_at"]:
        return "ok"
    some = "" if row["shut_at"] >= row["workers"] else f" at {row['shut_at']} of {row['workers']}"
    return f"{row['code']}{some}"


def _break_even(row: Row) -> int | None:
    """Tokens an hour from which a machine that is paid by the hour costs less than the frontier."""
    hour, frontier = row["usd_per_hour"], row["frontier_usd_per_mtok"]
    if not hour or not frontier:
        return None
    return int(hour * MILLION / frontier)


def cells(row: Row) -> list[str]:
    """A row of `engine_row`, under HEADINGS."""
    return [
        row["engine"],
        row["model"],
        ", ".join(row["addresses"]) or "-",
        f"{row['in_use']}/{row['slots']}" if row["workers"] else "-",
        row["state"],
        f"{row['calls']:,}",
        _number(row["tokens_per_second"]),
        _usd(row["usd_per_mtok"]),
        _usd(row["frontier_usd_per_mtok"]),
    ]


def verdict(row: Row) -> str | None:
    """Whether a machine pays at today's volume; None: its price or the frontier's is not known."""
    least, now = row["break_even_tokens_per_hour"], row["tokens_per_hour"]
    if least is None or now is None:
        return None
    pays = "it pays" if now >= least else "it does not pay yet"
    return (
        f"{row['engine']} at ${row['usd_per_hour']} an hour: cheaper than the frontier from "
        f"{_tokens(least)} tokens an hour on; {row['model']} does {_tokens(now)} now: {pays}"
    )


def _tokens(number: float) -> str:
    if number >= MILLION:
        return f"{number / MILLION:.1f}M"
    return f"{number / THOUSAND:.0f}k" if number >= THOUSAND else f"{number:.0f}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _usd(amount: str | None) -> str:
    return "unknown" if amount is None else f"{Decimal(amount):,.2f}"
