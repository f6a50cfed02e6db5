"""What stands beside a value: words that limit or deny it, and what it is only a part of. Pure."""

import re
from collections.abc import Sequence

from worker.run.verify.fold import folded
from worker.run.verify.labels import NAMING
from worker.run.verify.lexicon import (
    BEFORE_NAMES,
    CURRENCIES,
    QUALIFIERS_AFTER,
    QUALIFIERS_BEFORE,
    UNITS,
)
from worker.run.verify.view import View

_REACH = 32
"""Characters before and behind a value that are looked at."""

_WORDS_NEAR = 4
"""Words between a qualifier's first word and the value, both counted."""

_WORD = re.compile(r"[^\s()\[\]\"*]+")
_LATIN = re.compile(r"[a-z']+")
_CLAUSE = re.compile(
    r"[\n:;,|。，：；、！!?]|(?<!\bapprox)(?<!\bca)(?<!\best)(?<!\bmax)(?<!\bmin)(?<!\brs)\.\s"
)
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u2e80-\ud7ff]")

_RUNS_BEFORE = tuple(each for each in QUALIFIERS_BEFORE if _UNSPACED.search(each))
_RUNS_AFTER = tuple(each for each in QUALIFIERS_AFTER if _UNSPACED.search(each))


def qualifier(text: str, start: int, end: int) -> str | None:
    """The words beside a run of folded text that say it is not quite, or not at all, so."""
    before, after = text[max(start - _REACH, 0) : start], text[end : end + _REACH]
    found = None
    if _may_hold(before, _STARTS_BEFORE):
        found = _before(_CLAUSE.split(before)[-1])
    if found is None and _may_hold(after, _STARTS_AFTER):
        found = _after(_CLAUSE.split(after)[0])
    return found


def _may_hold(window: str, starts: frozenset[str]) -> bool:
    """Whether there is reason to look closer: most have no word that a qualifier begins with."""
    return not window.isascii() or not starts.isdisjoint(_LATIN.findall(window))


_STARTS_BEFORE = frozenset(each.split()[0].strip(".") for each in QUALIFIERS_BEFORE)
_STARTS_AFTER = frozenset(each.split()[0].strip(".") for each in QUALIFIERS_AFTER)
"""The first words of qualifiers: most clauses have none of them."""


def _before(clause: str) -> str | None:
    if not clause.isascii():
        glued = clause.rstrip()
        for each in _RUNS_BEFORE:
            if glued.endswith(each):
                return each
    words = [word.strip(".") for word in _WORD.findall(clause)[-_WORDS_NEAR:]]
    return _phrase_of(words)


def _phrase_of(words: list[str]) -> str | None:
    """The longest qualifier among the words before a value."""
    for size in range(len(words), 0, -1):
        for at in range(len(words) - size + 1):
            if (phrase := " ".join(words[at : at + size])) in QUALIFIERS_BEFORE:
                return phrase
    return None


_MEASURE = re.compile(r"\W*(?:元|円|원|年|月|日|天|个月|ヶ月|人民币)*\W*")


def _after(clause: str) -> str | None:
    if not clause.isascii():
        unit = _MEASURE.match(clause)
        at = unit.end() if unit else 0
        for each in _RUNS_AFTER:
            if clause.startswith(each, at):
                return each
    words = [word.strip(".") for word in _WORD.findall(clause)]
    while words and (words[0] in CURRENCIES or words[0] in UNITS or words[0] in ("/-", "/")):
        words = words[1:]
    sizes = range(min(len(words), _WORDS_NEAR - 1), 0, -1)
    return next((said for n in sizes if (said := " ".join(words[:n])) in QUALIFIERS_AFTER), None)


_LEGAL_FORM = re.compile(
    r"[.,]{0,2} (?:\([^)\n]{1,6}\) )?"
    r"(?:inc|incorporated|llc|l\.l\.c|ltd|limited|corp|corporation|co|company|plc|llp|lp|l\.p|gmbh|ag|kg|s\.?a\.?r\.?l|s\.?a|sas|b\.?v|n\.?v|pvt|private|sdn|bhd|pte|pty|k\.?k|oy|ab|a/s|s\.?p\.?a)\b",
    re.IGNORECASE,
)
"""What belongs to the name before it, after a comma, too."""

