"""What is said of a look at a watched folder."""

import pytest

from producer.places import Refused
from producer.watch.fates import Fate
from producer.watch.look import Look


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
        (
            Look(8, 1, {Fate.REST: 1, Fate.AGAIN: 2}, ended=[7]),
            "batch 7, which was cut off, ends as it is; batch 8: 1 document; "
            "0 files new, 0 changed; 1 gone on with; 2 of which parts were refused before",
        ),
    ],
)
def test_a_look_is_one_line(look, line):
    assert look.sentence() == line


@pytest.mark.parametrize(
    ("look", "news"),
    [
        (Look(), False),
        (Look(fates={Fate.SAME: 9, Fate.TOUCHED: 1}, young=3), False),
        (Look(fates={Fate.SAME: 9, Fate.TWIN: 1}), True),
        (Look(ended=[7]), True),
    ],
)
def test_a_look_is_worth_a_line_where_something_came_even_if_its_bytes_were_there(look, news):
    assert look.is_news is news
