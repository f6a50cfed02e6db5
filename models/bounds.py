"""What a batch may hold, whichever door it comes through: numbers so large, texts of such signs."""

import re
from decimal import Decimal

MOST_PRIORITY = 1_000_000
"""Either way: priorities go from its negative to it."""

MOST_EXAMPLES = 8
"""Of one ask: each of them makes every prompt longer."""

MOST_USD = Decimal(10**9)
"""The largest budget."""

NOT_STORED = re.compile("[\0\ud800-\udfff]")
"""What no text in Postgres holds: NUL, and surrogates, which stand for bytes that are no UTF-8."""