_ENDS = ".!?;:)"
"""After these a capital begins something else."""

_NEXT = re.compile(
    r"[ \u00a0](?:(?:de|van|von|der|den|del|della|di|da|dos|bin|ibn|al|el|la|le|y) )*"
    r"([^\s,.;:()\[\]|/\"]+)"
)
"""The next word of a name, behind the small ones that names have."""
_PREVIOUS = re.compile(r"([^\s,.;:()\[\]|/\"]+)[ \u00a0]$")


def rest_of_name(view: View, start: int, end: int, label: Sequence[str]) -> str | None:
    """What more belongs to a name than a run of folded text holds; None: it is whole. `label`: the
    words of its field, which are none of it."""
    first, last = view.original(start, end)
    whole = view.whole
    if form := _LEGAL_FORM.match(whole, last):
        return whole[first : form.end()]
    caps = _in_capitals(whole, first)
    behind = _NEXT.match(whole, last)
    if behind and whole[last - 1] not in _ENDS and _goes_on(behind[1], caps):
        return whole[first : behind.end()]
    before = _PREVIOUS.search(whole, max(first - _REACH, 0), first)
    if before and whole[first].isalnum() and _came_before(before[1], label):
        return whole[before.start() : last]
    return None


def _goes_on(word: str, caps: bool) -> bool:
    return word[0].isupper() or (caps and word[0].isalpha() and word[0].isascii())


def _came_before(word: str, label: Sequence[str]) -> bool:
    said = folded(word)
    known = said in BEFORE_NAMES or said in NAMING or said in label
    return word[0].isupper() and not known


def _in_capitals(whole: str, at: int) -> bool:
    """Whether a line has no small letter, so that a capital says nothing."""
    start = whole.rfind("\n", 0, at) + 1
    end = whole.find("\n", at)
    return whole[start : end if end >= 0 else len(whole)].isupper()


_IN_GROUPS = re.compile(r"\d \w")
_GLUED_BEHIND = re.compile(r"[-/.][^\W_]+(?:[-/.][^\W_]+)*")
_GLUED_BEFORE = re.compile(r"([^\W_]+)([-/.])$")
_GROUP_BEHIND = re.compile(r" (\d+)(?![\w,.:/-]*\d|[^\W_])")
_GROUP_BEFORE = re.compile(r"(?<![\w,.:/-])(\d+)\)? $")

_A_GROUP = 3
"""Digits of a group that belongs to a code beside it, where the code itself has no groups."""


def rest_of_code(view: View, start: int, end: int, label: Sequence[str]) -> str | None:
    """What more belongs to a code than a run of folded text holds; None: it is whole. That is what
    a hyphen, a slash or a point joins to it, and groups of digits a space away."""
    text = view.text
    least = 1 if _IN_GROUPS.search(text, start, end) else _A_GROUP
    behind = _GLUED_BEHIND.match(text, end)
    if behind is None and (group := _GROUP_BEHIND.match(text, end)) and len(group[1]) >= least:
        behind = group
    if behind is not None:
        return text[start : behind.end()]
    from_ = max(start - _REACH, 0)
    before = _GLUED_BEFORE.search(text, from_, start)
    if before and before[2] == "." and (before[1] in NAMING or before[1] in label):
        return None  # as in no.452
    if before is None and (group := _GROUP_BEFORE.search(text, from_, start)):
        before = group if len(group[1]) >= least else None
    return text[before.start() : end] if before is not None else None


def rest_of_address(view: View, start: int, end: int) -> str | None:
    """What more belongs to an address: the rest of its line, or what a comma joins to it."""
    first, last = view.original(start, end)
    whole = view.whole
    behind = re.match(r",?[ \u00a0]?[^\W_][^\n]*", whole[last : last + _REACH])
    if whole[last - 1] == "," or whole[last : last + 1] == ",":
        behind = behind or re.match(r",?\s*[^\W_][^,\n]*", whole[last : last + _REACH])
    if behind is not None:
        return whole[max(last - _REACH, first) : last + behind.end()]
    before = whole[max(first - _REACH, 0) : first]
    joined = before.rstrip().endswith(",") or re.search(r"[^\W_][ \u00a0]$", before)
    return f"{before.split(chr(10))[-1]}{whole[first : first + _REACH]}" if joined else None
