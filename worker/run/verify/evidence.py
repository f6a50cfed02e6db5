"""What shows that a value without a label is the one that was asked for. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from models.reasons import FieldCode
from worker.run.rows import Listed
from worker.run.verify.case import Case
from worker.run.verify.dates import dates
from worker.run.verify.lexicon import (
    AMOUNT,
    CURRENCIES,
    DATE,
    ISSUERS,
    NAME,
    PAPERS,
    SALUTATIONS,
)
from worker.run.verify.numbers import currencies_in, runs
from worker.run.verify.rivals import others_of_its_kind
from worker.run.verify.spots import Spot


def in_a_row(case: Case) -> Spot | None:
    """Where all values of its item stand on one line that is this item's own, each at a place of
    its own, and in the order of the table's columns."""
    item = case.asked.item
    others = [each for each in case.items.get(item, ()) if each is not case and each.given]
    if not item or not others or case.rows is None:
        return None
    listed = case.rows.listed(item.rpartition(".")[0])
    line = listed.lines.get(item)
    if line is None or "\n" in case.view.text[line[0] : line[1]]:
        return None
    for spot in _within(line, case.clear):
        if all(_fits_beside(spot, case, each, listed) for each in others):
            return spot
    return None


def _within(line: tuple[int, int], spots: Sequence[Spot]) -> Iterator[Spot]:
    return (spot for spot in spots if line[0] <= spot.start and spot.end <= line[1])


def _fits_beside(spot: Spot, case: Case, other: Case, listed: Listed) -> bool:
    """Whether another value of the item stands in its row, too, on its side of this one."""
    pair = (case.asked.column, other.asked.column)
    before, behind = pair[::-1] not in listed.before, pair not in listed.before
    return any(
        (spot.end <= each.start and before) or (each.end <= spot.start and behind)
        for each in _within(listed.lines[case.asked.item], other.spots)
    )


_WORDS = re.compile(r"[^\W\d_]{3}|(?=[\u0900-\uffff])[^\W\d_]")


def letterhead(case: Case) -> Spot | None:
    """Where it is the first line of the paper, was asked for as who wrote it, and may be a name."""
    if case.asked.field.concept not in ISSUERS or case.view.sources[0].start != 0:
        return None
    if not _may_be_a_name(case.value.said):
        return None
    head = _WORDS.search(case.view.text)
    line = case.view.text.rfind("\n", 0, head.start()) + 1 if head else 0
    spot = next((one.spot for one in case.standings if one.spot.start == line), None)
    return None if spot is None or _is_not_the_name(case, spot) else spot


_HEAD_LINES = 6
"""Lines below the first that may still say who writes."""

_NUMBERED = re.compile(r"[(\[][^()\[\]]*\d[^()\[\]]*[)\]]\W*$")
_NAME_WORD = re.compile(r"[^\W\d_]{4,}|[\u0900-\uffff]{2,}")


def _is_not_the_name(case: Case, spot: Spot) -> bool:
    """Whether a number in brackets goes with it; or the line below has a word of it again, or one
    further down begins as it does: a short name is given in full there, or goes on."""
    said = case.value.said
    if _NUMBERED.search(said):
        return True
    words = _NAME_WORD.findall(said) or [said]
    lines = case.view.text[spot.end :].split("\n", _HEAD_LINES + 1)[1 : _HEAD_LINES + 1]
    below = [line for each in lines if (line := each.strip(" .")) and line != said]
    goes_on = any(not set(words).isdisjoint(_NAME_WORD.findall(line)) for line in below[:1])
    firsts = [_NAME_WORD.findall(line)[:1] for line in below]
    return goes_on or words[:1] in firsts or any(line.startswith(said) for line in below)


_TITLE_WORD = re.compile(r"[^\W\d_][^\s\d.,;:()/|-]*")


def _may_be_a_name(said: str) -> bool:
    """Not an address or a page, nobody who is written to, and more than what the paper is."""
    if any(map(str.isdigit, said)) or PAPERS.issuperset(_TITLE_WORD.findall(said)):
        return False
    return not any(said.startswith(each) and _ends_word(said, len(each)) for each in SALUTATIONS)


def _ends_word(said: str, at: int) -> bool:
    return not said[at - 1].isascii() or not said[at : at + 1].isalnum()


_POSTCODE = re.compile(r"\d{5,6}")
_TOWN = re.compile(r",? [^\W\d_]{3}")
_ADDRESS = re.compile(r",[^\n\d]*[^\W\d_]{2}[ -]$")
_SEEN = 40
"""Characters before a postal code that are looked at."""

_LINE_ENDS = re.compile(r"[ .]*(?:\n|$)")


def block(case: Case) -> Spot | None:
    """Where an address is whole lines with a postal code in them, and no other line has one."""
    spot, text = case.best.spot, case.view.text
    if case.asked.field.concept != "address" or case.value.said.count(" ") < 2:
        return None
    if text[spot.start - 1 : spot.start] not in ("", "\n") or not _LINE_ENDS.match(text, spot.end):
        return None
    codes = [at for at, end, _ in runs(text) if _is_postcode(text, at, end)]
    return spot if codes and all(spot.start <= at < spot.end for at in codes) else None


def _is_postcode(text: str, start: int, end: int) -> bool:
    """Five or six digits before a town, or behind one at the end of an address."""
    if not _POSTCODE.fullmatch(text, start, end):
        return False
    return bool(_TOWN.match(text, end) or _ADDRESS.search(text, max(start - _SEEN, 0), start))


def only_one(case: Case) -> Spot | None:
    """Where the text has no other value of its kind."""
    spot, text = case.best.spot, case.view.text
    if case.value.said in CURRENCIES and case.asked.field.kind != NAME:
        return spot if len(currencies_in(text)) == 1 else None
    if case.asked.listed or not _fits(case):
        return None
    if case.value.date is not None:
        days = set(case.value.date.days)
        return spot if all(days & set(each.days) for each in dates(text)) else None
    number = case.value.number
    own = {each.start for each in case.clear}
    if number is None or any(each.start not in own for each in others_of_its_kind(number, text)):
        return None
    return spot


def _fits(case: Case) -> bool:
    """Whether a number or a date is what its field asks for, as far as its name says."""
    if case.value.number is not None and case.asked.field.concept == "term":
        return True
    own = DATE if case.value.date is not None else AMOUNT
    return case.asked.field.kind in (None, own)


EVIDENCE: Mapping[FieldCode, Callable[[Case], Spot | None]] = {
    FieldCode.ROW: in_a_row,
    FieldCode.LETTERHEAD: letterhead,
    FieldCode.BLOCK: block,
    FieldCode.ONLY_ONE: only_one,
}
"""Strongest first."""
