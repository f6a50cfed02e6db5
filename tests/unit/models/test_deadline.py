import re
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest

from models.deadline import FORMS, duration, parse_deadline, to_the_minute

NOW = datetime(2026, 11, 30, 12, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def in_india(monkeypatch):
    """The local clock is five and a half hours ahead: it says 18:00."""
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("said", "moment"),
    [
        ("18:01", NOW + timedelta(minutes=1)),
        ("23:59", datetime(2026, 11, 30, 18, 29, tzinfo=UTC)),
        ("6h", NOW + timedelta(hours=6)),
        ("90m", NOW + timedelta(minutes=90)),
        ("2d", NOW + timedelta(days=2)),
        ("1d2h30m", NOW + timedelta(days=1, hours=2, minutes=30)),
        ("2026-12-01T09:00", datetime(2026, 12, 1, 3, 30, tzinfo=UTC)),
        ("2026-12-01 09:00:30", datetime(2026, 12, 1, 3, 30, 30, tzinfo=UTC)),
        ("2026-12-01T09:00Z", datetime(2026, 12, 1, 9, tzinfo=UTC)),
        ("2026-12-01T09:00+02:00", datetime(2026, 12, 1, 7, tzinfo=UTC)),
        (datetime(2026, 12, 1, 9), datetime(2026, 12, 1, 3, 30, tzinfo=UTC)),
        (NOW + timedelta(hours=1), NOW + timedelta(hours=1)),
    ],
)
def test_a_deadline_is_a_time_of_today_a_span_or_a_moment(said, moment):
    found = parse_deadline(said, NOW)
    assert found == moment
    assert found.tzinfo is not None


NO_TIMES = (
    *("", "soon", "6", "6 h", "h", "-6h", "18", "18:60", "25:00", "2026-12-01", "2026-13-01T09:00"),
    *("9" * 9 + "h", "9999-12-31T23:59-11:00", 1080, 6.5, True, NOW.date(), []),
)


@pytest.mark.parametrize("said", NO_TIMES)
def test_what_is_no_time_is_refused_with_the_forms_that_there_are(said):
    with pytest.raises(ValueError, match=re.escape(FORMS)):
        parse_deadline(said, NOW)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("0h", "0h has passed"),
        ("17:59", "17:59 has passed, it is 2026-11-30 18:00; tomorrow's is 2026-12-01T17:59"),
        ("18:00", "tomorrow's is 2026-12-01T18:00"),
        ("2026-11-30T18:00", "2026-11-30T18:00 has passed, it is 2026-11-30 18:00"),
        ("2999-12-31T23:59-11:00", "more than ten years ahead"),
        ("9999d", "more than ten years ahead"),
    ],
)
def test_what_has_passed_or_is_out_of_reach_is_refused(said, words):
    with pytest.raises(ValueError, match=words):
        parse_deadline(said, NOW)


def test_times_are_said_to_the_minute():
    assert [duration(s) for s in (0, 20, 1_200, 3_600, 7_800, 90_000)] == [
        *("1 min", "1 min", "20 min", "1 h 00 min", "2 h 10 min", "25 h 00 min")
    ]
    assert to_the_minute(NOW, NOW) == "18:00"
    assert to_the_minute(NOW + timedelta(hours=6), NOW) == "2026-12-01 00:00"
    assert to_the_minute(NOW.astimezone(timezone(timedelta(hours=-8))), NOW) == "18:00"
