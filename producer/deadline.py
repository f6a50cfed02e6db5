"""When a batch will be finished, at the pace of the last seconds, and what its deadline says to it.

Pure: statuses and stages as `producer/query/` has them.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from models.deadline import duration
from models.states import BatchState

Row = Mapping[str, Any]

RECENT_S = 20
"""The span in which stages.sql counts recent ends."""


def seconds_left(documents: Mapping[str, int], stages: Row) -> float | None:
    """Seconds until the last job will have ended; None: none ended of late, so nobody knows.

    Documents that are not read yet are taken to make as many jobs as those that are.
    """
    if not stages["recent"]:
        return None
    unread = documents.get("pending", 0) + documents.get("running", 0)
    read = sum(documents.values()) - unread
    to_come = stages["total"] * unread / read if read else 0
    return float((stages["total"] + to_come - stages["ended"]) * RECENT_S / stages["recent"])


def eta(documents: Mapping[str, int], stages: Row) -> str:
    """How long a batch will take, in words."""
    left = seconds_left(documents, stages)
    if left is None:
        return "not known yet"
    return f"about {round(left) // 60} min {round(left) % 60:02d} s"


def expected_finish(found: Row, stages: Row, now: datetime) -> datetime | None:
    """When a batch that runs will be finished; None: it does not run, or nobody knows."""
    left = seconds_left(found["documents"], stages)
    if found["state"] != BatchState.RUNNING or left is None:
        return None
    return (now + timedelta(seconds=left)).replace(microsecond=0)


def deadline_line(
    found: Row, stages: Row, now: datetime, show: Callable[[datetime], str]
) -> str | None:
    """A batch's deadline, when it was or will be finished, and how late that is; None: it has no
    deadline. `show` says a moment."""
    if found["deadline"] is None:
        return None
    deadline = datetime.fromisoformat(found["deadline"])
    said = show(deadline)
    if found["state"] == BatchState.CANCELLED:
        return said
    if found["finished_at"]:
        finish = datetime.fromisoformat(found["finished_at"])
        said += f", finished at {show(finish)}"
    elif expected := expected_finish(found, stages, now):
        finish = expected
        said += f", finish expected at {show(finish)}"
    else:
        finish = now
        said += ", finish not known yet"
    late_s = (finish - deadline).total_seconds()
    return f"{said}: late by {duration(late_s)}" if late_s > 0 else said
