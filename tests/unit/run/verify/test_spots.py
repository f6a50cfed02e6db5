"""Where values stand whose spaces and points differ: what it costs."""

from unittest.mock import patch

from worker.run.ground import Source
from worker.run.verify import spots
from worker.run.verify.asked import asked_of
from worker.run.verify.spots import spots_of, value_of
from worker.run.verify.view import view_of


def found(value: str, text: str) -> list[tuple[int, int]]:
    (asked,) = asked_of({"code": value}, {})
    places = spots_of(value_of(asked), asked, view_of((Source(0, text),)))
    return [(spot.start, spot.end) for spot in places]


def test_a_value_is_found_where_only_spaces_and_points_differ():
    assert found("AB-12/34 X", "no. ab 12.34-x, paid") == [(4, 14)]
    assert found("ab12cd", "xab12cd ab 12 cd") == [(8, 16)]


def test_so_many_places_are_looked_at_and_no_more():
    with patch.object(spots, "stands_alone", wraps=spots.stands_alone) as asked:
        found("ababab", "ab " * 5_000)
    assert asked.call_count <= 200
