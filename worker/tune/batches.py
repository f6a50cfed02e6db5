"""The order in which pairs are learned from."""

import random
from collections.abc import Iterator, Sequence

WINDOW = 24
"""Batches whose pairs are put in order of length together. Padding costs as much as text; but
where all pairs were in order, a training that ends early would have seen short ones alone."""


def batches(lengths: Sequence[int], size: int, seed: int, start: int = 0) -> Iterator[list[int]]:
    """Batches of indices without end, pass after pass, from the batch numbered `start` on.

    Each pass has every index once. Those of a batch are of like length; batches come in no order.
    """
    passed = 0
    for turn in _turns():
        order = _one_pass(lengths, size, random.Random(f"{seed}/{turn}"))  # noqa: S311
        yield from order[max(0, start - passed) :]
        passed += len(order)


def _turns() -> Iterator[int]:
    turn = 0
    while True:
        yield turn
        turn += 1


def _one_pass(lengths: Sequence[int], size: int, lot: random.Random) -> list[list[int]]:
    shuffled = list(range(len(lengths)))
    lot.shuffle(shuffled)
    made: list[list[int]] = []
    for begin in range(0, len(shuffled), size * WINDOW):
        window = sorted(shuffled[begin : begin + size * WINDOW], key=lambda at: lengths[at])
        cut = [window[at : at + size] for at in range(0, len(window), size)]
        lot.shuffle(cut)
        made += cut
    return made
