"""Why a value does not stand in its text, and what comes nearest. Pure."""

import re
from collections.abc import Sequence

from models.reasons import FieldCode
from worker.run.verify.case import Case
from worker.run.verify.dates import dates
from worker.run.verify.lexicon import AMOUNT, CURRENCIES, DATE
from worker.run.verify.numbers import Number, currencies_in
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
    """Whether the text has no value of the kind at all."""
    text = case.view.text
    if case.kind == DATE:
        return not dates(text) and not re.search(r"\d{4}", text)
    return case.kind == AMOUNT and not any(char.isdigit() for char in text)


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
