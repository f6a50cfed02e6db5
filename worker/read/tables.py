"""Tables as Markdown: a form that language models know, and that the chunker can cut."""

from collections.abc import Iterable, Sequence

Rows = Iterable[Sequence[str]]


def markdown(rows: Rows) -> str:
    """Write a table with its first row as the header; empty rows and columns are left out.

    One column is written as lines, one row as a line: neither has a header.
    """
    table = _filled([[_cell(cell) for cell in row] for row in rows])
    if not table:
        return ""
    if len(table[0]) == 1:
        return "\n".join(row[0] for row in table)
    if len(table) == 1:
        return " | ".join(table[0])
    lines = ["| " + " | ".join(row) + " |" for row in table]
    return "\n".join([lines[0], "|" + "---|" * len(table[0]), *lines[1:]])


def _cell(cell: str) -> str:
    """A cell stays on its line and between its bars."""
    return " ".join(cell.split()).replace("|", "\\|")


def _filled(table: list[list[str]]) -> list[list[str]]:
    table = [row for row in table if any(row)]
    width = max(map(len, table), default=0)
    table = [row + [""] * (width - len(row)) for row in table]
    kept = [column for column in range(width) if any(row[column] for row in table)]
    return [[row[column] for column in kept] for row in table]
