"""The label beside a value, and what it means. Looks at folded text. Pure."""

import re
from collections.abc import Iterator
from functools import lru_cache

from worker.run.verify.lexicon import ABOUT_ANY, CONCEPTS, CURRENCIES, GENERIC, NAME, SET_ASIDE

_MOST_WORDS = 7
"""Words of a label that counts as one."""

_SEEN = 90
"""Characters before a value in which its label is looked for."""

_A_LINE_OF_PROSE = 60
"""Characters from which on a line was wrapped: the one below goes on with its sentence."""

_WORD = re.compile(r"[^\s:;,()|*=\[\]{}<>\"!?。，：；、（）]+")
_CELL = re.compile(r" {2,}|\t|\||\u3000")
_SENTENCE = re.compile(r"(?<=[^\W\d_]{5})[.!?।](?=\s)|[。！？]")
_DIGIT = re.compile(r"\d")
_LETTERS = re.compile(r"[^\W\d_]{2}|(?=[\u0900-\uffff])[^\W\d_]")
"""Two letters, or one of a script whose vowels are signs or whose words are one."""
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u2e80-\ud7ff]")

_ASIDE = frozenset({"tax", "rounding", "discount"})
"""What is with or without these is labelled, not they themselves."""

_CURRENCY_CHARS = max(map(len, CURRENCIES)) + 4
"""A longer label is more than a currency, with what may stand around that."""

_ENDS_OF_LABELS = (":", "：", "=", "#")

_TERMS = {
    " ".join(part.strip(".") for part in term.split()): name
    for term, name in CONCEPTS.terms.items()
}
_RUNS = tuple(term for term in _TERMS if _UNSPACED.search(term))
"""Terms of scripts that write no spaces: they are looked for in the middle of a word."""

NAMING = ABOUT_ANY | {"name", "names", ""} | {word for term in _TERMS for word in term.split()}

_FIRST_WORDS = frozenset(term.split()[0] for term in _TERMS)
_LONGEST = max(len(term.split()) for term in _TERMS)


@lru_cache(maxsize=1024)
def concepts_in(label: str) -> tuple[str, ...]:
    """What the terms of a label mean, in their order; of those that overlap the longest counts."""
    words = [
        word for each in _WORD.findall(label) if (word := each.strip(".'-/#@&")) or each == "#"
    ]
    found: list[str] = []
    at = 0
    while at < len(words):
        size, concept = _longest_term(words, at)
        if concept is not None:
            found.append(concept)
        if concept is None and _UNSPACED.search(words[at]):
            found.extend(_inside(words[at]))
        at += size
    if SET_ASIDE.isdisjoint(words):
        return tuple(found)
    return tuple(each for each in found if each not in _ASIDE)


def _longest_term(words: list[str], at: int) -> tuple[int, str | None]:
    if words[at] not in _FIRST_WORDS:
        return 1, None
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


@lru_cache(maxsize=1024)
def label_words(label: str) -> frozenset[str]:
    """The words of a label."""
    return frozenset(word.strip(".'-/#@&") for word in _WORD.findall(label))


def label_before(text: str, start: int) -> str:
    """The words that say what stands at a place: those before it on its line, behind the value
    before; else those of the line above, if it holds no value itself."""
    line = text.rfind("\n", 0, start) + 1
    before = _last_label(text[max(line, start - _SEEN) : start])
    if not line or (before and len(before) < start - line - 3):
        return before  # another value stands between it and the start of the line
    above = text[text.rfind("\n", 0, line - 1) + 1 : line - 1]
    if before:
        return f"{above[-_SEEN:]} {before}" if len(above) >= _A_LINE_OF_PROSE else before
    return _label_line(above)


def _last_label(before: str) -> str:
    """What has letters behind the last value, or where nothing has, the one before."""
    if ". " in before or not before.isascii():
        before = _SENTENCE.split(before)[-1]
    return next((part for part in _parts(before) if _says_something(part)), "")


def _parts(before: str) -> Iterator[str]:
    """The words between cells and values, from the last on."""
    for cell in reversed(_CELL.split(before)):
        words: list[str] = []
        for word in reversed(cell.split()):
            if _DIGIT.search(word):
                yield " ".join(reversed(words))
                words = []
            else:
                words.append(word)
        yield " ".join(reversed(words))


def _says_something(part: str) -> bool:
    """Whether there is more in it than a currency."""
    if _LETTERS.search(part) is None:
        return False
    return len(part) > _CURRENCY_CHARS or not label_words(part) <= CURRENCIES.keys()


def _label_line(above: str) -> str:
    """A line that is nothing but a label."""
    line = above.strip()
    if not line or len(line) > _A_LINE_OF_PROSE or any(char.isdigit() for char in line):
        return ""
    return _CELL.split(line)[-1]


@lru_cache(maxsize=1024)
def strength_of(
    label: str, words: tuple[str, ...], accepted: frozenset[str], kind: str | None
) -> int:
    """How well a label fits a field: 4 in its own words, 3 very well, 2 well, 1 in general words, 0
    not known, -1 it is that of another value of the kind."""
    label = nearest_words(label)
    if (kind == NAME or not accepted) and not _is_label(label, words):
        return 0
    named = [each for each in concepts_in(label) if kind is None or CONCEPTS.kinds[each] == kind]
    narrow = [each for each in named if each not in GENERIC]
    meant = next(reversed(narrow or named), None)
    if words and label_words(label).issuperset(words) and meant in (accepted | {None}):
        return 4 if meant in narrow else 1 + _is_plain(label, words)
    if meant is None or kind is None:
        return 0
    if meant not in accepted:
        return -1
    return 3 if meant in narrow else 1


@lru_cache(maxsize=1024)
def nearest_words(label: str, most: int = _MOST_WORDS) -> str:
    """The last words of a label: in a sentence those before them are about something else."""
    if label.count(" ") < most:
        return label
    words = list(_WORD.finditer(label))
    return label[words[-most].start() :] if len(words) > most else label


def _is_label(label: str, words: tuple[str, ...]) -> bool:
    """Whether it ends as labels do, or holds nothing but their words: sentences and names hold a
    field's words, too."""
    return label.endswith(_ENDS_OF_LABELS) or label_words(label) <= NAMING.union(words)


def _is_plain(label: str, words: tuple[str, ...]) -> bool:
    """Whether a label says nothing more than a field's name; "total points" is not "total"."""
    return label_words(label) <= ABOUT_ANY.union(words, ("",))
