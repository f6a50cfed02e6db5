"""Which chunks hold private data, so that they stay on the local engine. Pure.

The built-in patterns take linear time, those of the user so much and no more.

A value that is missed leaves the building; one that is taken for private by mistake only costs a
better model. Where a form is doubtful it counts as private. Reasons are names of patterns; what
was found is never kept.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from unicodedata import category, decimal, decomposition

import regex

from models.config import BuiltIn, PinConfig
from worker.ingest.chunk import Piece

Span = tuple[int, int]

# Ends of lines within what may be a value: as they are, or behind the hyphen that they made.
_BREAKS = (
    re.compile(r"(?<=\S)[ \t]*\n[ \t]*(?=\S)"),
    re.compile(r"(?<=\S)[-\u00ad\u2010][ \t]*\n[ \t]*(?=\S)"),
)
_GAP_OF_COLUMNS = re.compile(r"(?<=\S) +(?= \S)")
"""All but the last space between columns: groups of one number may stand in several."""

_UNBROKEN = frozenset[BuiltIn](("pan", "ifsc", "email"))
"""Those that have no space in them: for the others a line end is one."""

OWN_S = 5.0
"""How long one pattern of the user's may look through one document."""


class Pins:
    """The configured patterns, ready to be looked for."""

    def __init__(self, config: PinConfig) -> None:
        self._built_in = sorted(set(config.patterns))
        self._own = {name: regex.compile(pattern) for name, pattern in config.own.items()}

    def reasons(self, pieces: Sequence[Piece]) -> list[str | None]:
        """For each piece of one document the names of the patterns found in it, or None.

        Names are sorted and separated by ", ". A value that lies across a border is found in
        every piece that has a part of it. Own patterns see the text as it stands, with spaces for
        what was lost between pieces, and no flags; and once more with its lines joined, as a value
        that a line end broke is written, and with one space between columns.
        """
        if not (self._built_in or self._own):
            return [None] * len(pieces)
        found = [set[str]() for _ in pieces]
        starts, ends = [p.char_start for p in pieces], [p.char_end for p in pieces]
        for name, (start, end) in self._hits(_rebuilt(pieces, " "), _rebuilt(pieces, "\n")):
            # An empty match, such as that of a look-ahead, stands for the character it is at.
            last = bisect_left(starts, max(end, start + 1))
            for names in found[bisect_right(ends, start) : last]:
                names.add(name)
        return [", ".join(sorted(names)) or None for names in found]

    def _hits(self, whole: str, lines: str) -> Iterator[tuple[str, Span]]:
        """What is found in the text as it stands, then what only its joined `lines` or columns make
        whole."""
        folded = whole.translate(_FOLD) if self._built_in else ""
        found: dict[str, list[Span]] = {name: list(_FIND[name](folded)) for name in self._built_in}
        found |= {own: list(_own_hits(pattern, whole)) for own, pattern in self._own.items()}
        for name, spans in found.items():
            yield from ((name, span) for span in spans)
        folds = [(_Joined(lines, broken), _UNBROKEN) for broken in _BREAKS]
        folds.append((_Joined(lines, _GAP_OF_COLUMNS), frozenset(self._built_in)))
        for joined, built_in in folds:
            for name, span in self._across(joined, built_in):
                if not _meets(found[name], span):
                    yield name, span

    def _across(
        self, joined: "_Joined", looked_for: frozenset[BuiltIn]
    ) -> Iterator[tuple[str, Span]]:
        if not joined.breaks:
            return
        folded = joined.text.translate(_FOLD)
        for built_in in looked_for.intersection(self._built_in):
            spans = joined.across(_FIND[built_in](folded))
            yield from ((built_in, span) for span in spans)
        for own, pattern in self._own.items():
            yield from ((own, span) for span in joined.across(_own_hits(pattern, joined.text)))


def _meets(spans: Sequence[Span], span: Span) -> bool:
    """Whether one of these, in their order, has a part of `span`."""
    before = bisect_left(spans, (span[1], 0))
    return before > 0 and spans[before - 1][1] > span[0]


class _Joined:
    """A text without the line ends that `broken` matches. `breaks`: where they were, in it."""

    def __init__(self, whole: str, broken: re.Pattern[str]) -> None:
        parts, self.breaks, self._removed, last = list[str](), list[int](), [0], 0
        for match in broken.finditer(whole):
            parts.append(whole[last : match.start()])
            self.breaks.append(match.start() - self._removed[-1])
            self._removed.append(self._removed[-1] + match.end() - match.start())
            last = match.end()
        self.text = "".join([*parts, whole[last:]])

    def across(self, spans: Iterable[Span]) -> Iterator[Span]:
        """Those of the spans that hold a break, where they are in the whole text."""
        for start, end in spans:
            first, last = bisect_right(self.breaks, start), bisect_left(self.breaks, end)
            if first < last:
                yield start + self._removed[first], end + self._removed[last]


