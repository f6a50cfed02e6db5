"""What a small model comes to with a larger one behind it."""

from decimal import Decimal
from typing import Any

from models.shares import Share
from producer.evaluate.escalation import escalations
from producer.evaluate.figures import THEN, Score

SMALL, MIDDLE, LARGE = "local/small", "gpu2/middle", "frontier/large"
PLACES = (SMALL, MIDDLE, LARGE)


def score(place: str, text: int, *, right: bool = True, wrong: int = 0, **more: Any) -> Score:
    return Score(place, bytes([text]), "extraction", right, {}, wrong=wrong, **more)


def of_ten(**paid: Decimal) -> list[Score]:
    """Four of ten small answers have a wrong value, of which the checks see three, and one that is
    right; the large model is right but for one."""
    small = [score(SMALL, n, right=n >= 4, wrong=int(n in (0, 1, 2, 9)), **paid) for n in range(10)]
    usd = Decimal("0.01")
    return small + [score(LARGE, n, right=n != 9, cost_usd=usd) for n in range(10)]


def test_what_the_checks_call_wrong_is_asked_of_the_larger_model():
    [found] = escalations(of_ten(cost_usd=Decimal(0)), PLACES, 1)
    assert (found.first, found.onward) == (SMALL, LARGE)
    assert (found.escalated, found.before, found.after) == (
        Share(4, 10),
        Share(6, 10),
        Share(8, 10),
    )
    assert (found.usd_per_right, found.usd_per_gained) == (Decimal("0.005"), Decimal("0.02"))
    assert found.as_json() == {
        "to": LARGE, "n": 10, "escalated": 4, "right_before": 6, "right_after": 8,
        "usd_per_right": "0.005", "usd_per_gained": "0.02",
    }  # fmt: skip


def test_a_cap_lets_so_many_through_and_none_where_it_is_naught():
    [capped] = escalations(of_ten(), PLACES, 0.2)
    assert (capped.escalated, capped.after) == (Share(2, 10), Share(8, 10))
    [none] = escalations(of_ten(), PLACES, 0)
    assert (none.escalated, none.after, none.usd_per_gained) == (Share(0, 10), Share(6, 10), None)


def test_what_is_not_known_of_one_answer_is_not_known_of_all():
    [found] = escalations(of_ten(), PLACES, 1)
    assert (found.usd_per_right, found.usd_per_gained) == (None, Decimal("0.02"))


def test_each_model_stands_before_each_larger_one_and_what_was_answered_then_is_none():
    scores = [score(place, 1, right=False, wrong=1) for place in (*PLACES, THEN)]
    found = list(escalations(scores, (*PLACES, THEN), 1))
    pairs = [(SMALL, MIDDLE), (SMALL, LARGE), (MIDDLE, LARGE)]
    assert [(one.first, one.onward) for one in found] == pairs
    assert found[0].usd_per_right is None


def test_where_the_checks_call_nothing_wrong_nothing_is_said():
    assert list(escalations([score(SMALL, 1), score(LARGE, 1)], PLACES, 1)) == []
    assert list(escalations([score(SMALL, 1, wrong=1), score(LARGE, 2)], PLACES, 1)) == []
