"""Plain text, Markdown and their like: find the encoding, keep the text as it stands."""

import codecs
import re

from models.errors import ReadError
from worker.read.kinds import Text

# UTF-32 before UTF-16: its little-endian mark begins with the other's.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_HIGH = re.compile(rb"[\x80-\xff]")
_UTF8_SEQUENCE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
# Accented letters, typographic quotes and dashes are under a tenth of any Western text; in
# single-byte Cyrillic, Indian or East Asian encodings nearly every letter is a high byte.
_WESTERN_SHARE = 0.25


def read(data: bytes, name: str) -> Text:
    """Read text of any common encoding; form feeds part its pages.

    Raises ReadError `encoding` where the encoding cannot be told.
    """
    text, notes = decode(data, name)
    return Text.of(text.split("\f"), notes)


def decode(data: bytes, name: str, declared: str | None = None) -> tuple[str, tuple[str, ...]]:
    """Decode by byte order mark, then UTF-8, then `declared`, then Windows-1252.

    Returns the text and notes on what was guessed or replaced. Raises ReadError `encoding`.
    """
    marked = next((encoding for mark, encoding in _MARKS if data.startswith(mark)), None)
    if marked:
        return _replacing(data, marked, name)
    try:
        return data.decode("utf-8"), ()
    except UnicodeDecodeError:
        return _declared(data, declared) or _guessed(data, name)


def _declared(data: bytes, declared: str | None) -> tuple[str, tuple[str, ...]] | None:
    """The text by the encoding that the document names itself, if that is true."""
    try:
        return (data.decode(declared), ()) if declared else None
    except (LookupError, ValueError):
        return None


def _guessed(data: bytes, name: str) -> tuple[str, tuple[str, ...]]:
    """Bytes that are not valid UTF-8: damaged UTF-8, Windows-1252, or nobody knows."""
    if _mostly_utf8(data):
        return _replacing(data, "utf-8", name)
    if len(_HIGH.findall(data)) > _WESTERN_SHARE * len(data):
        raise _unknown(name)
    try:
        return data.decode("cp1252"), (f"{name} was read as Windows-1252",)
    except UnicodeDecodeError:
        raise _unknown(name) from None


def _mostly_utf8(data: bytes) -> bool:
    """One broken byte must not turn a whole Hindi text into accented Latin letters."""
    left = _UTF8_SEQUENCE.sub(b"", data)
    high, broken = len(_HIGH.findall(data)), len(_HIGH.findall(left))
    return broken * 10 < high


def _replacing(data: bytes, encoding: str, name: str) -> tuple[str, tuple[str, ...]]:
    text = data.decode(encoding, "replace")
    broken = text.count("\N{REPLACEMENT CHARACTER}")
    return text, (f"{name}: {broken} broken characters were replaced",) if broken else ()


def _unknown(name: str) -> ReadError:
    return ReadError("encoding", f"{name} is text in an unknown encoding: save it as UTF-8")