def _own_hits(pattern: "regex.Pattern[str]", whole: str) -> Iterator[Span]:
    """A pattern of the user's may take for ever: others run meanwhile, and what could not be looked
    through in time counts as private."""
    try:
        for match in pattern.finditer(whole, timeout=OWN_S, concurrent=True):
            yield match.span()
    except TimeoutError:
        yield 0, len(whole)


def union(reasons: Iterable[str | None]) -> str | None:
    """The names in any of these, in the same form."""
    return ", ".join(sorted({name for why in reasons if why for name in why.split(", ")})) or None


def _rebuilt(pieces: Sequence[Piece], lost: str) -> str:
    """The document's text, character for character in its place; what was cut off is `lost`."""
    ends = chain((0,), (piece.char_end for piece in pieces))
    return "".join(
        lost * (piece.char_start - end) + piece.text
        for end, piece in zip(ends, pieces, strict=False)
    )


class _Fold(dict[int, str]):
    """Writes digits of all scripts, spaces, dashes and full-width signs as ASCII, one for one.

    Invisible characters count as spaces: phones copy them into numbers.
    """

    def __missing__(self, code: int) -> str:
        self[code] = folded = _folded(chr(code))
        return folded


def _folded(char: str) -> str:
    digit = decimal(char, None)
    if digit is not None:
        return str(digit)
    kind = category(char)
    if char.isspace() or kind == "Cf":
        return " "
    if kind == "Pd" or char == "\N{MINUS SIGN}":
        return "-"
    form, _, plain = decomposition(char).partition(" ")
    return chr(int(plain, 16)) if form == "<wide>" else char


_FOLD = _Fold()


def _shape(first: str, body: str, *, after: str) -> re.Pattern[str]:
    """Look for `body`, group 1, at every character of `first` that does not stand after `after`.

    Only `first` is consumed: a number that fails its checksum hides none that begins inside it,
    and the engine can skip to the next candidate. No body has an unbounded repeat, which keeps
    the search linear.
    """
    return re.compile(f"{first}(?<=(?<!{after})(?=({body})){first})")


_ALNUM = "[A-Za-z0-9]"
_GAP = "(?: ?- ?| {1,3})"
_END = "(?![0-9])"
# 0.234567890123 is a fraction, but "1.2345 6789 0123" may well be an item of a list.
_WHOLE = r"(?!(?<=[0-9]\.)[0-9]{10})"

