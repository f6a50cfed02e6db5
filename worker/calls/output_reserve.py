"""How many output tokens to reserve for a call: learned from the answers to the same ask. Pure."""

from collections import OrderedDict, deque
from math import ceil

RECENT = 100
"""Answers of an ask that are remembered: enough for a 95th percentile, few enough to move."""

ENOUGH = 20
"""Answers below which a 95th percentile would be a guess: until then the limit is reserved."""

SHARE = 0.95
ASKS = 1_000
"""Asks that are remembered, the ones last used."""


class OutputReserve:
    """A moving 95th percentile of output tokens, per ask."""

    def __init__(self) -> None:
        self._seen: OrderedDict[int, deque[int]] = OrderedDict()

    def learn(self, ask_id: int, output_tokens: int) -> None:
        """An answer to this ask took so many tokens."""
        seen = self._seen.setdefault(ask_id, deque(maxlen=RECENT))
        seen.append(output_tokens)
        self._seen.move_to_end(ask_id)
        if len(self._seen) > ASKS:
            self._seen.popitem(last=False)

    def tokens(self, ask_id: int, max_tokens: int) -> int:
        """What to reserve, in tokens: never above max_tokens."""
        seen = self._seen.get(ask_id, ())
        if len(seen) < ENOUGH:
            return max_tokens
        rank = ceil(SHARE * len(seen))
        return min(max_tokens, sorted(seen)[rank - 1])
