"""The label beside a value, and what it means. Looks at folded text. Pure."""

import re
from functools import lru_cache

from worker.run.verify.lexicon import CONCEPTS, GENERIC

_MOST_WORDS = 6
"""Words of a label that counts as one."""

_SEEN = 90
"""Characters before a value in which its label is looked for."""

_A_LINE_OF_PROSE = 60
"""Characters from which on a line was wrapped: the one below goes on with its sentence."""

_WORD = re.compile(r"[^\s:;,()|*=\[\]{}<>\"!?。，：；、（）]+")
_CELL = re.compile(r" {2,}|\t|\||\u3000")
_SENTENCE = re.compile(r"(?<=[^\W\d_]{3})[.!?।](?=\s)|[。！？]")
_VALUE = re.compile(r"[^\s]*\d[^\s]*")
_LETTERS = re.compile(r"[^\W\d_]{2}|[^\x00-\u2fff]")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u2e80-\ud7ff]")

_WITH = frozenset("incl including inclusive inkl inklusive einschl einschließlich ttc with comprise 含".split())
_WITHOUT = frozenset("excl excluding exclusive exkl zzgl before without ht hors".split())
"""The tax that stands behind them is not what is labelled."""

_TERMS = {" ".join(part.strip(".") for part in term.split()): name for term, name in CONCEPTS.terms.items()}
_RUNS = tuple(term for term in _TERMS if _UNSPACED.search(term))
"""Terms of scripts that write no spaces: they are looked for in the middle of a word."""

_LONGEST = max(len(term.split()) for term in _TERMS)


@lru_cache(maxsize=8192)
def concepts_in(label: str) -> tuple[str, ...]:
    """What the terms of a label mean, in their order; of those that overlap the longest counts."""
    words = [word for each in _WORD.findall(label) if (word := each.strip(".'-/#@&"))or each == "#"]
    found: list[str] = []
    at, aside = 0, False
    while at < len(words):
        size, concept = _longest_term(words, at)
        if concept is not None and not (aside and concept == "tax"):
            found.append(concept)
        aside = aside or words[at] in _WITH or words[at] in _WITHOUT
        if concept is None and _UNSPACED.search(words[at]):
            found.extend(_inside(words[at]))
        at += size
    return tuple(found)


def _longest_term(words: list[str], at: int) -> tuple[int, str | None]:
    for size in range(min(_LONGEST, len(words) - at), 0, -1):
        concept = _TERMS.get(" ".join(words[at : at + size]))
        if concept is not None:
            return size, concept
    return 1, None


def _inside(word: str) -> list[str]:
    """The terms within a word, in their order; none that lies in a longer one."""
    places = sorted((at, -len(term)) for term in _RUNS if (at := word.rfind(term)) >= 0)
    found: list[str] = []
    end = 0
    for at, size in places:
        if at - size > end:
            if at >= end:
                found.append(_TERMS[word[at : at - size]])
            end = at - size
    return found


@lru_cache(maxsize=8192)
def label_words(label: str) -> frozenset[str]:
    """The words of a label."""
    return frozenset(word.strip(".'-/#@&") for word in _WORD.findall(label))


def label_before(text: str, start: int) -> str:
    """The words that say what stands at a place: those before it on its line, behind the value
    before; else those of the line above, if it holds no value itself."""
    line = text.rfind("\n", 0, start) + 1
    before = _last_label(text[max(line, start - _SEEN) : start])
    if before and line and len(before) < start - line - 3:
        return before  # another value stands between it and the start of the line
    above = text[max(text.rfind("\n", 0, max(line - 1, 0)) + 1, line - 1 - 2 * _SEEN) : max(line - 1, 0)]
    if before:
        return f"{above[-_SEEN:]} {before}" if len(above) >= _A_LINE_OF_PROSE else before
    return _label_line(above) if line else ""


def _last_label(before: str) -> str:
    """What has letters behind the last value, or where nothing has, the one before."""
    sentence = _SENTENCE.split(before)[-1]
    parts = [part for cell in _CELL.split(sentence) for part in _VALUE.split(cell)]
    return next((part.strip() for part in reversed(parts) if _LETTERS.search(part)), "")


def _label_line(above: str) -> str:
    """A line that is nothing but a label."""
    line = above.strip()
    if not line or len(line) > _A_LINE_OF_PROSE or any(char.isdigit() for char in line):
        return ""
    return _CELL.split(line)[-1]


def strength_of(label: str, words: tuple[str, ...], accepted: frozenset[str], kind: str | None) -> int:
    """How well a label fits a field: 3 very well, 2 well, 1 in general words, 0 not known, -1 it is
    that of another value of the kind."""
    named = [each for each in concepts_in(label) if kind is None or CONCEPTS.kinds[each] == kind]
    narrow = [each for each in named if each not in GENERIC]
    meant = (narrow or named or [None])[-1]
    if words and label_words(label).issuperset(words) and meant in (accepted | {None}):
        return 3 if meant in narrow else 2
    if meant is None or kind is None:
        return 0
    if meant not in accepted:
        return -1
    return 3 if meant in narrow else 1
