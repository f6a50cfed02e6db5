"""Patterns that every engine's grammar can hold: whole, without looking around, of few steps.

A grammar is about the JSON text, so what may stand for a quote or a backslash (`.`, a set that says
what is not in it) would let a model write its way out of the string. And it knows few escapes: what
needs none is written without.
"""

import re
from dataclasses import dataclass

_CLASSES = {"d": "0-9", "w": "A-Za-z0-9_", "s": " "}
_SPECIAL = frozenset("^$.[](){}|*+?")
"""What has to be escaped outside of a set."""

_TOKEN = re.compile(
    r"""
    (?P<open>\((?:\?:)?) | (?P<close>\)) | (?P<either>\|)
    | (?P<repeat>[*+?](?![+?]) | \{(?P<least>\d{1,4})(?:(?P<comma>,)(?P<most>\d{0,4}))?\}(?![+?]))
    | \[(?P<set>(?!\^)(?:[^\\\[\]"\x00-\x1f] | \\[dws] | \\[^\w\s\\"])+)\]
    | (?P<class>\\[dws])
    | (?P<one>[^\\\[\](){}*+?|^$."\x00-\x1f] | \\[^\w\s\\"])
    """,
    re.VERBOSE,
)


class _NotPlain(Exception):
    """Something that some engine does not know."""


def plain_pattern(pattern: str, most: int) -> str | None:
    """The pattern in words that every engine knows; None where it has others, does not say the
    whole text (`^...$`), or takes more than `most` steps written out."""
    if not (pattern.startswith("^") and pattern.endswith("$")):
        return None
    try:
        plain, steps = _Reader(pattern[1:-1]).whole()
    except _NotPlain:
        return None
    return f"^{plain}$" if steps <= most else None


@dataclass(slots=True)
class _Reader:
    """Reads a pattern from left to right."""

    text: str
    _at: int = 0

    def whole(self) -> tuple[str, int]:
        """All of it. A choice at the outside would end at its anchors, so it is none of these."""
        plain, steps, ended_by = self._sequence(depth=0)
        if ended_by != "":
            raise _NotPlain
        return plain, steps

    def _sequence(self, depth: int) -> tuple[str, int, str]:
        """Until a bracket closes, or the end: what was read, its steps, and what ended it."""
        plain, steps = "", 0
        while self._at < len(self.text):
            found = _TOKEN.match(self.text, self._at)
            if found is None or found["repeat"]:
                raise _NotPlain
            self._at = found.end()
            if found["close"]:
                return plain, steps, ")"
            if found["either"]:
                if depth == 0:
                    raise _NotPlain
                plain, steps = plain + "|", steps + 1
                continue
            said, cost = self._group(depth) if found["open"] else (_atom(found), 1)
            times, how = self._repeat()
            plain, steps = plain + said + how, steps + cost * times
        return plain, steps, ""

    def _group(self, depth: int) -> tuple[str, int]:
        inner, cost, ended_by = self._sequence(depth + 1)
        if ended_by != ")" or depth > 20:
            raise _NotPlain
        return f"({inner})", cost

    def _repeat(self) -> tuple[int, str]:
        """How often the last thing may come at most, written out, and how it is said."""
        found = _TOKEN.match(self.text, self._at)
        if found is None or not found["repeat"]:
            return 1, ""
        self._at = found.end()
        times = int(found["most"] or found["least"] or 1)
        return max(times, 1), found["repeat"]


def _atom(found: re.Match[str]) -> str:
    if found["class"]:
        return f"[{_CLASSES[found[0][1]]}]"
    if found["set"]:
        return f"[{_members(found['set'])}]"
    character = found["one"][-1]
    return f"\\{character}" if character in _SPECIAL else character


def _members(said: str) -> str:
    """What stands in a set, with a dash of its own at the end, where it needs no escape."""
    dash = "-" if "\\-" in said else ""
    plain = re.sub(r"\\([dws])", lambda named: _CLASSES[named[1]], said.replace("\\-", ""))
    return re.sub(r"\\([^\[\]])", r"\1", plain) + dash
