"""A service that is away: one log line when it goes, one when it is back."""

import time

from worker.log import logger


class Outage:
    """Remembers whether a service is away."""

    def __init__(self, service: str) -> None:
        self.service = service
        self._since: float | None = None

    def begin(self, why: object) -> None:
        """The service did not answer; said once until `end`."""
        if self._since is None:
            self._since = time.monotonic()
            logger().warning(f"{self.service} is away; waiting for it", why=_first_line(why))

    def end(self) -> None:
        """The service answered."""
        if self._since is not None:
            seconds = round(time.monotonic() - self._since, 1)
            self._since = None
            logger().info(f"{self.service} is back", seconds=seconds)


def _first_line(why: object) -> str:
    return next(iter(str(why).strip().splitlines()), type(why).__name__)
