"""What a person should look at, and what was ruled on it."""

from collections.abc import Sequence

from rich.markup import escape

from models.words import Ruling
from producer.corrections import Answer, Correction
from producer.render.terminal import (
    DOCUMENT_WIDTH,
    FIELD_MARKS,
    MOST_ROWS,
    Row,
    brief,
    console,
    counted,
    plain_table,
    short,
)
from producer.sentences import field_check


def reviews(rows: Sequence[Row], counts: Row) -> None:
    """The answers that a person should look at."""
    if not rows:
        console.print("nothing to review" if not counts["answers"] else "nothing of it is free")
        return
    table = plain_table(expand=True)
    for column in ("job", "document", "field", "value"):
        table.add_column(column, overflow="fold", no_wrap=column == "job")
    table.add_column("why", ratio=1)
    for row in rows:
        for number, each in enumerate(row["open"]):
            mark = FIELD_MARKS.get(each["outcome"], "")
            table.add_row(
                str(row["job"]) if not number else "",
                escape(
                    short(row["document"].rsplit("/", 1)[-1], DOCUMENT_WIDTH) if not number else ""
                ),
                escape(each["field"]),
                mark + escape(short(brief(each["value"]), 60)),
                escape(field_check(each)),
            )
        if row["claimed_by"]:
            table.add_row("", "", "", "", f"[dim]{escape(row['claimed_by'])} is at it[/]")
    console.print(table)
    console.print(
        f"{counted(counts['answers'], 'answer')} to review, somebody is at {counts['claimed']}; "
        "`docmill correct JOB FIELD=VALUE`, or the page, rules on them",
        style="dim",
        highlight=False,
    )


def corrected(job: int, made: Sequence[Correction]) -> None:
    """What was ruled on an answer."""
    for each in made:
        console.print(f"job {job}: {_ruling(each)}", highlight=False)


def _ruling(made: Correction) -> str:
    old, new = (escape(short(brief(value), 80)) for value in (made.old, made.new))
    field = escape(made.field)
    if made.ruling is Ruling.CONFIRMED:
        return f"{field} confirmed: {old}"
    return f"{field}: {old} → {'not in the text' if made.ruling is Ruling.ABSENT else new}"


def imported(ruled: Sequence[tuple[Answer, list[Correction]]], *, dry_run: bool) -> None:
    """What a corrected export came to."""
    for answer, made in ruled[:MOST_ROWS]:
        corrected(answer.job, made)
    if len(ruled) > MOST_ROWS:
        console.print(f"... and {len(ruled) - MOST_ROWS} more answers; --json prints all")
    rulings = [each.ruling for _, made in ruled for each in made]
    confirmed = rulings.count(Ruling.CONFIRMED)
    said = "would be" if dry_run else "were"
    console.print(
        f"{counted(len(rulings) - confirmed, 'value')} {said} corrected and {confirmed} confirmed, "
        f"in {counted(len(ruled), 'answer')}",
        highlight=False,
    )


def history(answer: Answer, rows: Sequence[Row]) -> None:
    """An answer as it stands, and what was ruled on it."""
    console.print(f"job {answer.job}: {escape(brief(answer.value))}", highlight=False)
    if not rows:
        console.print("nobody ruled on it yet", style="dim")
        return
    table = plain_table()
    for column in ("when", "who", "field", "ruling", "old", "new"):
        table.add_column(column, overflow="fold")
    for row in rows:
        values = (short(brief(row[key]), 60) for key in ("old", "new"))
        cells = (row["made_at"][:19], row["reviewer"], row["field"], row["ruling"], *values)
        table.add_row(*map(escape, cells))
    console.print(table)
