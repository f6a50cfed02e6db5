"""A JSON object that comes in pieces, with one long list in it. Pure.

OpenRouter answers with the state of a batch and all of its results in one object, which can be of
hundreds of megabytes. Of the results only one at a time is held.
"""

import json
from codecs import getincrementaldecoder
from collections.abc import Iterator
from typing import Any

from worker.llm.lines import LONGEST_LINE

_BETWEEN = " \t\r\n,:"
_PARSE = json.JSONDecoder().raw_decode


class Inline:
    """Reads an object whose list stands under the key `listed`; nothing in it is longer than `most`
    characters. Raises ValueError where it is no such object."""

    def __init__(self, listed: str, most: int = LONGEST_LINE) -> None:
        self._listed = listed
        self._most = most
        self._decode = getincrementaldecoder("utf-8")("replace").decode
        self._text = ""
        self._enough = 0
        """Characters that must be there before another look makes sense."""
        self._key: str | None = None
        self._inside = self._began = self.ended = False
        self.fields: dict[str, Any] = {}
        """Whatever stands in it besides."""

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The members of the list that a piece completes, as they stand."""
        self._text += self._decode(piece)
        if len(self._text) < self._enough:
            return
        yield from self._members()
        if len(self._text) > self._most:
            raise ValueError("a part of it is too long")
        self._enough = 2 * len(self._text)

    def rest(self) -> Iterator[bytes]:
        """The last members, when all has come."""
        yield from self._members()
        if not self.ended:
            raise ValueError("it ends in the middle")

    def _members(self) -> Iterator[bytes]:
        at = 0
        while (found := self._part(at)) is not None:
            at, member = found
            if member is not None:
                yield member.encode()
        self._text = self._text[at:]

    def _part(self, at: int) -> tuple[int, str | None] | None:
        """Where the next part ends, and its text where it is a member of the list; None: it is not
        complete yet."""
        text = self._text
        while at < len(text) and text[at] in _BETWEEN:
            at += 1
        if at == len(text) or self.ended:
            return None
        if not self._began:
            self._began = text[at] == "{"
            if not self._began:
                raise ValueError("it is not a JSON object")
            return at + 1, None
        if self._inside and text[at] == "]":
            self._inside, self._key = False, None
            return at + 1, None
        if self._key is None and text[at] == "}":
            self.ended = True
            return at + 1, None
        if self._key == self._listed and text[at] == "[" and not self._inside:
            self._inside = True
            return at + 1, None
        return self._value(at)

    def _value(self, at: int) -> tuple[int, str | None] | None:
        try:
            value, end = _PARSE(self._text, at)
        except RecursionError as exc:
            raise ValueError("it is nested too deeply") from exc
        except json.JSONDecodeError:
            return None
        if end == len(self._text):
            return None  # a number may go on
        if self._inside:
            return end, self._text[at:end]
        if self._key is None:
            self._key = str(value)
        else:
            self.fields[self._key], self._key = value, None
        return end, None
