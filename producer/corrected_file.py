"""A corrected export: results as CSV or JSON lines, in which somebody changed values.

A row says by its `job` which answer it is about, and by `corrected` what had been ruled on when it
was exported. All of it is stored, or nothing is.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path as File
from typing import Any, TextIO, TypeGuard

from models.database import ready_connection
from models.errors import InputError
from producer import review
from producer.corrections import Answer, Correction, Edit, Text, differences, rule, same
from producer.export import csv_cell, unguarded
from producer.lines import MOST_LINE, Problems, json_lines, read_json

BLOCK = 1_000
"""Rows that are compared with their answers at a time."""

VALUE = "value."
"""What the columns of a CSV begin with that hold the values of the answers."""


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the file. `cells` are those of a CSV, by field; None: JSON lines."""

    number: int
    job: int
    rulings: Any
    cells: Mapping[str, str] | None = None
    value: Any = None


Imported = list[tuple[Answer, list[Correction]]]


def import_file(path: File, reviewer: str, *, confirm: bool, dry_run: bool = False) -> Imported:
    """Rule on what a corrected export changed; `confirm`: what it left as it was is right. The
    answers that something is ruled about, and what.

    Raises InputError that names each line which cannot be used; then nothing is stored.
    """
    ruled: Imported = []
    problems = Problems(path)
    with (
        _opened(path) as file,
        ready_connection() as connection,
        connection.transaction(force_rollback=dry_run),
    ):
        lines = _each_once(_lines(file, problems), problems)
        while block := list(islice(lines, BLOCK)):
            answers = review.locked(connection, [line.job for line in block])
            made = [_ruled(line, answers, reviewer, confirm, problems) for line in block]
            kept = [each for each in made if each is not None]
            review.add(connection, kept, reviewer)
            ruled += kept
            if problems.are_enough:
                break
        problems.refuse()
    return ruled


def _opened(path: File) -> TextIO:
    return path.open(encoding="utf-8-sig", newline="")


def _ruled(
    line: Line,
    answers: Mapping[int, Answer],
    reviewer: str,
    confirm: bool,
    problems: Problems,
) -> tuple[Answer, list[Correction]] | None:
    """What a line comes to; None: nothing, or a problem."""
    answer = answers.get(line.job)
    try:
        if answer is None:
            raise InputError(f"job {line.job} has no answer; export the results again")
        review.refuse_others(answer, reviewer)
        edits = edits_of(line, answer)
        if line.rulings == answer.rulings:
            refuse_whole(line, answer)
        elif edits or confirm:
            raise InputError(
                f"job {line.job} was corrected after this file was exported; export it again"
            )
        made = rule(answer, edits, confirm=confirm)
    except InputError as exc:
        problems.add(line.number, exc)
        return None
    return (answer, made) if made else None


def edits_of(line: Line, answer: Answer) -> list[Edit]:
    """What a line changes in its answer. Raises InputError."""
    if line.cells is None:
        if not isinstance(line.value, dict):
            raise InputError('"value" must be the object of the answer')
        return list(differences(answer.value, line.value))
    return [
        Edit((field,), Text("null" if cell == "" else unguarded(cell)))
        for field, cell in line.cells.items()
        if (cell or field in answer.value) and is_changed(cell, answer.value.get(field))
    ]


def refuse_whole(line: Line, answer: Answer) -> None:
    """The column `value` of a CSV only repeats what its fields have: a change there would be lost.
    Raises InputError."""
    if line.cells is not None and line.value is not None and not same(line.value, answer.value):
        raise InputError("value was changed; change the columns value.FIELD instead")


def is_changed(cell: str, now: Any) -> bool:
    """Whether a cell holds anything else than what the export wrote, in any of the ways in which
    spreadsheets write the same: TRUE, 75.5 for 75.50 where it is a number, other ends of lines."""
    if now is None:
        return cell != ""
    if isinstance(now, bool):
        return cell.lower() != str(now).lower()
    if not isinstance(now, str):
        try:
            return not same(read_json(cell), now)
        except ValueError:
            return True
    written = str(csv_cell(now))
    return cell.replace("\r\n", "\n") != written.replace("\r\n", "\n")


def _each_once(lines: Iterator[Line], problems: Problems) -> Iterator[Line]:
    seen: dict[int, int] = {}
    for line in lines:
        first = seen.setdefault(line.job, line.number)
        if first == line.number:
            yield line
        else:
            problems.add(
                line.number,
                f"job {line.job} stands in line {first} already; the export has each once",
            )


def _lines(file: TextIO, problems: Problems) -> Iterator[Line]:
    """The rows of a file; what is none is a problem. Raises InputError for a file that is no
    export."""
    try:
        start = file.read(1)
        file.seek(0)
        yield from _of_json(file, problems) if start == "{" else _of_csv(file, problems)
    except (UnicodeDecodeError, csv.Error) as exc:
        raise InputError(f"{file.name}: cannot be read as CSV or JSON lines: {exc}") from exc


def _of_json(file: TextIO, problems: Problems) -> Iterator[Line]:
    for number, row in json_lines(file, problems):
        job = row.get("job")
        if not _is_number(job) or "value" not in row:
            problems.add(number, 'needs "job" and "value", as results export them')
        elif row["value"] is not None:  # null: of a job that is not done
            yield Line(number, job, row.get("corrected"), value=row["value"])


def _is_number(job: Any) -> TypeGuard[int]:
    return isinstance(job, int) and not isinstance(job, bool) and 0 < job < 2**63


def _of_csv(file: TextIO, problems: Problems) -> Iterator[Line]:
    csv.field_size_limit(MOST_LINE)
    header = file.readline(MOST_LINE)
    file.seek(0)
    rows = csv.DictReader(file, delimiter=max(",;\t", key=header.count), strict=True)
    names = rows.fieldnames or []
    fields = [name for name in names if name.startswith(VALUE)]
    if "job" not in names or not fields:
        raise InputError(
            f"{file.name}: needs the columns job and value.FIELD, as `docmill results --format "
            "csv` writes them"
        )
    for row in rows:
        line = _of_row(rows.line_num, row, fields, problems)
        if line is not None:
            yield line


def _of_row(
    number: int, row: Mapping[str, Any], fields: Sequence[str], problems: Problems
) -> Line | None:
    if row.get("state", "done") not in ("done", ""):
        return None
    job = (row["job"] or "").strip()
    try:
        if not job.isdecimal() or not job.isascii() or not _is_number(int(job[:20])):
            raise ValueError(f"job must be a number, found {job[:40]!r}")
        if None in row or None in row.values():
            raise ValueError("has more or fewer cells than the header")
        rulings = read_json(row.get("corrected") or "null")
    except ValueError as exc:
        problems.add(number, exc)
        return None
    cells = {name[len(VALUE) :]: row[name] for name in fields}
    return Line(number, int(job), rulings, cells, _whole(row.get("value", "")))


def _whole(cell: str) -> Any:
    """The answer in one cell; None where a spreadsheet cut it off."""
    try:
        return read_json(cell)
    except ValueError:
        return None
