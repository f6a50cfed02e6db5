"""Where a value stands in a text: to the letter, or in another form of the same. Pure."""

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal

from worker.run.verify.fold import NARROW, Folded, stands_alone
from worker.run.verify.numbers import RUN, json_number, number_at, readings, runs_like, significant

Run = tuple[int, int]
"""A run of folded text."""

_NUMBER = re.compile(rf"([+-]?)({RUN.pattern})")
_DIGITS = re.compile(rf"[+-]?\d[\d.,'{NARROW} ]*")

_NUMBER_HEAD = re.compile(rf"(?<!\d)(?<!\d[.,'{NARROW}])")
_NUMBER_TAIL = re.compile(rf"(?!\d|[.,'{NARROW}]\d)")
"""What a number must not follow and must not be followed by: it would be a part of another."""


def is_number(said: str) -> bool:
    """Whether a folded value is made of digits and what parts them."""
    return _DIGITS.fullmatch(said) is not None


def text_places(said: str, text: str) -> Iterator[Run]:
    """Where a folded value stands whole in folded text: as it is, or else in other white space."""
    is_whole = _is_whole_number if is_number(said) else stands_alone
    found = False
    for start, end in _copies(said, text):
        if is_whole(text, start, end):
            found = True
            yield start, end
    if not found:
        yield from (run for run in _spaced(said, text) if is_whole(text, *run))


def _is_whole_number(text: str, start: int, end: int) -> bool:
    return bool(_NUMBER_HEAD.match(text, start) and _NUMBER_TAIL.match(text, end))


def _copies(said: str, text: str) -> Iterator[Run]:
    start = text.find(said)
    while start >= 0:
        yield start, start + len(said)
        start = text.find(said, start + 1)


def _spaced(said: str, text: str) -> Iterator[Run]:
    """Where its words stand with any white space between them. To make a pattern of them takes
    longer than to look."""
    first, *others = said.split() or [""]
    if not others or not all(word in text for word in others):
        return
    start = text.find(first)
    while start >= 0:
        end = _end_of_all(others, text, start + len(first))
        if end is not None:
            yield start, end
        start = text.find(first, start + 1)


def _end_of_all(words: Iterable[str], text: str, end: int) -> int | None:
    """Where the last of these words ends, which stand one behind another from a place on."""
    for word in words:
        start = end
        while text[start : start + 1].isspace():
            start += 1
        if start == end or not text.startswith(word, start):
            return None
        end = start + len(word)
    return end


def number_places(value: float, text: str) -> Iterator[Run]:
    """Where a JSON number stands in folded text: JSON forgets the zeros of 75.00."""
    wanted = json_number(value)
    for start, end, found in _runs_like(significant(format(wanted.copy_abs(), "f")), text):
        if wanted.copy_abs() in found and (wanted >= 0 or _is_negative(text, start, end)):
            yield start, end


def digits_places(said: str, text: str) -> Iterator[Run]:
    """Where a number that was given as a text stands: all its digits, whatever its separators."""
    match = _NUMBER.fullmatch(said)
    if match is None:
        return
    sign, run = match.groups()
    wanted = {(each, _fraction(each)) for each in readings(run)}
    for start, end, found in _runs_like(significant(run), text):
        same = any((each, _fraction(each)) in wanted for each in found)
        if same and _has_sign(sign, text, start, end):
            yield start, end


def _fraction(number: Decimal) -> int | str:
    return number.as_tuple().exponent


def _has_sign(sign: str, text: str, start: int, end: int) -> bool:
    match sign:
        case "-":
            return _is_negative(text, start, end)
        case "+":
            return text[start - 1 : start] == "+"
    return True


def _is_negative(text: str, start: int, end: int) -> bool:
    found = number_at(text, start, end)
    return found is not None and found.negative is not False


def _runs_like(digits: str, text: str) -> Iterator[tuple[int, int, tuple[Decimal, ...]]]:
    """The runs that hold these significant digits, and what they may mean."""
    for start, end, _ in runs_like(digits, text):
        yield start, end, readings(text[start:end])


def places(said: str, text: str) -> Iterator[Run]:
    """Where a folded text value stands in folded text, number or not, each run once."""
    if said:
        numbers = []
        for run in digits_places(said, text):
            numbers.append(run)
            yield run
        yield from (run for run in text_places(said, text) if run not in numbers)


def first(runs: Iterator[Run], folded: Folded) -> Run | None:
    """The first of some runs, as (start, end) of the text as it was."""
    run = next(runs, None)
    return None if run is None else folded.span(*run)