# The fourth letter tells the kind of holder.
_HOLDERS = "ABCEFGHJLPTabcefghjlpt"
_PAN = _shape(
    "[A-Za-z]",
    f"[A-Za-z]{{3}}[{_HOLDERS}][A-Za-z][0-9]{{4}}[A-Za-z](?!{_ALNUM})",
    after=_ALNUM,
)
# A branch without a digit is in capitals: "page0number" is no code.
_IFSC = _shape(
    "[A-Za-z]",
    f"[A-Za-z]{{4}}0(?:[A-Z0-9]{{6}}|(?=[A-Za-z]{{0,5}}[0-9]){_ALNUM}{{6}})(?!{_ALNUM})",
    after=_ALNUM,
)
_AADHAAR = _shape(
    "[2-9]", f"{_WHOLE}[2-9][0-9]{{3}}(?:{_GAP}?[0-9]{{4}}){{2}}{_END}", after="[0-9]"
)
# How cards are written: any other grouping would find a card in every table of numbers.
_CARDS = tuple(
    _shape("[2-6]", f"{_WHOLE}[2-6]{digits}{_END}", after="[0-9]")
    for digits in (
        "[0-9]{12,18}",
        f"[0-9]{{3}}(?:{_GAP}[0-9]{{4}}){{2}}{_GAP}[0-9]{{1,4}}",
        f"[0-9]{{3}}(?:{_GAP}[0-9]{{4}}){{3}}{_GAP}[0-9]{{1,3}}",
        f"[0-9]{{3}}{_GAP}[0-9]{{6}}{_GAP}[0-9]{{4,5}}",
        f"(?:[0-9]{{3}}{_GAP}[0-9]{{12}}|[0-9]{{7}}{_GAP}[0-9]{{8}})",
        f"[0-9]{{5}}{_GAP}(?:[0-9]{{10}}|[0-9]{{13}})",
    )
)
# Digit by digit, as in the boxes of a form; a longer row of single digits is a table.
_BOXES = _shape("[2-6]", f"[2-6](?:[ -][0-9]){{12,18}}{_END}(?![ -][0-9]{_END})", after="[0-9][ -]")
_MOBILE_GAP = "(?: ?- ?| )"
_MOBILE_GROUPS = "|".join(
    _MOBILE_GAP.join(f"[0-9]{{{size}}}" for size in sizes)
    for sizes in ((9,), (4, 5), (3, 6), (2, 3, 4), (3, 3, 3))
)
# INV9876543210 is a code, Mobile9876543210 has lost its space, 9876543210.00 is an amount.
_MOBILE = _shape(
    "[06-9]",
    rf"{_WHOLE}(?:0|(?:00)?91)?[6-9](?:{_MOBILE_GROUPS})(?![a-z0-9]|\.[0-9]{{1,2}}{_END})",
    after="[A-Z0-9]",
)
# Neither an amount such as +12345678.00 nor a date such as +2024-01-15.
_INTERNATIONAL = _shape(
    r"\+",
    rf"\+(?![0-9]{{1,15}}\.[0-9]{{1,2}}{_END}|(?:19|20)[0-9]{{2}}-[0-9]{{2}}-[0-9]{{2}}{_END})"
    rf"\(?[1-9](?:[ ()./-]{{0,3}}[0-9]){{7,14}}{_END}",
    after="[0-9]",
)
_OUTSIDE = r"\s@,;:<>()\[\]{}\"`/\\|=&?#!*"
_LABEL = rf"[^{_OUTSIDE}.']{{1,63}}"
_DOMAIN = re.compile(rf"@(?=((?:{_LABEL}\.){{1,8}}[^\W\d_]{_LABEL}))")
_LOCAL = re.compile(rf"[^{_OUTSIDE}]+")
_LOCAL_MAX = 64


def _found(
    *shapes: re.Pattern[str], valid: Callable[[list[int]], bool] | None = None
) -> Callable[[str], Iterator[Span]]:
    """A finder for the values of these shapes whose digits are valid."""

    def find(text: str) -> Iterator[Span]:
        for match in chain.from_iterable(shape.finditer(text) for shape in shapes):
            if valid is None or valid([int(char) for char in match[1] if char.isdigit()]):
                yield match.span(1)

    return find


def _emails(text: str) -> Iterator[Span]:
    """Search from the @ both ways: there are few of them, and letters are many."""
    for match in _DOMAIN.finditer(text):
        at = match.start()
        local = _LOCAL.match(text[max(0, at - _LOCAL_MAX) : at][::-1])
        if local:
            yield at - local.end(), match.end(1)


def _table(*rows: str) -> list[list[int]]:
    return [[int(digit) for digit in row] for row in rows]


# The product in the group of the pentagon, and the powers of a permutation of the digits.
_TIMES = _table(
    "0123456789",
    "1234067895",
    "2340178956",
    "3401289567",
    "4012395678",
    "5987604321",
    "6598710432",
    "7659821043",
    "8765932104",
    "9876543210",
)
_MOVED = _table(
    "0123456789",
    "1576283094",
    "5803796142",
    "8916043527",
    "9453126870",
    "4286573901",
    "2793806415",
    "7046913258",
)


def verhoeff(digits: Sequence[int]) -> bool:
    """Whether the last digit is the check digit of the others by Verhoeff's scheme."""
    check = 0
    for place, digit in enumerate(reversed(digits)):
        check = _TIMES[check][_MOVED[place % 8][digit]]
    return check == 0


def luhn(digits: Sequence[int]) -> bool:
    """Whether the last digit is the check digit of the others by Luhn's scheme."""
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _is_card(digits: list[int]) -> bool:
    """No issuer's numbers begin with 20, 21, 28 or 29; years do."""
    issued = digits[0] != 2 or 2 <= digits[1] <= 7
    return issued and len(set(digits)) > 1 and luhn(digits)


_FIND: dict[BuiltIn, Callable[[str], Iterator[Span]]] = {
    "pan": _found(_PAN),
    "aadhaar": _found(_AADHAAR, valid=verhoeff),
    "ifsc": _found(_IFSC),
    "card": _found(*_CARDS, _BOXES, valid=_is_card),
    "email": _emails,
    "phone": _found(_MOBILE, _INTERNATIONAL),
}
