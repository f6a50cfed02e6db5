"""A page as a reader has it, and how well it was read: pure, cheap, the same whoever read it."""

import re
from dataclasses import dataclass, replace
from functools import cached_property
from unicodedata import category

from worker.read.boxes import Boxes

MOST_LOST = 0.3
"""A page of which more than this share has no letters is left to OCR: what is left misleads."""

DOUBT = 0.02
"""From this share on another reader is asked."""

FEW_LETTERS = 40
"""A page of pictures with no more letters and digits than that holds a stamp, not its text."""

STAMPED = 500
"""Nor does one with no more than that, where they take up less than `STAMP` of it: what signs or
numbers scanned pages, or receives a fax, writes a small line or two onto each."""

STAMP = 0.03
"""Of a page's area. A line of 60 letters in 8 points takes up 0.4 % of it, 500 letters in 12 points
7 %, the title of a slide 5 %."""

_AS_MUCH, _CLEARLY = 0.8, 0.7
"""A second reading has to hold this share of the letters, and no more of the doubt, which has to be
less by DOUBT too: in mathematics readers differ by a sign here and there."""

CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]")
_RULES = re.compile("[-._\u2010-\u2015\u2026\u2500-\u257f]")
_WORD = re.compile(r"[^\W_]")
# Signs of India that are written onto a letter: one that stands alone has lost its letter.
_SIGNS = "".join(chr(code) for code in range(0x900, 0xE00) if category(chr(code))[0] == "M")
_SENSELESS = re.compile(f"[\ufffd\ue000-\uf8ff]|(?<![\u0900-\u0dff\u200c\u200d\u25cc])[{_SIGNS}]")


class Locked(Exception):
    """The file needs a password."""


class StrangeLock(Exception):
    """The file is encrypted in a way that its reader does not know."""


class Damaged(Exception):
    """A reader cannot open the file, or a page of it."""


@dataclass(frozen=True)
class Reading:
    """A page as one reader has it. `lost`: characters that no font gave a letter for, or that are
    control codes; they are left out of the text. `boxes`: where its words stand, if that is
    known."""

    text: str
    lost: int = 0
    boxes: Boxes | None = None

    @property
    def share_lost(self) -> float:
        """Of what is to be seen, the share that has no letter."""
        return self.lost / (self._visible + self.lost or 1)

    @property
    def doubt(self) -> float:
        """The share that has no letter or makes no sense where it stands."""
        bad = self.lost + len(_SENSELESS.findall(self.text))
        return bad / (self._visible + self.lost or 1)

    @cached_property
    def letters(self) -> int:
        """Letters and digits."""
        return len(_WORD.findall(self.text))

    @property
    def mostly_letters(self) -> bool:
        """Whether there are more letters and digits than other signs, dots and dashes left out."""
        return 2 * self.letters > self._visible - len(_RULES.findall(self.text))

    @cached_property
    def _visible(self) -> int:
        return sum(map(len, self.text.split()))


@dataclass(frozen=True, slots=True)
class Sheet:
    """All of a page.

    `filled` is what stands in its form fields and text boxes, a line each; `picture` the share of
    its area that pictures cover, `drawn` whether there is more to be seen than text, and `written`
    the share that its characters take up: told of pages with few letters alone, up to `STAMPED`.
    `comments` counts notes beside the text, which are not read; `fonts` are the names of those that
    some of its characters are in.
    """

    reading: Reading
    filled: tuple[str, ...] = ()
    picture: float = 0.0
    drawn: bool = False
    written: float = 1.0
    comments: int = 0
    fonts: tuple[str, ...] = ()

    def read_as(self, other: Reading) -> "Sheet":
        """The page as another reader has it, who did not say how large its letters are."""
        return replace(self, reading=other, written=1.0)


def reading(text: str, lost: int, boxes: Boxes | None = None) -> Reading:
    """A page's text without control codes, which count as lost."""
    kept, controls = CONTROLS.subn("", text)
    return Reading(kept, lost + controls, boxes)


# Languages whose letters tell that a text is not in them: by code, a run of their letters.
_LETTERS = {
    **dict.fromkeys(("hi", "mr", "ne", "sa", "kok", "mai"), "\u0900-\u097f"),
    **dict.fromkeys(("bn", "as"), "\u0980-\u09ff"),
    "pa": "\u0a00-\u0a7f",
    "gu": "\u0a80-\u0aff",
    "or": "\u0b00-\u0b7f",
    "ta": "\u0b80-\u0bff",
    "te": "\u0c00-\u0c7f",
    "kn": "\u0c80-\u0cff",
    "ml": "\u0d00-\u0d7f",
    "si": "\u0d80-\u0dff",
    "th": "\u0e00-\u0e7f",
    "ka": "\u10a0-\u10ff",
    "el": "\u0370-\u03ff\u1f00-\u1fff",
    "he": "\u0590-\u05ff\ufb1d-\ufb4f",
    "ko": "\u1100-\u11ff\u3130-\u318f\uac00-\ud7af",
    **dict.fromkeys(("ru", "uk", "bg", "be", "mk"), "\u0400-\u04ff"),
    **dict.fromkeys(("ar", "fa", "ur"), "\u0600-\u06ff\u0750-\u077f\ufb50-\ufdff\ufe70-\ufeff"),
    "ja": "\u3040-\u30ff\u3400-\u9fff",
    "zh": "\u3400-\u9fff\uf900-\ufaff",
}
_LEAST_OF_LANGUAGE = 0.05


def contradicts(found: Reading, language: str | None) -> bool:
    """Whether hardly a letter of a page is of the language that its file names: its font may draw
    the letters of one script and call them another's."""
    letters = _LETTERS.get((language or "").partition("-")[0].lower())
    if letters is None or found.letters <= FEW_LETTERS:
        return False
    own = len(re.findall(f"[{letters}]", found.text))
    return own < _LEAST_OF_LANGUAGE * found.letters


# Fonts from before Unicode, which draw letters of India for the codes of Latin ones.
_BEFORE_UNICODE = re.compile(
    "akruti|aps-?dv|bamini|chanakya|dev ?lys|dv-?tt|gopika|kruti|lmg-|ml-?tt|nudi|"
    "shree-?(?:dev|lipi|guj|tam|tel|kan)|shusha|surekh|sutonny|tscii",
    re.IGNORECASE,
)
_OF_INDIA = re.compile("[\u0900-\u0dff]")


def is_before_unicode(sheet: Sheet) -> bool:
    """Whether most of a page is in a font whose letters are not those that its codes say: by its
    name, and since none of them is a letter of India."""
    old = sum(_BEFORE_UNICODE.search(name) is not None for name in sheet.fonts)
    return 2 * old > len(sheet.fonts) and not _OF_INDIA.search(sheet.reading.text)


def better(second: Reading, first: Reading, language: str | None) -> bool:
    """Whether another reader's page is to be taken for the first one's: it has to be clearly less
    doubtful, and to hold about as much."""
    if contradicts(first, language) and second.letters > FEW_LETTERS:
        return not contradicts(second, language)
    as_much = second.letters >= _AS_MUCH * first.letters
    return as_much and second.doubt < min(_CLEARLY * first.doubt, first.doubt - DOUBT)
