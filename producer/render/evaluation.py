"""What evals came to."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.markup import escape

from producer.money import usd
from producer.render.terminal import Row, console, counted, plain_table

if TYPE_CHECKING:
    from models.shares import Share
    from producer.evaluate.escalation import Escalation
    from producer.evaluate.figures import Figures
    from producer.evaluate.report import Change, Report


WINDOW_DAYS = 30
"""That tell today's volume; an installation that is younger has fewer."""


FIGURES = ("right", "to the best", "sure/check/wrong %", "$ / 1,000", "$ / right", "p50 s", "p95 s",
           "tokens/s")  # fmt: skip

ESCALATION = ("escalated", "right before", "right after", "$ / right", "$ / further right")


def evals(rows: Sequence[Row]) -> None:
    """Every eval."""
    if not rows:
        console.print("no evals yet; `docmill eval --gold NAME --model ENGINE/MODEL` makes one")
        return
    table = plain_table()
    for column in ("eval", "begun", "of", "texts", "models", "batch"):
        table.add_column(column, overflow="fold")
    for row in rows:
        split = f" ({row['split']})" if row["split"] else ""
        of = f"{row['kind']} {row['source']}{split}"
        texts = str(row["texts"]) if row["scored_at"] else "not compared yet"
        cells = (str(row["eval"]), row["created_at"][:16].replace("T", " "), of, texts)
        table.add_row(
            *map(escape, cells), escape(", ".join(row["places"])), str(row["batch"] or "deleted")
        )
    console.print(table)


def eval_report(made: "Report") -> None:
    """An eval: a table for each task, its fields and languages, what follows from it."""
    about = made.about
    console.print(f"eval {about['eval']} of {about['kind']} {escape(about['source'])}")
    if made.left_out:
        said = counted(made.left_out, "text")
        console.print(f"{said} left out: not every model has answered, or may see it", style="dim")
    for choice in made.choices:
        found = [one for one in made.figures if one.task == choice.task]
        _eval_task(choice.task, found)
        _eval_parts("field", found, [one.fields for one in found])
        if any(len(one.languages) > 1 for one in found):
            _eval_parts("language", found, [one.languages for one in found])
        _eval_escalations([one for one in made.escalations if one.task == choice.task])
        _eval_choice(made, choice.task)
    console.print("\n[bold]for docmill.toml[/]")
    console.print(escape(made.table), highlight=False, soft_wrap=True)


def _eval_task(task: str, found: "Sequence[Figures]") -> None:
    title = f"{task}: {found[0].right.n} texts, 95 % intervals"
    _side_by_side(title, FIGURES, [(one.place, _eval_cells(one)) for one in found])


def _side_by_side(
    title: str, names: Sequence[str], columns: Sequence[tuple[str, Iterator[str]]]
) -> None:
    """Figures in a row each: as columns they would leave models no room on a narrow terminal."""
    table = plain_table()
    table.title = title
    table.add_column("", overflow="fold")
    for head, _ in columns:
        table.add_column(escape(head), justify="right", overflow="fold")
    for name, *cells in zip(names, *(cells for _, cells in columns), strict=True):
        table.add_row(name, *cells)
    console.print(table)


def _eval_cells(one: "Figures") -> Iterator[str]:
    against, per_answer = one.against_best, one.usd_per_answer
    yield _share(one.right)
    yield "the best" if against is None else f"{against.value:+.3f}, p {against.p:.3f}"
    values = max(one.sure + one.unsure + one.wrong, 1)
    checks = (one.sure, one.unsure, one.wrong)
    yield "/".join(f"{100 * n / values:.0f}" for n in checks) if any(checks) else "-"
    yield "unknown" if per_answer is None else usd(str(1000 * per_answer))
    yield "unknown" if one.usd_per_right is None else usd(str(one.usd_per_right))
    for milliseconds in (one.p50_ms, one.p95_ms):
        yield "-" if milliseconds is None else f"{milliseconds / 1000:.1f}"
    yield "-" if one.tokens_per_s is None else f"{one.tokens_per_s:,.1f}"


def _share(found: "Share") -> str:
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


def _eval_parts(
    noun: str, found: "Sequence[Figures]", parts: "Sequence[Mapping[str, Share]]"
) -> None:
    table = plain_table()
    table.add_column(noun, overflow="fold")
    for one in found:
        table.add_column(escape(one.place), justify="right", overflow="fold")
    for name in dict.fromkeys(name for each in parts for name in each):
        cells = (_share(each[name]) if name in each else "-" for each in parts)
        table.add_row(escape(name), *cells)
    console.print(table)


def _eval_escalations(found: "Sequence[Escalation]") -> None:
    if not found:
        return
    columns = [(f"{one.first}, then {one.onward}", _escalation_cells(one)) for one in found]
    _side_by_side("asked again where a value is wrong by its checks", ESCALATION, columns)


def _escalation_cells(one: "Escalation") -> Iterator[str]:
    yield from map(_share, (one.escalated, one.before, one.after))
    for cost in (one.usd_per_right, one.usd_per_gained):
        yield "unknown" if cost is None else usd(str(cost))


def _eval_choice(made: "Report", task: str) -> None:
    [choice] = [each for each in made.choices if each.task == task]
    if choice.unanswered:
        said = f"{task}: no choice, for these answered nothing: {', '.join(choice.unanswered)}"
    elif choice.chosen is None:
        said = f"{task}: nothing measured is as good as what was answered then"
    elif choice.is_enough:
        low = choice.chosen.right.low
        said = (
            f"{task}: {choice.chosen.place} is good enough: at least {low:.3f}, and "
            f"{made.quality:g} of the best is {choice.bar:.3f}"
        )
    else:
        said = f"{task}: none is good enough for sure; {choice.chosen.place} is the best"
    console.print(escape(said), highlight=False)
    if choice.chosen is not None:
        console.print(escape(f"  {eval_saving(made, task)}"), highlight=False, style="dim")


def eval_saving(made: "Report", task: str) -> str:
    """What a task's choice saves in a year, in words."""
    volume, saved = made.volumes.get(task), made.savings.get(task)
    if volume is None:
        return "no such job was answered in the last 30 days: nothing to save yet"
    days = counted(round(volume.days), "day")
    since = "last 30 days" if volume.days >= WINDOW_DAYS else f"{days} since the first batch"
    at = f"at {volume.jobs_per_year:,.0f} jobs a year, as in the {since}"
    if saved is None:
        return (
            f"what it saves {at}, is not known: a model here has no price "
            "(usd_per_hour of its engine, or [prices])"
        )
    verb = "saves" if saved >= 0 else "costs"
    return f"{verb} {usd(str(abs(saved)))} a year {at}"


def eval_changes(before: int, after: int, rows: "Sequence[Change]") -> None:
    """What changed between two evals."""
    table = plain_table()
    table.title = f"eval {before} and eval {after}"
    for column in ("task", "model"):
        table.add_column(column, overflow="fold")
    for column in (f"eval {before}", f"eval {after}", "on the same texts"):
        table.add_column(column, justify="right", overflow="fold")
    for row in rows:
        low, high = row.paired.interval
        change = f"{row.paired.value:+.3f} [{low:+.3f}, {high:+.3f}], p {row.paired.p:.3f}, "
        table.add_row(
            row.task,
            escape(row.place),
            _share(row.before),
            _share(row.after),
            change + f"{row.paired.n} texts",
        )
    console.print(table)
