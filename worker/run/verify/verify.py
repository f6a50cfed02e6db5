"""The check of an answer, field by field. Pure."""

from collections.abc import Iterable, Sequence

from models.reasons import outcome_of
from models.words import TaskType
from worker.run.ground import Source
from worker.run.rows import Rows, rows_of
from worker.run.verify.asked import Asked
from worker.run.verify.case import Case
from worker.run.verify.check import FieldCheck, quoted
from worker.run.verify.rules import Finding, judged
from worker.run.verify.view import view_of


def verify(
    task: TaskType,
    values: Iterable[Asked],
    sources: Sequence[Source],
    shown: frozenset[str] = frozenset(),
    rows: Rows | None = None,
) -> dict[str, FieldCheck]:
    """What each value of an extraction is worth, by its path (as facts.0.value). `shown`: what the
    examples said that its model was shown, beside those of the task's prompt. `rows`: the
    lists among the values, where they have been looked for.

    True and false, words chosen from an enum and the names that an answer gives its values are
    judgements: no rule can look them up, and they have no entry.
    """
    view, values = view_of(tuple(sources)), list(values)
    rows = rows or rows_of(values, view)
    items: dict[str, list[Case]] = {}
    cases = [
        Case(task, asked, view, items, shown, rows)
        for asked in values
        if not _is_a_judgement(asked)
    ]
    for case in cases:
        items.setdefault(case.asked.item, []).append(case)
    found = {case.asked.path: (judged(case), case) for case in cases}
    return {path: _check(finding, case) for path, (finding, case) in found.items() if finding}


def _is_a_judgement(asked: Asked) -> bool:
    chosen = asked.value is not None and "enum" in asked.schema
    return chosen or asked.names or isinstance(asked.value, bool)


def _check(finding: Finding, case: Case) -> FieldCheck:
    span, page = None, None
    if finding.spot is not None:
        span, page = case.view.place(finding.spot.start, finding.spot.end)
    about = quoted(finding.about) if finding.about else None
    return FieldCheck(outcome_of(finding.code), finding.code, about, span, page)
