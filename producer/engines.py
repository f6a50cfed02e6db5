"""Engines as people read them: who serves what, how fast, at what cost, and from when it pays."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from models.catalogue import RETIRES, retires
from models.words import Zone
from producer.money import plain

Row = Mapping[str, Any]

HEADINGS = ("engine", "model", "where", "slots", "state", "calls", "tok/s", "USD/M", "frontier/M")

NUMBERS = frozenset({"slots", "calls", "tok/s", "USD/M", "frontier/M"})

THOUSAND, MILLION = 1_000, 1_000_000


def engine_row(row: Row) -> dict[str, Any]:
    """A row of engines.sql as both doors show it, with from when on its machine pays, and whether
    its model is to be taken away by who hosts it."""
    found = dict(row)
    for key in ("usd_per_mtok", "frontier_usd_per_mtok", "usd_per_hour"):
        found[key] = plain(row[key]) if row[key] is not None else None
    for key in ("tokens_per_second", "tokens_per_hour"):
        found[key] = round(float(row[key]), 1) if row[key] is not None else None
    least = row["break_even_tokens_per_hour"]
    found["break_even_tokens_per_hour"] = int(least) if least is not None else None
    away = row["zone"] == Zone.FRONTIER and retires(row["model"])
    return {**found, "state": state(row), "retires": away}


def state(row: Row) -> str:
    """ok, why the model is not asked, or that nobody serves it."""
    if not row["workers"]:
        return "no worker"
    if not row["shut_at"]:
        return "ok"
    some = "" if row["shut_at"] >= row["workers"] else f" at {row['shut_at']} of {row['workers']}"
    return f"{row['code']}{some}"


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


def verdicts(rows: Sequence[Row]) -> Iterator[str]:
    """Of each engine whether its machines pay at today's volume, all models together; of none whose
    price, or the frontier's, is not known."""
    for row in {row["engine"]: row for row in rows}.values():
        least, now = row["break_even_tokens_per_hour"], row["tokens_per_hour"]
        if least is not None and now is not None:
            machines = f"{row['machines']} x " if row["machines"] > 1 else ""
            pays = "it pays" if now >= least else "it does not pay yet"
            yield (
                f"{row['engine']} at {machines}${row['usd_per_hour']} an hour: cheaper than the "
                f"frontier from {_tokens(least)} tokens an hour on; {_tokens(now)} now: {pays}"
            )


def retiring(rows: Sequence[Row]) -> Iterator[str]:
    """Of each hosted model that is to be taken away that it is."""
    for model in sorted({row["model"] for row in rows if row["retires"]}):
        yield f"{model}: {RETIRES}"


def _tokens(number: float) -> str:
    if number >= MILLION:
        return f"{number / MILLION:.1f}M"
    return f"{number / THOUSAND:.0f}k" if number >= THOUSAND else f"{number:.0f}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _usd(amount: str | None) -> str:
    return "unknown" if amount is None else f"{Decimal(amount):,.2f}"
