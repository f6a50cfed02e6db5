"""Made-up bank statements over many pages, and an engine that reads them: rightly, or not quite."""

import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.stubs.fake import FakeEngine
from worker.llm.engine import Completion, Finish, Request, Usage
from worker.tokens import estimate

Row = dict[str, Any]

TEXTS = ("Coffee", "Rent", "Larkmoor Instruments", "Tram ticket", "Tea", "Tanner's Yard Books")

SCHEMA = {
    "type": "object",
    "properties": {
        "account": {"type": ["string", "null"]},
        "rows": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "date": {"type": ["string", "null"]},
                    "text": {"type": ["string", "null"]},
                    "amount": {"type": ["string", "null"]},
                },
                "required": ["date", "text", "amount"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["account", "rows"],
    "additionalProperties": False,
}

ACCOUNT = "77-4711"
_HEAD = "Millbank Savings      Account 77-4711\nDate  Text  Amount\n"
_FOOT = "\nPage {page}"
_AROUND_ROWS = re.compile(r"^(Millbank .*|Date  Text  Amount|Page \d+|\| .*Text.*|\|[-| ]+)$", re.M)
_CELLS = re.compile(r"\d{4}-\d{2}-\d{2}|-?\d+\.\d{2}|[A-Z][A-Za-z' ]*[a-z]")


def rows_of(number: int, seed: int = 1) -> list[Row]:
    """Rows of which many are equal, neighbours among them."""
    draw = random.Random(seed)
    rows: list[Row] = []
    day = 0
    while len(rows) < number:
        day += draw.random() < 0.3
        date = f"2024-{1 + day // 28 % 12:02}-{1 + day % 28:02}"
        text, amount = (
            draw.choice(TEXTS),
            f"-{draw.choice((3, 4, 12, 900))}.{draw.choice((0, 50)):02}",
        )
        for _ in range(1 + (draw.random() < 0.15)):
            rows.append({"date": date, "text": text, "amount": amount})
    return rows[:number]


def pages_of(rows: Sequence[Row], pages: int, seed: int = 1) -> list[str]:
    """The pages of a statement; most page breaks go through a row."""
    draw = random.Random(seed)
    cells = [[row["date"], row["text"], row["amount"]] for row in rows]
    texts, carried = [], ""
    for page in range(pages):
        own = cells[page * len(cells) // pages : (page + 1) * len(cells) // pages]
        lines = ["  ".join(each) for each in own]
        said = carried + "\n".join(lines)
        carried = ""
        if own and page < pages - 1 and (at := draw.choice((0, 1, 2))):
            said = said[: len(said) - len("  ".join(own[-1][at:]))].rstrip()
            carried = "  ".join(own[-1][at:]) + "\n"
        texts.append(_HEAD + said + _FOOT.format(page=page + 1))
    return texts


def read(text: str, *, halves: bool = True) -> list[Row]:
    """The rows that stand in a text, in order; of those that its ends cut what there is of them."""
    rows: list[Row] = []
    for cell in _CELLS.findall(_AROUND_ROWS.sub("", text)):
        kind = "date" if cell[4:5] == "-" and len(cell) == 10 else "text"
        kind = "amount" if cell[-3:-2] == "." else kind
        last = rows[-1] if rows else None
        order = ("date", "text", "amount")
        if last is None or any(last[each] is not None for each in order[order.index(kind) :]):
            rows.append({"date": None, "text": None, "amount": None})
        rows[-1][kind] = cell
    return [row for row in rows if halves or None not in row.values()]


@dataclass
class Clerk(FakeEngine):
    """Answers with the rows of the text that it is shown. `halves`: also with what there is of rows
    that the text's ends cut; `drops`: whether it leaves a row out; `heeds`: it keeps to bounds;
    `rambles`: it says the first row again until a bound ends it."""

    halves: bool = True
    heeds: bool = True
    rambles: bool = False
    drops: Callable[[Row], bool] = field(default=lambda row: False)

    async def _answer(self, request: Request) -> Completion:
        text = request.messages[-1].content.rpartition("Text:\n")[2]
        rows = [row for row in read(text, halves=self.halves) if not self.drops(row)]
        properties: Mapping[str, Any] = (request.schema or SCHEMA)["properties"]
        value: dict[str, Any] = {}
        if "account" in properties:
            value["account"] = ACCOUNT if ACCOUNT in text else None
        if "rows" in properties:
            most = properties["rows"].get("maxItems") if self.heeds else None
            value["rows"] = rows[:1] * (most or 1) if self.rambles else rows[:most]
        said = json.dumps(value)
        cut = estimate(said) > 2 * request.max_tokens
        finish = Finish.LENGTH if cut else Finish.STOP
        said = said[: len(said) // 2] if cut else said
        return Completion(said, finish, 1, Usage(estimate(text), 0, estimate(said)))
