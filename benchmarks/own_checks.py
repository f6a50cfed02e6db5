"""(p) What the user's own checks of an answer cost: six checks and three formats of an invoice.

python -m benchmarks.own_checks
"""

import time
from collections.abc import Iterator
from datetime import date

from benchmarks.rig import Measured
from models.checks import Format, OwnChecks
from models.words import TaskType
from worker.run.ground import Source
from worker.run.own.identifiers import is_valid
from worker.run.own.own import judged
from worker.run.own.readings import forms
from worker.run.verify.asked import asked_of
from worker.run.verify.verify import verify

MOST_CPU_MS = 0.5
ANSWERS, ITEMS = 100, 10

WORD = {"type": "string"}
FIELDS = ("vendor", "date", "due", "iban", "net", "tax", "total")
SCHEMA = {
    "type": "object",
    "properties": {
        **dict.fromkeys(FIELDS, WORD),
        "items": {"type": "array", "items": {"type": "object", "properties": {"amount": WORD}}},
    },
}
OWN = OwnChecks(
    (
        "net == sum(items.amount)",
        "total == net + tax",
        "date <= today",
        "not given(due) or due >= date",
        "iban valid",
        "items.amount > 0",
    ),
    (("total", Format.CURRENCY), ("date", Format.DATE), ("due", Format.DATE)),
    date(2026, 11, 28),
)


def run(turns: int = 5) -> Iterator[Measured]:
    """The middle one of many answers, of the least disturbed turn."""
    name = f"p: CPU of {len(OWN.checks)} checks of the user's, {ITEMS} items"
    yield Measured(name, min(map(_middle_ms, range(turns))), MOST_CPU_MS, True, "ms")


def _middle_ms(turn: int) -> float:
    first = turn * ANSWERS + 1
    spent = sorted(map(_ms, range(first, first + ANSWERS)))
    return spent[ANSWERS // 2]


def _ms(turn: int) -> float:
    """Of one answer that all hold for, with numbers of its own."""
    forms.cache_clear()
    is_valid.cache_clear()
    amounts = [100 * turn + n for n in range(ITEMS)]
    net, tax = sum(amounts), 20 * turn
    said = {
        "vendor": "Bright Tools Ltd",
        "date": "3 May 2024",
        "due": "2 June 2024",
        "iban": "GB82 WEST 1234 5698 7654 32",
        "net": f"{net:,}.00",
        "tax": f"{tax:,}.00",
        "total": f"EUR {net + tax:,}.00",
    }
    items = [{"amount": f"{each:,}.00"} for each in amounts]
    value = {**said, "items": items}
    lines = [f"Item {each['amount']}" for each in items]
    sources = [Source(0, "\n".join([*lines, *(f"{name}: {said[name]}" for name in FIELDS)]))]
    fields = verify(TaskType.EXTRACTION, asked_of(value, SCHEMA), sources)
    started = time.process_time()
    found = judged(value, OWN, SCHEMA, sources, fields)
    spent = time.process_time() - started
    assert not any(each.code in ("own_check", "uncheckable") for each in found.values())
    return spent * 1000


if __name__ == "__main__":
    for measured in run():
        print(f"{measured.name}: {measured.figure:.3f} {measured.unit}")
