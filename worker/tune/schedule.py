"""How far a training is, and how much it learns from a batch by then."""

WARM_UP = 0.03
"""Share of a training in which the learning rate rises: the first gradients point anywhere."""


def progress(step: int, steps: int | None, minutes: float, most_minutes: float | None) -> float:
    """The share of a training that is over, 0 to 1, by what ends it first."""
    shares = [
        done / most if most else 1.0
        for done, most in ((step, steps), (minutes, most_minutes))
        if most is not None
    ]
    return min(1.0, max(shares, default=0.0))


def rate(done: float) -> float:
    """The learning rate as a share of the highest: up, then down to nothing in a line."""
    if done < WARM_UP:
        return max(done, WARM_UP / 20) / WARM_UP
    return (1 - done) / (1 - WARM_UP)
