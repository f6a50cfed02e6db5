"""Text as it is compared: forms of Unicode, case, quotes, dashes and digits of all scripts are
folded, and each character still knows where it stood. Pure."""

import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from unicodedata import category, decimal, is_normalized, normalize

NARROW = "\u00a0"
"""Stands for the spaces that hold a number together (Unicode, line breaking class GL)."""

_FOLDS = {
    **dict.fromkeys("\u00a0\u202f\u2007\u2008\u2009", NARROW),
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u02bc\u00b4\uff07", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
    "\N{MINUS SIGN}": "-",
    "\N{ARABIC DECIMAL SEPARATOR}": ".",
    "\N{ARABIC THOUSANDS SEPARATOR}": "'",
    "\N{ARABIC COMMA}": ",",
    "\N{ARABIC TATWEEL}": "",
}

_PARTICLES = re.compile(
    "은|는|이|가|을|를|의|에|에게|에서|에는|께|께서|와|과|도|만|로|으로|부터|까지|보다|처럼|나|이나"
    "|라고|이라고|입니다|이다|이며|이고|및|씨|님|님은|님이|씨는|씨가"
)
"""What Korean puts on the end of a noun."""


@dataclass(frozen=True, slots=True)
class Folded:
    """A folded text. `places`: where each of its characters begins in the text as it was, and where
    the last one ends; None: at the same place."""

    text: str
    places: Sequence[int] | None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where a run of it stands in the text as it was."""
        if self.places is None:
            return start, end
        begin = self.places[start]
        return begin, max(self.places[end], begin + 1)


def fold(text: str) -> Folded:
    """The text with every character folded. Time is linear in its length."""
    return _fold_short(text) if len(text) <= SHORT else _fold_long(text)


SHORT = 200
"""Characters of a value or a label. Many of them are kept, and of whole texts few."""


def _fold(text: str) -> Folded:
    if text.isascii():
        return Folded(text.lower(), None)
    table = {char: _folded(char) for char in set(text) if char > "\x7f"}
    odd = {char for char, form in table.items() if len(form) != 1}
    joins = set() if is_normalized("NFC", text) else {c for c in table if _composes(c)}
    if not odd and not joins:
        simple = {ord(char): form for char, form in table.items()}
        return Folded(text.translate(simple).lower(), None)
    return _mapped(text, table, odd, joins)


_fold_short = lru_cache(maxsize=1024)(_fold)
_fold_long = lru_cache(maxsize=16)(_fold)


def folded(text: str) -> str:
    """The folded text alone."""
    return fold(text).text


def _mapped(text: str, table: dict[str, str], odd: set[str], joins: set[str]) -> Folded:
    """Where folding makes characters more or fewer."""
    pieces: list[str] = []
    places = array("q")
    simple = {ord(char): form for char, form in table.items()}
    last = 0
    for start, end in _clusters(text, odd, joins):
        pieces.append(text[last:start].translate(simple).lower())
        places.extend(range(last, start))
        whole = normalize("NFC", text[start:end])
        said = "".join(_folded(char) for char in whole)
        pieces.append(said)
        places.extend([start] * len(said))
        last = end
    pieces.append(text[last:].translate(simple).lower())
    places.extend(range(last, len(text) + 1))
    return Folded("".join(pieces), places)


def _clusters(text: str, odd: set[str], joins: set[str]) -> Iterator[tuple[int, int]]:
    """The runs whose length changes: a letter with the signs that join it, or an odd character."""
    ways = []
    if joins:
        ways.append(f".[{re.escape(''.join(sorted(joins)))}]+")
    if odd:
        ways.append(f"[{re.escape(''.join(sorted(odd)))}]")
    return (match.span() for match in re.finditer("|".join(ways), text, re.DOTALL))


@lru_cache(maxsize=8192)
def _folded(char: str) -> str:
    """One character's form. Small raised digits stay what they are: a footnote is no digit."""
    known = _FOLDS.get(char)
    if known is not None:
        return known
    match category(char):
        case "Cf":
            return ""
        case "Zs":
            return " "
        case "Pd":
            return "-"
        case "Nd":
            return str(decimal(char))
        case "No":
            return char
    return normalize("NFKC", char).casefold()


def _composes(char: str) -> bool:
    """Signs, and the parts of Korean syllables."""
    return category(char)[0] == "M" or "\u1100" <= char <= "\u11ff"


def stands_alone(text: str, start: int, end: int) -> bool:
    """Whether a run of folded text is whole: no letter or sign beside it belongs to it."""
    return not _joined(text, start) and not _joined(text, end)


def _joined(text: str, at: int) -> bool:
    """Whether the characters before and behind a place belong to one word."""
    if at <= 0 or at >= len(text):
        return False
    before, after = text[at - 1], text[at]
    if not (_in_word(before) and _in_word(after)):
        return False
    if not after.isascii() and category(after)[0] == "M":
        return True
    if before.isascii() and after.isascii():
        return True
    if _unspaced(before) or _unspaced(after):
        return _katakana(before) and _katakana(after)
    return not (_hangul(after) and _only_a_particle(text, at))


def _in_word(char: str) -> bool:
    return char.isalnum() or char == "_" or (not char.isascii() and category(char)[0] == "M")


def _unspaced(char: str) -> bool:
    """Scripts that write no spaces between words: Thai, Lao, Burmese, Khmer, Chinese, Japanese."""
    return (
        "\u0e00" <= char <= "\u0eff"
        or "\u1000" <= char <= "\u109f"
        or "\u1780" <= char <= "\u17ff"
        or "\u2e80" <= char <= "\u9fff"
        or "\uf900" <= char <= "\ufaff"
        or "\U00020000" <= char <= "\U0003ffff"
    )


def _katakana(char: str) -> bool:
    return "\u30a1" <= char <= "\u30fa" or char in "\u30fc\u30fd\u30fe"


def _hangul(char: str) -> bool:
    return "\uac00" <= char <= "\ud7a3"


def _only_a_particle(text: str, at: int) -> bool:
    end = at
    while end < len(text) and _hangul(text[end]):
        end += 1
    return _PARTICLES.fullmatch(text, at, end) is not None
