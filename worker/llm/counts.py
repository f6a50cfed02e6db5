"""Numbers as servers state them: what cannot be is unknown. Pure."""

from decimal import Decimal, InvalidOperation

MOST_TOKENS = 2**31 - 1
"""What the ledger's columns hold. Servers that subtract wrongly state 4294967295 or 2^64 - 1."""

_LONGEST_S = 86_400.0
"""No engine works on a call for longer than a day."""

_MOST_USD = Decimal(1_000_000)
"""No call costs more."""


def count(value: object) -> int | None:
    """A number of tokens."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= MOST_TOKENS else None


def seconds(value: object, per_second: int) -> float | None:
    """A time that is stated in so many parts of a second."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value / per_second if 0 <= value <= _LONGEST_S * per_second else None


def usd(value: object) -> Decimal | None:
    """An amount of money, as a number or in words."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = Decimal(str(value))
    except (InvalidOperation, ValueError):  # whole numbers of thousands of digits
        return None
    return amount if amount.is_finite() and 0 <= amount <= _MOST_USD else None


def sum_of(parts: tuple[float | None, ...]) -> float | None:
    """What is known of a sum; None where nothing is."""
    known = [part for part in parts if part is not None]
    return sum(known) if known else None
