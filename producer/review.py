"""Reviewing: who looks at which answer, and what they rule. One transaction each."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from models.bounds import NOT_STORED
from models.database import Connection, ready_connection
from models.errors import Changed, InputError, NotFound
from models.sql import load_sql
from producer.corrections import Answer, Correction, Edit, Text, at, find, open_fields, rule
from producer.query import Row, every, moment, one, require

LEASE_S = 300
"""How long nobody else gets an answer that somebody is at; every ruling begins it anew."""

MOST_NAME = 80
"""Characters of a reviewer's name."""

MOST_HISTORY = 1_000
"""Corrections of one job that are shown."""

MOST_COUNTED = 1_000
"""Answers that wait for a review are counted up to so many."""


def reviewer_name(given: str) -> str:
    """A reviewer's name in one line. Raises InputError."""
    name = " ".join(given.split())
    if not name or len(name) > MOST_NAME or NOT_STORED.search(name):
        raise InputError(f"a reviewer needs a name of 1 to {MOST_NAME} characters")
    return name


def waiting(batch: int, most: int) -> list[dict[str, Any]]:
    """The answers of a batch that a person should look at, the worst first, each with its `open`
    fields. Raises NotFound."""
    require(batch)
    return [
        {**_shown(row), "until": moment(row["until"]), "open": _open_values(row)}
        for row in every("reviews", batch=batch, most=most)
    ]


def _shown(row: Row) -> Row:
    return {key: item for key, item in row.items() if key != "schema"}


def _open_values(row: Row) -> list[dict[str, Any]]:
    answer = Answer(
        row["job"],
        0,
        row["value"],
        row["schema"],
        None,
        rulings=row["rulings"],
        fields=row["fields"],
    )
    return [
        {"field": field, "value": at(answer.value, find(answer, field)), **row["fields"][field]}
        for field in open_fields(answer)
    ]


def counted(batch: int) -> Row:
    """How many `answers` of a batch wait for a review, up to MOST_COUNTED; `claimed` of them
    somebody is at."""
    return one("review_counts", batch=batch, most=MOST_COUNTED) or {}


def claim(batch: int, reviewer: str, most: int = 1) -> list[int]:
    """The jobs that this reviewer is to look at next, the worst first; nobody else gets them until
    the lease ends. Raises NotFound."""
    require(batch)
    rows = every("review_claim", batch=batch, reviewer=reviewer, most=most, lease_s=LEASE_S)
    return [row["job"] for row in sorted(rows, key=_order)]


def _order(row: Row) -> tuple[int, float, int]:
    return row["skips"], -row["harm"], row["job"]


def renew(job: int, reviewer: str) -> bool:
    """Whether this reviewer holds the answer, from now on for another lease."""
    return one("review_renew", job=job, reviewer=reviewer, lease_s=LEASE_S) is not None


def skip(job: int, reviewer: str) -> None:
    """Put an answer off: it comes back after all others."""
    one("review_skip", job=job, reviewer=reviewer)


def release(batch: int, reviewer: str) -> int:
    """Give back what this reviewer claimed of a batch; how many answers. Raises NotFound."""
    require(batch)
    return len(every("review_release", batch=batch, reviewer=reviewer))


def history(job: int) -> list[dict[str, Any]]:
    """What was ruled on a job's answer, the oldest first."""
    return [
        {**row, "made_at": moment(row["made_at"])}
        for row in every("corrections", job=job, most=MOST_HISTORY)
    ]


def answer_of(job: int) -> Answer:
    """A job's answer as it stands. Raises NotFound, or InputError where it has none."""
    found = [_answer(row) for row in every("correct_answers", jobs=[job])]
    if not found:
        raise _no_answer(job)
    return found[0]


def correct(
    job: int,
    values: Mapping[str, str | None],
    reviewer: str,
    *,
    confirm: bool = False,
    seen: int | None = None,
) -> list[Correction]:
    """Rule on values of one answer: the right ones by field, as somebody typed them; None: it is
    right as it is. `confirm`: so is every other. `seen`: the newest correction that the reviewer
    knew of.

    Raises NotFound, InputError for what cannot be used, Changed where somebody else is at it.
    """
    with ready_connection() as connection, connection.transaction():
        answer = locked(connection, [job]).get(job)
        if answer is None:
            raise _no_answer(job)
        refuse_others(answer, reviewer)
        if seen is not None and seen != answer.last:
            raise Changed(f"somebody corrected job {job} meanwhile; look again")
        edits = [_edit(answer, field, typed) for field, typed in values.items()]
        made = rule(answer, edits, confirm=confirm)
        add(connection, [(answer, made)], reviewer)
    return made


def _edit(answer: Answer, field: str, typed: str | None) -> Edit:
    path = find(answer, field)
    return Edit(path, at(answer.value, path) if typed is None else Text(typed))


def refuse_others(answer: Answer, reviewer: str) -> None:
    """Raises Changed where another reviewer is at the answer."""
    if answer.claimed_by not in (None, reviewer):
        raise Changed(
            f"job {answer.job} is being reviewed by {answer.claimed_by}; it is free again "
            f"{LEASE_S // 60} minutes after the last change, or after `docmill review "
            f"{answer.batch} --release --by {answer.claimed_by!r}`"
        )


def locked(connection: Connection, jobs: Sequence[int]) -> dict[int, Answer]:
    """The answers of these jobs as they stand; nobody else rules on them in this transaction."""
    wanted = {"jobs": list(jobs)}
    connection.execute(load_sql("producer", "correct_lock"), wanted)
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(load_sql("producer", "correct_answers"), wanted).fetchall()
    return {row["job"]: _answer(row) for row in rows}


def add(
    connection: Connection, ruled: Iterable[tuple[Answer, list[Correction]]], reviewer: str
) -> None:
    """Store what was ruled."""
    rows = [
        {
            "job": answer.job,
            "field": made.field,
            "path": made.path,
            "ruling": made.ruling,
            "old": made.old,
            "new": made.new,
            "call": str(answer.call),
        }
        for answer, corrections in ruled
        for made in corrections
    ]
    params = {"rows": Jsonb(rows), "reviewer": reviewer}
    connection.execute(load_sql("producer", "correct_add"), params)


def _answer(row: Row) -> Answer:
    return Answer(**row)


def _no_answer(job: int) -> InputError:
    row = one("job_state", job=job)
    if row is None or row["parent_id"] is not None:
        return NotFound(f"there is no job {job}; results and the page show the jobs' numbers")
    return InputError(f"job {job} is {row['state']}; only the answer of a done job is corrected")
