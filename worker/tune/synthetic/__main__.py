"""python -m worker.tune.synthetic PAIRS.jsonl [--count N] [--seed N]: write pairs to train on."""

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from worker.tune.synthetic.lot import Lot
from worker.tune.synthetic.reading import reading
from worker.tune.synthetic.sorting import sorting
from worker.tune.synthetic.task import Task
from worker.tune.synthetic.writing import code, request, requests, summary, why

COUNT = 6_000
"""More than an hour on two cores sees: nothing is learned from twice."""

SHARES = {"sorting": 56, "reading": 37, "summary": 2, "code": 2, "why": 1, "request": 2}
"""Of a hundred pairs. Those to be sorted are short, and choosing is what has to be learned."""


def pairs(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """So many pairs, the same ones for the same seed."""
    lot = Lot(seed)
    asks = requests(seed)
    makers: dict[str, Callable[[Lot], Task]] = {
        "sorting": sorting,
        "reading": reading,
        "summary": summary,
        "code": code,
        "why": why,
        "request": lambda lot: request(lot, asks),
    }
    for kind in lot.choices(list(SHARES), list(SHARES.values()), k=count):
        yield makers[kind](lot).pair()


def main() -> None:
    """Write a file of pairs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with chosen.out.open("w", encoding="utf-8") as file:
        for pair in pairs(chosen.count, chosen.seed):
            file.write(json.dumps(pair, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
