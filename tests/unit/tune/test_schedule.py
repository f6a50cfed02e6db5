import pytest

from worker.tune.schedule import WARM_UP, progress, rate


@pytest.mark.parametrize(
    ("step", "steps", "minutes", "most", "done"),
    [
        (0, 100, 0.0, None, 0.0),
        (25, 100, 9.0, None, 0.25),
        (25, 100, 9.0, 10.0, 0.9),  # what ends it first counts
        (99, 100, 1.0, 10.0, 0.99),
        (500, None, 5.0, 10.0, 0.5),
        (200, 100, 0.0, None, 1.0),
        (0, None, 0.0, 0.0, 1.0),  # no time at all is over at once
    ],
)
def test_progress_is_the_share_of_what_ends_first(step, steps, minutes, most, done):
    assert progress(step, steps, minutes, most) == pytest.approx(done)


def test_the_rate_rises_and_then_falls_to_nothing():
    rates = [rate(n / 100) for n in range(101)]
    top = rates.index(max(rates))
    assert rates[top] == pytest.approx(1.0, abs=0.02)
    assert top == round(100 * WARM_UP)
    assert 0 < rates[0] < 0.1
    assert rates[100] == 0
    assert rates[:top] == sorted(rates[:top])
    assert rates[top:] == sorted(rates[top:], reverse=True)
