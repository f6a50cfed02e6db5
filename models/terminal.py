"""Text on its way to a terminal: what others wrote must not steer it.

File names, answers and what servers say may hold control codes: an escape sequence could repaint
the screen, set its title or type for the user. Whatever is printed passes through `visible`.
"""

import io
import json
import re
from typing import Any, TextIO, cast

CODES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
"""C0 and C1 controls but tab and line feed, and surrogates, which no stream can encode."""


def visible(text: str) -> str:
    """The text with every control code as people write it: \\x1b."""
    return CODES.sub(lambda code: ascii(code[0])[1:-1], text)


def one_line(text: str) -> str:
    """The same in one line: a file name with a line feed in it must not look like two."""
    return visible(text).replace("\n", "\\n")


def to_json(value: Any) -> str:
    """JSON in one line, safe to print and exact: control codes are escaped, letters are not."""
    dumped = json.dumps(value, ensure_ascii=False, default=str)
    return CODES.sub(lambda code: f"\\u{ord(code[0]):04x}", dumped)


def plain(stream: TextIO) -> TextIO:
    """A stream that shows control codes instead of sending them on. It calls itself no terminal, so
    that nobody sends colours through it."""
    return cast(TextIO, _Plain(stream))


class _Plain(io.TextIOBase):
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding

    def write(self, text: str) -> int:
        self._stream.write(visible(text))
        return len(text)

    def flush(self) -> None:
        self._stream.flush()
