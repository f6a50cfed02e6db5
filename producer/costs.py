"""Rows of costs as people read them: their cells, their total, and why some have no price."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from producer.money import Currency, grouped, plain
from producer.sentences import cost_reason

Row = Mapping[str, Any]

COUNTS = ("calls", "input_tokens", "output_tokens", "gpu_seconds")
ALL_COUNTS = (*COUNTS, "cached_tokens", "unknown_price_calls", "lost_calls")
AMOUNTS = ("cost_usd", "would_have_cost_usd")

MILLION, BILLION = 10**6, 10**9


def headings(currency: Currency | None) -> list[str]:
    """What stands over `cells`."""
    code = [currency.code] if currency else []
    return ["calls", "in", "out", "GPU s", "USD", *code, "frontier*"]


def cells(row: Row, currency: Currency | None) -> list[str]:
    """A row's numbers. With a currency there is one more, the estimate is in it, and all are
    kept short enough for 80 columns."""
    if currency is None:
        return [*(_count(row[key]) for key in COUNTS), *(_usd(row[key]) for key in AMOUNTS)]
    cost, estimate = (row[key] for key in AMOUNTS)
    return [
        *(_short_count(row[key]) for key in COUNTS),
        "unknown" if cost is None else grouped(plain(Decimal(cost))),
        "unknown" if cost is None else currency.figure(cost),
        "unknown" if estimate is None else currency.figure(estimate),
    ]


def _count(number: float | None) -> str:
    return "-" if number is None else f"{number:,.0f}"


def _short_count(number: float | None) -> str:
    if number is None or number < MILLION:
        return _count(number)
    return f"{number / MILLION:.1f}M" if number < BILLION else f"{number / BILLION:,.1f}B"


def _usd(amount: str | None) -> str:
    if amount is None:
        return "unknown"
    least = Decimal("0.00005")
    small = 0 < abs(Decimal(amount)) < least  # as little as it is, it is not 0
    return plain(Decimal(amount)) if small else f"{Decimal(amount):,.4f}"


def total(rows: Sequence[Row]) -> dict[str, Any]:
    """What is known of all rows, summed up; what no row knows stays None."""

    def known(key: str) -> list[Any]:
        return [row[key] for row in rows if row[key] is not None]

    counts = {key: round(sum(known(key)), 3) if known(key) else None for key in ALL_COUNTS}
    amounts = {key: f"{sum(map(Decimal, known(key))):f}" if known(key) else None for key in AMOUNTS}
    return {**counts, **amounts}


def brought(row: Row) -> str:
    """What the second readings of a batch brought, in a sentence."""
    cost = _usd(row["cost_usd"])
    each = f", {_usd(row['usd_per_mended'])} for each" if row["usd_per_mended"] else ""
    return (
        f"batch {row['batch']}: fields of {row['jobs']:,} of {row['of_jobs']:,} jobs were read a "
        f"second time; {row['mended']:,} of {row['fields']:,} in question are sure since; "
        f"USD {cost}{each}"
    )


def reasons(rows: Sequence[Row]) -> list[str]:
    """Why calls of these rows have no price, each reason once, with what to do about it."""
    return sorted({cost_reason(reason) for row in rows for reason in row["reasons"]})
