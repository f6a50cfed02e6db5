"""Deadlines: the words in which they are given, and those in which times are said."""

import re
from datetime import datetime, time, timedelta

FORMS = "18:00 (a time of today), 6h, 90m, 2d or 1h30m (from now), or 2026-12-01T09:00"

FARTHEST = timedelta(days=3_650)

DAY = timedelta(days=1)

_SPAN = re.compile(r"(?:(\d{1,4})d)?(?:(\d{1,5})h)?(?:(\d{1,7})m)?")
_TIME = re.compile(r"\d\d?:\d\d")


def parse_deadline(said: object, now: datetime) -> datetime:
    """The moment that is meant, with its zone: local time where none is named.

    `now` has a zone. Raises ValueError with the FORMS, or where the moment has passed.
    """
    moment = _moment(said, now)
    if moment <= now:
        raise ValueError(
            f"{said} has passed, it is {now.astimezone():%Y-%m-%d %H:%M}{_tomorrow(said, moment)}"
        )
    if moment > now + FARTHEST:
        raise ValueError(f"{said} is more than ten years ahead")
    return moment


def _moment(said: object, now: datetime) -> datetime:
    try:
        match said:
            case datetime():
                return said.astimezone()
            case str() if (span := _SPAN.fullmatch(said)) and any(span.groups()):
                days, hours, minutes = (int(part or 0) for part in span.groups())
                ahead = timedelta(days=days, hours=hours, minutes=minutes)
                return now.replace(microsecond=0) + ahead
            case str() if _TIME.fullmatch(said):
                local = now.astimezone().date()
                return datetime.combine(local, time.fromisoformat(said.zfill(5))).astimezone()
            case str() if ":" in said:
                return datetime.fromisoformat(said).astimezone()
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"must be {FORMS}; found {str(said)!r:.60}")


def _tomorrow(said: object, moment: datetime) -> str:
    """How to say the next day's, where a time of day has passed."""
    if not isinstance(said, str) or not _TIME.fullmatch(said):
        return ""
    return f"; tomorrow's is {moment + DAY:%Y-%m-%dT%H:%M}"


def duration(seconds: float) -> str:
    """2 h 10 min; 20 min. Less than a minute is one."""
    hours, minutes = divmod(max(1, round(seconds / 60)), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"


def to_the_minute(moment: datetime, now: datetime) -> str:
    """The local time of day, with the date where that is not today's."""
    moment, now = moment.astimezone(), now.astimezone()
    return moment.strftime("%H:%M" if moment.date() == now.date() else "%Y-%m-%d %H:%M")
