"""CSV: a Markdown table, whatever parts its columns."""

import csv
from collections import Counter

from worker.read.kinds import Bounds, Text
from worker.read.plain import decode
from worker.read.tables import markdown

_PARTED_BY = ",;\t|"
_SAMPLE = 65_536
_MOST_FIELD = 10_000_000


def read(data: bytes, name: str, _: Bounds) -> Text:
    """Read a table; text that is none is left as it stands. Raises ReadError `encoding`."""
    text, notes = decode(data, name)
    delimiter = _delimiter(text)
    if delimiter is None:
        return Text.of([text], notes)
    csv.field_size_limit(_MOST_FIELD)
    try:
        rows = list(csv.reader(text.splitlines(keepends=True), delimiter=delimiter))
    except csv.Error:
        return Text.of([text], notes)
    return Text.of([markdown(rows)], notes)


def _delimiter(text: str) -> str | None:
    """The sign that parts most lines into one number of columns, two at least."""
    lines = text[:_SAMPLE].splitlines()
    if len(text) > _SAMPLE:
        lines.pop()
    best, regular = None, 0.5
    for sign in _PARTED_BY:
        try:
            widths = Counter(len(row) for row in csv.reader(lines, delimiter=sign) if row)
        except csv.Error:
            continue
        width, number = widths.most_common(1)[0] if widths else (0, 0)
        share = number / widths.total() if width > 1 else 0
        if share > regular:
            best, regular = sign, share
    return best
