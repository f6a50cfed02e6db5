"""What shows that a text speaks to the model that reads it, in order to steer its answer. Pure.

What such a text says of a field may be what its writer wants to be read, and no rule can tell that
from what the paper itself says. So nothing that was read in it is sure.
"""

import re
from collections.abc import Iterable
from functools import cache, lru_cache
from itertools import chain
from typing import NamedTuple

from models.words import TaskType
from worker.prompts.files import REQUEST, SECOND_READING, prompt
from worker.prompts.markers import known
from worker.run.verify.asked import words_of
from worker.run.verify.fold import folded
from worker.run.verify.lexicon import STEERING
from worker.run.verify.view import View

UNSEEN = "characters that are not seen"

_LINES_OF_REQUEST = 2
"""Different lines of the request from which on a text imitates one."""

_LONG_LINE = 20
"""Characters of a line that two papers do not have in common by chance."""

_DATA_SHARE = 0.9
"""Of the lines: with so many that begin as JSON does, a text is data and no forged answer."""


def steering(view: View, names: frozenset[str]) -> str | None:
    """The words of a text that speak to a model, or hold a forged answer with the fields of a form;
    None: there are none. `names`: the form's, as FormWords has them."""
    return _spoken(view.whole, view.text) or _forged(view.text, names)


@lru_cache(maxsize=16)
def _spoken(whole: str, text: str) -> str | None:
    """`whole`: the text as it was, with what folding takes out of it."""
    if not whole.isascii() and _HIDDEN.search(whole):
        return UNSEEN
    if (marker := known(whole)) is not None:
        return marker
    return _first_phrase(text) or _dialogue(text) or _request(text)


_HIDDEN = re.compile(
    "(?<![\U0001f3f4\U000e0020-\U000e007f])[\U000e0020-\U000e007f]{3,}"  # no flag of a region
    "|[\U000e0100-\U000e01ef]{3,}"  # variants of glyphs stand alone
    "|[\u200b\u200c\u2060-\u2064\ufeff]{8,}"
    "|[\u202d\u202e]"  # shown in another order than it is read in
)
"""Letters written as characters that no reader shows."""

_GAP = r"[^.!?\u0964\u3002]{0,40}?"
"""Within one sentence."""

_BEGINNING = 4
"""Letters of a word that are looked at first: most texts have none of a phrase's."""


class _Phrase(NamedTuple):
    run: str
    """Its longest part without a gap."""
    pattern: re.Pattern[str]


def _phrase(said: str) -> _Phrase:
    runs = [run.strip() for run in said.split("..")]
    whole = _GAP.join(map(re.escape, runs))
    return _Phrase(max(runs, key=len), re.compile(rf"(?<!\w){whole}" if said.isascii() else whole))


def _beginning(run: str) -> str:
    """Of its longest word; empty where none is so long."""
    word = max(_LETTERS.findall(run), key=len)
    return word[:_BEGINNING] if len(word) >= _BEGINNING else ""


def _by_beginning(phrases: Iterable[_Phrase]) -> dict[str, list[_Phrase]]:
    found: dict[str, list[_Phrase]] = {}
    for each in phrases:
        found.setdefault(_beginning(each.run), []).append(each)
    return found


_LETTERS = re.compile("[a-z]+")
_WORD_BEGINNINGS = re.compile(rf"(?<![a-z])[a-z]{{{_BEGINNING}}}")
_LATIN = _by_beginning(_phrase(said) for said in STEERING if said.isascii())
_OTHERS = [_phrase(said) for said in STEERING if not said.isascii()]

_ALIKE = str.maketrans("аеорсухіѕјԁԛһ", "aeopcyxisjdqh")
"""Cyrillic letters that look like Latin ones."""


def _first_phrase(text: str) -> str | None:
    spaced = " ".join(text.split())
    if spaced.isascii():
        return _latin_phrase(spaced)
    return _first(_OTHERS, spaced) or _latin_phrase(spaced.translate(_ALIKE))


def _latin_phrase(text: str) -> str | None:
    beginnings = {"", *_WORD_BEGINNINGS.findall(text)} & _LATIN.keys()
    return _first(chain.from_iterable(_LATIN[each] for each in sorted(beginnings)), text)


def _first(phrases: Iterable[_Phrase], text: str) -> str | None:
    found = (each.pattern.search(text) for each in phrases if each.run in text)
    return next((match[0] for match in found if match is not None), None)


_SPEAKER = re.compile(r"^\W{0,6}assistant\W{0,4}:", re.MULTILINE)
_SPOKEN_TO = re.compile(r"^\W{0,6}(?:user|human|system)\W{0,4}:", re.MULTILINE)
_RULE = re.compile(
    r"^\W{0,6}system\W{0,4}:\W*(?:\w+[^\w\n]+){5}\w"  # a sentence: what is a system has fewer words
    r"|^#{2,6} ?(?:instruction|response|human|assistant|system|input)s?:"
    r"|</?(?:system|assistant|instructions?|system_prompt|prompt|answer)>",
    re.MULTILINE,
)


def _dialogue(text: str) -> str | None:
    """Lines of a talk with a model, or of its rules."""
    speaker = _SPEAKER.search(text) if "assistant" in text else None
    if speaker is not None and _SPOKEN_TO.search(text):
        return speaker[0].strip()
    may_be = "system" in text or "##" in text or "</" in text
    found = _RULE.search(text) if may_be else None
    return found[0].strip() if found else None


@cache
def _request_line() -> re.Pattern[str]:
    """How a line of our own requests begins."""
    lines = f"{REQUEST}\n{prompt(SECOND_READING).request}".splitlines()
    heads = {line.partition(":")[0].lower() for line in lines if ":" in line}
    return re.compile(rf"^\W{{0,6}}({'|'.join(sorted(heads, reverse=True))})\W{{0,3}}:", re.M)


@cache
def _example_lines() -> tuple[str, ...]:
    """The lines of our own examples that no other paper has."""
    shots = prompt(TaskType.EXTRACTION).shots
    lines = (folded(line) for shot in shots for line in shot["text"].splitlines())
    return tuple(line for line in lines if len(line) >= _LONG_LINE)


def _request(text: str) -> str | None:
    """The first of several lines that imitate a request, or a line of an example."""
    found = {match[1]: match[0].strip() for match in _request_line().finditer(text)}
    if len(found) >= _LINES_OF_REQUEST:
        return next(iter(found.values()))
    return next((line for line in _example_lines() if line in text), None)


_OBJECT = re.compile(r"\{\s*([\"'])[^\"'\n{}]{1,64}\1\s*:[^{}]{0,2000}\}?")
_KEY = re.compile(r"(?:^\{|,)\s*([\"'])([^\"'\n{}]{1,64})\1\s*:")


@lru_cache(maxsize=16)
def _forged(text: str, names: frozenset[str]) -> str | None:
    """An object in a text that has no other keys than the form has fields: an answer is one."""
    if "{" not in text or _is_data(text):
        return None
    for match in _OBJECT.finditer(text):
        keys = {" ".join(words_of(key)) for _, key in _KEY.findall(match[0])}
        if keys and keys <= names:
            return match[0]
    return None


def _is_data(text: str) -> bool:
    lines = [line for each in text.splitlines() if (line := each.strip())]
    return sum(line[0] in '{}[]"' for line in lines) >= _DATA_SHARE * len(lines)


CACHES = (_spoken, _forged)
"""What is kept of a text."""
