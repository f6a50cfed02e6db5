"""When a file of a watched place is read, and what of its bytes is submitted."""

import pytest

from producer.places import File, Refused
from producer.sources import Accepted
from producer.watch.fates import (
    MOST_NS,
    MOST_REFUSED,
    Fate,
    Held,
    Moment,
    Refusal,
    Rules,
    Stamp,
    Step,
    Taken,
    after,
    judged,
    seen,
    stamp_of,
    step,
    within,
)

OLD, NEW = b"old", b"new"
S = 1_000_000_000
NOW = 1_000 * S
MOMENT = Moment(NOW, 10 * S)
RULES = Rules(50, "formats of today")
SMALL = Refusal("", "limits.file_mb = 50")
PAST, YOUNG, AHEAD, UNKNOWN = (Stamp(3, at) for at in (NOW - 10 * S, NOW - 9 * S, NOW + S, 0))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (Stamp(3, 1_000), Stamp(3, 1_000), True),
        (Stamp(3, 1_000), Stamp(4, 1_000), False),
        (Stamp(3, 1_000), Stamp(3, 1_001), False),
        (Stamp(0, 1_000), Stamp(0, 1_000), False),  # what is unknown says nothing
        (Stamp(3, 0), Stamp(3, 0), False),
        (Stamp(3, 1_000, "1"), Stamp(3, 5_000, "1"), True),  # the server names the bytes
        (Stamp(3, 1_000, "1"), Stamp(3, 1_000, "2"), False),
        (Stamp(3, 1_000, "1"), Stamp(3, 1_000), False),
        (Stamp(0, 0, "1"), Stamp(0, 0, "1"), True),
    ],
)
def test_only_what_is_known_speaks_for_the_same_bytes(one, other, same):
    assert one.says_same(other) is same


def test_whatever_a_disk_or_server_says_is_something_that_postgres_can_hold():
    odd = stamp_of(File("a", "a", 2**70, -(2**70), "\0\udc80"))
    assert odd == Stamp(MOST_NS, -MOST_NS, "\\x00\\x80")


@pytest.mark.parametrize(
    ("stamp", "what"),
    [
        (PAST, Step.READ),
        (YOUNG, Step.WAIT),
        (AHEAD, Step.NOTE),
        (UNKNOWN, Step.NOTE),
        (Stamp(3, -1), Step.READ),
        (Stamp(3, 0, "1"), Step.READ),  # a mail: its server names the bytes, and has no time
        (Stamp(3, NOW + S, "1"), Step.NOTE),
    ],
)
def test_a_file_that_was_never_seen_is_read_once_it_is_older_than_the_age(stamp, what):
    assert step(None, stamp, MOMENT, RULES) is what


@pytest.mark.parametrize("stamp", [AHEAD, UNKNOWN])
@pytest.mark.parametrize(
    ("held_as", "since_s", "what"),
    [
        (None, -10, Step.READ),
        (None, -9, Step.WAIT),
        (None, 1, Step.NOTE),  # our own clock was set back
        (Stamp(2, 7), -10, Step.NOTE),
    ],
)
def test_another_clock_is_not_believed_but_two_looks_that_are_the_age_apart(
    stamp, held_as, since_s, what
):
    held = Held(held_as or stamp, NOW + since_s * S, waits=True)
    assert step(held, stamp, MOMENT, RULES) is what


def test_with_no_age_everything_is_read_at_once():
    for stamp in (YOUNG, AHEAD, UNKNOWN):
        assert step(None, stamp, Moment(NOW, 0), RULES) is Step.READ


def test_what_was_read_is_left_until_it_looks_otherwise_or_what_refused_it_is_gone():
    held = Held(PAST, 0, False, OLD)
    assert step(held, PAST, MOMENT, RULES) is Step.SAME
    assert step(held, YOUNG, MOMENT, RULES) is Step.WAIT
    assert step(Held(AHEAD, 0, False, OLD), AHEAD, MOMENT, RULES) is Step.SAME
    assert step(Held(PAST, 0, True, OLD), PAST, MOMENT, RULES) is Step.READ
    refused = Held(PAST, 0, False, OLD, (SMALL,))
    assert step(refused, PAST, MOMENT, RULES) is Step.SAME
    assert step(refused, PAST, MOMENT, Rules(51, RULES.formats)) is Step.READ


