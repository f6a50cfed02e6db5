"""What becomes of a file in a folder that is watched."""

import pytest

from producer.folder import Fate, Known, Look, is_young, judged
from producer.places import File, Refused

OLD, NEW = b"old", b"new"
KNOWN = Known(3, 1_000, OLD)
FILE = File("/in/a.txt", "/in/a.txt", 3, 1_000)


@pytest.mark.parametrize(
    ("known", "sha256", "has_twin", "fate"),
    [
        (None, NEW, False, Fate.NEW),
        (None, NEW, True, Fate.TWIN),
        (KNOWN, OLD, True, Fate.TOUCHED),
        (KNOWN, NEW, False, Fate.CHANGED),
        (KNOWN, NEW, True, Fate.TWIN),
    ],
)
def test_bytes_are_submitted_once(known, sha256, has_twin, fate):
    assert judged(known, sha256, has_twin=has_twin) is fate


@pytest.mark.parametrize(
    ("size", "changed_ns", "same"), [(3, 1_000, True), (4, 1_000, False), (3, 1_001, False)]
)
def test_a_file_of_the_same_size_and_time_is_not_read_again(size, changed_ns, same):
    assert KNOWN.is_untouched(File(FILE.name, FILE.key, size, changed_ns)) is same


@pytest.mark.parametrize(("etag", "same"), [("1", True), ("2", False), ("", False)])
def test_where_a_server_names_the_bytes_their_time_does_not_matter(etag, same):
    known = Known(3, 1_000, OLD, "1")
    assert known.is_untouched(File(FILE.name, FILE.key, 3, 5_000, etag)) is same


@pytest.mark.parametrize(("now_s", "young"), [(0.5, True), (9.9, True), (10.1, False), (-5, False)])
def test_a_file_that_was_changed_a_moment_ago_waits_and_a_clock_ahead_does_not_matter(now_s, young):
    assert is_young(FILE, FILE.changed_ns + int(now_s * 1e9), age_s=10) is young


@pytest.mark.parametrize(
    ("look", "line"),
    [
        (Look(), "no batch; 0 files new, 0 changed"),
        (
            Look(7, 5, {Fate.NEW: 1, Fate.CHANGED: 2, Fate.TWIN: 3, Fate.SAME: 9}),
            "batch 7: 5 documents; 1 file new, 2 changed; 3 with bytes that were there before",
        ),
        (
            Look(None, 0, {Fate.NEW: 1}, [Refused("a", "empty", "a: empty")], young=2),
            "no batch; 1 file new, 0 changed; 2 too young; 1 refused",
        ),
    ],
)
def test_a_look_is_one_line(look, line):
    assert look.sentence() == line
