"""Amounts as people read them: in USD, and in the currency that docmill.toml wants beside it.

Programs never see any of this: what they are given are USD decimal strings.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from models.settings import settings

if TYPE_CHECKING:
    from models.config import DisplayConfig

SMALL = Decimal("0.001")
"""Below this, four decimals would leave too little of an amount."""

SYMBOLS = {"INR": "₹", "EUR": "€", "GBP": "£", "JPY": "¥"}

INDIAN_GROUP = re.compile(r"(?<=\d)(?=(\d\d)*\d{3}\.)")
"""Where commas stand in 1,23,456.78."""


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency to show beside USD; `origin` is where its rate comes from."""

    code: str
    usd_rate: Decimal
    origin: str

    def figure(self, usd_amount: str) -> str:
        """An amount of USD in this currency, without its sign, for a column headed by `code`."""
        return self._grouped(plain(Decimal(usd_amount) * self.usd_rate))

    def amount(self, usd_amount: str) -> str:
        """An amount of USD in this currency, with its sign."""
        return self._signed(self.figure(usd_amount))

    @property
    def rate(self) -> str:
        """What one USD is, with every digit that was given, and where that comes from."""
        return f"1 USD = {self._signed(self._grouped(f'{self.usd_rate:f}'))} ({self.origin})"

    def _signed(self, figure: str) -> str:
        # a hard space, so that no line ends between a code and its amount
        return f"{SYMBOLS.get(self.code) or self.code + chr(0xA0)}{figure}"

    def _grouped(self, number: str) -> str:
        return INDIAN_GROUP.sub(",", number) if self.code == "INR" else grouped(number)


def currency(config: "DisplayConfig | None", source: str) -> Currency | None:
    """What [display] of the file `source` asks for; None: USD only."""
    if config is None:
        return None
    origin = source if config.as_of is None else f"{source}, {config.as_of}"
    return Currency(config.currency, config.usd_rate, origin)


def shown_currency() -> Currency | None:
    """The currency that docmill.toml wants beside USD. Raises ConfigError."""
    path = settings().docmill_config
    if not path.exists() or b"display" not in path.read_bytes():
        return None  # most looks are spared the reading of all the rest of the file
    from models.config_file import load_config

    return currency(load_config(path).display, path.name)


def plain(number: Decimal) -> str:
    """Two decimals, four below 1, and below a thousandth two digits, however small they are."""
    if number == 0:
        return "0"
    if abs(number) < SMALL:
        return f"{Decimal(f'{number:.2g}'):f}"
    return f"{number:.4f}" if abs(number) < 1 else f"{number:.2f}"


def grouped(number: str) -> str:
    """A number with a comma at every thousand."""
    return f"{Decimal(number):,f}"


def usd(amount: str | None) -> str:
    """USD with enough digits to tell small sums apart; NULL is unknown, never 0."""
    if amount is None:
        return "unknown"
    number = Decimal(amount)
    return f"${number:,.4f}" if number >= SMALL else f"${plain(number)}"