def test_a_look_is_first_seen_when_it_is_another():
    first = seen(None, PAST, 5)
    assert first == Held(PAST, 5, waits=True)
    held = Held(PAST, 5, False, OLD, (SMALL,))
    assert seen(held, PAST, 9) == Held(PAST, 5, True, OLD, (SMALL,))
    assert seen(held, YOUNG, 9) == Held(YOUNG, 9, True, OLD, (SMALL,))


HELD = Held(PAST, 0, False, OLD)
SHUT = Held(PAST, 0, False, OLD, (SMALL,))
LIFTED = Held(PAST, 0, False, OLD, (Refusal("", "limits.file_mb = 1"),))
PARTLY = Held(PAST, 0, False, OLD, (Refusal("/a", "limits.file_mb = 1"),))
WAITED = Held(PAST, 0, True)


@pytest.mark.parametrize(
    ("held", "sha256", "taken", "fate"),
    [
        (None, NEW, None, Fate.NEW),
        (WAITED, NEW, None, Fate.NEW),
        (None, NEW, Taken(), Fate.TWIN),
        (None, NEW, Taken(2), Fate.REST),
        (HELD, OLD, Taken(), Fate.TOUCHED),
        (HELD, OLD, None, Fate.TOUCHED),  # refused for what it holds
        (HELD, OLD, Taken(0), Fate.REST),
        (HELD, NEW, None, Fate.CHANGED),
        (HELD, NEW, Taken(), Fate.TWIN),
        (SHUT, OLD, None, Fate.TOUCHED),
        (LIFTED, OLD, None, Fate.NEW),
        (LIFTED, OLD, Taken(), Fate.TWIN),  # another name with these bytes was tried before it
        (LIFTED, OLD, Taken(2), Fate.REST),
        (SHUT, OLD, Taken(2), Fate.TOUCHED),
        (PARTLY, OLD, Taken(), Fate.AGAIN),
        (PARTLY, OLD, Taken(2), Fate.AGAIN),
        (LIFTED, NEW, Taken(), Fate.TWIN),
        (LIFTED, NEW, None, Fate.CHANGED),
    ],
)
def test_bytes_are_submitted_once_and_what_was_refused_is_not_taken(held, sha256, taken, fate):
    assert judged(held, sha256, taken, RULES) is fate


def test_a_refusal_is_kept_where_more_than_the_bytes_is_behind_it():
    told = [
        Refused("in/all.zip/a", "too_large", ""),
        Refused("in/all.zip/b", "unsupported_type", ""),
        Refused("in/all.zip/c", "empty", ""),
    ]
    kept = RULES.refusals("in/all.zip", told, is_part=True)
    assert kept == (
        Refusal("/a", "limits.file_mb = 50"),
        Refusal("/b", "formats of today"),
    )
    assert RULES.lifted(kept) == ()
    assert Rules(60, RULES.formats).lifted(kept) == kept[:1]
    assert Rules(50, "formats of tomorrow").lifted(kept) == kept[1:]
    many = [Refused(str(number), "too_large", "") for number in range(MOST_REFUSED + 1)]
    assert len(RULES.refusals("", many, is_part=True)) == MOST_REFUSED
    assert RULES.refusals("", many, is_part=False) == (SMALL,)


A, B, C = (Accepted(f"all.zip/{name}", "text/plain", b"") for name in ("a", "b.zip/1", "b.zip.d"))
BAD = Refused("all.zip/e", "empty", "")


def test_the_rest_of_a_file_is_what_was_not_walked_and_what_was_refused_is_told_again():
    assert list(after(0, [A, BAD])) == [A, BAD]
    assert list(after(2, [BAD, A, B, C])) == [BAD, B, C]
    assert list(after(9, [A, B])) == []


def test_what_was_refused_is_tried_with_all_that_lies_in_it_and_nothing_else():
    found = within([Refusal("/b.zip", ""), Refusal("/e", "")], "all.zip", [A, B, C, BAD])
    assert list(found) == [B, BAD]
