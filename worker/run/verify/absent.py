"""Why a value does not stand in its text, and what comes nearest. Pure."""

import re
from collections.abc import Sequence

from models.reasons import FieldCode
from worker.run.verify.case import Case
from worker.run.verify.dates import dates
from worker.run.verify.lexicon import AMOUNT, CURRENCIES, DATE, MONTHS
from worker.run.verify.numbers import Number, currencies_in, runs
from worker.run.verify.rivals import has_label
from worker.run.verify.spots import numbers_like

A_SENTENCE = 12
"""Words from which on a value is free text."""

_SHORTEST = 4
"""Characters of a value that may have been misread."""

_MOSTLY = 0.6
"""The share of a value's letters whose words stand in the text, from which on it is near."""

_MIXED_UP = str.maketrans("oil|!sbzgq", "0111158299")
"""What scanners take for each other."""


def has_none(case: Case) -> bool:
    """Whether the text has no value of the kind at all, nor a part of one."""
    text = case.view.text
    if case.kind == DATE:
        return not dates(text) and not re.search(r"\d{4}", text) and not _has_a_day(text)
    return case.kind == AMOUNT and not any(char.isdigit() for char in text)


_WORD_BEFORE = re.compile(r"([^\W\d_][^\s\d.,;:()/'-]*)[\s.,/'-]{0,3}$")
_WORD_BEHIND = re.compile(
    r"(?:st|nd|rd|th|er|re)?[\s.,/'-]{0,3}(?:(?:day )?of |de )?([^\W\d_][^\s\d.,;:()/'-]*)"
)
_NEAR = 24
"""Characters around a number in which its month stands."""


def _has_a_day(text: str) -> bool:
    """Whether a month or the sign of one, or of a day, stands beside a number."""
    for start, end, _ in runs(text):
        if text[end : end + 1] in ("月", "日", "월", "일"):
            return True
        before = _WORD_BEFORE.search(text, max(start - _NEAR, 0), start)
        behind = _WORD_BEHIND.match(text, end)
        if any(word is not None and word[1] in MONTHS for word in (before, behind)):
            return True
    return False


def is_absent(case: Case) -> bool:
    """Whether it is right that nothing was given: the text has nothing of the kind, and nothing
    that could be one in words stands behind the field's label."""
    return has_none(case) and not has_label(case.asked.field, case.view.text)


def why_absent(case: Case) -> tuple[FieldCode, str | None]:
    """A code, and the words of the text that come nearest."""
    if _is_worked_out(case):
        return FieldCode.COMPUTED, None
    if case.value.number is not None and (near := _of_another_size(case, case.value.number)):
        return FieldCode.SCALE, near
    if has_none(case):
        return FieldCode.NONE_IN_TEXT, None
    return (_absent_text(case) if case.value.is_text else FieldCode.NOT_IN_TEXT), None


def _is_worked_out(case: Case) -> bool:
    """A count, or a currency where the text names none."""
    if case.value.said not in CURRENCIES:
        return case.asked.field.computed and not case.value.is_text
    return not currencies_in(case.view.text)


def _of_another_size(case: Case, wanted: Number) -> str | None:
    text = case.view.text
    like = (number for number in numbers_like(wanted, text) if not number.inside)
    return next((text[number.start : number.end + 12] for number in like), None)


def _absent_text(case: Case) -> FieldCode:
    said, text = case.value.said, case.view.text
    words = said.split()
    if case.asked.field.prose or len(words) >= A_SENTENCE:
        return FieldCode.REWORDED
    if len(said) >= _SHORTEST and _read_alike(said) in _read_alike(text):
        return FieldCode.MISREAD
    return FieldCode.NEAR if _mostly_there(words, text) else FieldCode.NOT_IN_TEXT


def _read_alike(said: str) -> str:
    return said.translate(_MIXED_UP).replace("rn", "m")


def _mostly_there(words: Sequence[str], text: str) -> bool:
    """Whether every number of a value, and most of its words, stand somewhere in the text."""
    parts = [part for word in words if (part := word.strip(".,;:()'\"-"))]
    if any(char.isdigit() for part in parts if part not in text for char in part):
        return False
    there = sum(len(part) for part in parts if part in text)
    return len(parts) > 1 and there >= _MOSTLY * sum(map(len, parts))
