"""A strict sliding window, as a provider keeps one, and the headers that speak of it."""

import time
from collections import deque


class Window:
    """Amounts of the last `span` seconds, never more than `limit` in any of them."""

    def __init__(self) -> None:
        self._entries: deque[list[float]] = deque()
        self._used = 0.0

    def used(self, now: float, span: float) -> float:
        """What the window holds at `now`."""
        while self._entries and self._entries[0][0] <= now - span:
            self._used -= self._entries.popleft()[1]
        return self._used

    def wait(self, amount: float, limit: float, now: float, span: float) -> float:
        """Seconds until `amount` fits; 0 when it does now."""
        over = self.used(now, span) + amount - limit
        if over <= 0:
            return 0.0
        for moment, freed in self._entries:
            over -= freed
            if over <= 0:
                return moment + span - now
        return span

    def add(self, amount: float, now: float) -> list[float]:
        """Count an amount; what comes back can be corrected later."""
        entry = [now, amount]
        self._entries.append(entry)
        self._used += amount
        return entry

    def correct(self, entry: list[float], amount: float) -> None:
        """Count an entry as `amount` from now on, if it is still in the window."""
        if self._entries and self._entries[0][0] <= entry[0]:
            self._used += amount - entry[1]
            entry[1] = amount


def anthropic_headers(states: dict[str, tuple[int, float]]) -> dict[str, str]:
    """What is left of limits, by what they limit: (limit, left)."""
    reset = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60))
    found = {}
    for what, (limit, left) in states.items():
        found[f"anthropic-ratelimit-{what}-limit"] = str(limit)
        found[f"anthropic-ratelimit-{what}-remaining"] = str(max(0, int(left)))
        found[f"anthropic-ratelimit-{what}-reset"] = reset
    return found
