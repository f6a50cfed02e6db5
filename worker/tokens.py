"""How many tokens a text will cost, before any model has seen it. Pure.

A text is measured in units that are the same for every model, script by script; what a model makes
of a unit is learnt (rates.py).
"""

import math
import string
from collections.abc import Mapping
from enum import StrEnum


class Script(StrEnum):
    """What a vocabulary has its own words for, or has not: a model's tokens differ by it."""

    LATIN = "latin"
    FIGURES = "figures"
    """Digits, punctuation, line ends: of every text, whatever its letters."""
    CYRILLIC = "cyrillic"
    """And Greek."""
    ARABIC = "arabic"
    """And Hebrew, Armenian."""
    DEVANAGARI = "devanagari"
    BENGALI = "bengali"
    GURMUKHI = "gurmukhi"
    GUJARATI = "gujarati"
    ODIA = "odia"
    TAMIL = "tamil"
    TELUGU = "telugu"
    KANNADA = "kannada"
    MALAYALAM = "malayalam"
    SINHALA = "sinhala"
    THAI = "thai"
    """And Lao."""
    KHMER = "khmer"
    """And Myanmar, Georgian, Ethiopic."""
    KANA = "kana"
    HAN = "han"
    HANGUL = "hangul"
    SIGNS = "signs"
    """Emoji, private use, rare scripts."""


# Twentieths of a token for each character of a kind. The kind is told from the lead byte of the
# character's UTF-8 form, so that one pass of bytes.translate classifies a whole text.
_UNIT = 20
_PLAIN = 5  # lower-case ASCII letters and the space: four characters a token
MAX_CHARS_PER_TOKEN = _UNIT // _PLAIN
"""No text has more characters to a token than this, as `estimate` counts without rates."""
_KINDS: tuple[tuple[bytes, int, Script], ...] = (
    (string.ascii_uppercase.encode(), 9, Script.FIGURES),
    (string.digits.encode(), 20, Script.FIGURES),
    (b"\t\n\r\v\f", 16, Script.FIGURES),
    (bytes([*range(9), *range(14, 32), 127]), 20, Script.FIGURES),
    (string.punctuation.encode(), 17, Script.FIGURES),
    (bytes(range(0xC2, 0xCC)), 20, Script.LATIN),  # accented
    (bytes(range(0xCC, 0xD4)), 8, Script.CYRILLIC),
    (bytes(range(0xD4, 0xE0)), 10, Script.ARABIC),
    (b"\xe0", 12, Script.THAI),  # and the scripts of India, which _PAIRS tells apart
    (b"\xe1", 20, Script.KHMER),
    (b"\xe2", 20, Script.FIGURES),  # typographic signs, symbols
    (b"\xe3", 20, Script.KANA),
    (bytes(range(0xE4, 0xEA)), 20, Script.HAN),
    (bytes(range(0xEA, 0xEE)), 20, Script.HANGUL),
    (b"\xee", 60, Script.SIGNS),  # private use
    (b"\xef", 20, Script.HAN),  # full-width and presentation forms
    (bytes(range(0xF0, 0xF5)), 60, Script.SIGNS),  # emoji and rare scripts
)
_FREE = string.ascii_lowercase.encode() + b" " + bytes(range(0x80, 0xC0))
_TABLE = bytearray(256)
for _number, (_leads, *_) in enumerate(_KINDS):
    for _lead in _leads:
        _TABLE[_lead] = _number
_CLASSES = bytes(_TABLE)
_EXTRA = tuple((bytes([number]), weight - _PLAIN) for number, (_, weight, _) in enumerate(_KINDS))
_SCRIPTS = tuple((bytes([n]), weight, script) for n, (_, weight, script) in enumerate(_KINDS))
_INDIAN_WEIGHT = next(weight for leads, weight, *_ in _KINDS if leads == b"\xe0")
# Blocks of 128 characters: two scripts to a high byte of UTF-16, two lead pairs of UTF-8 to each.
_PAIRS = (
    (0x09, Script.DEVANAGARI, Script.BENGALI),
    (0x0A, Script.GURMUKHI, Script.GUJARATI),
    (0x0B, Script.ODIA, Script.TAMIL),
    (0x0C, Script.TELUGU, Script.KANNADA),
    (0x0D, Script.MALAYALAM, Script.SINHALA),
)


def estimate(text: str, rates: Mapping[Script, float] | None = None) -> int:
    """Tokens that `text` will take in a prompt: an estimate that is rarely too low.

    `rates`: what a model makes of a unit of each script; None: one token of each. It never shrinks
    as text is added, and the parts of a text never sum to less than the whole.
    """
    if rates is not None:
        return priced(measure(text), rates)
    raw = text.encode("utf-8", "replace")
    dear = raw.translate(_CLASSES, _FREE)
    extra = sum(dear.count(kind) * weight for kind, weight in _EXTRA)
    return -(-(len(text) * _PLAIN + extra) // _UNIT)


def priced(units: Mapping[Script, float], rates: Mapping[Script, float]) -> int:
    """Tokens that so many units of each script are to a model."""
    tokens = sum(number * rates[script] for script, number in units.items())
    return math.ceil(round(tokens, 6))


def measure(text: str) -> dict[Script, float]:
    """The units of a text, by script; in all they are what `estimate` says without rates."""
    raw = text.encode("utf-8", "replace")
    dear = raw.translate(_CLASSES, _FREE)
    found = {Script.LATIN: _PLAIN * (len(text) - len(dear))}
    for kind, weight, script in _SCRIPTS:
        if count := dear.count(kind):
            found[script] = found.get(script, 0) + weight * count
    if Script.THAI in found:
        found |= _told_apart(text, raw, found[Script.THAI])
    return {script: twentieths / _UNIT for script, twentieths in found.items() if twentieths}


def _told_apart(text: str, raw: bytes, twentieths: int) -> dict[Script, int]:
    """What one lead byte stands for: the scripts of India, and Thai for the rest."""
    high = text.encode("utf-16-le", "replace")[1::2]
    found = dict[Script, int]()
    for block, first, second in _PAIRS:
        both = high.count(block)
        if not both:
            continue
        lead = 0xA4 + 4 * (block - 0x09)
        upper = sum(raw.count(bytes([0xE0, lead + more])) for more in (0, 1))
        found[first], found[second] = _INDIAN_WEIGHT * upper, _INDIAN_WEIGHT * (both - upper)
    return found | {Script.THAI: twentieths - sum(found.values())}
