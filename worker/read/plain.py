"""Plain text, Markdown and their like: find the encoding, keep the text as it stands."""

import codecs
import re

from models.errors import ReadError
from models.kinds import unmarked_utf16
from worker.read.kinds import Bounds, Text

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
# East Asian text of seven bits says by escape codes where its letters are.
_ESCAPES = re.compile(rb"\x1b\$[@B]|\x1b\$\)C|\x1b\$\([DOPQ]")
_ESCAPED = ("iso2022_jp_2", "iso2022_jp_ext", "iso2022_kr")
# Read as browsers do (WHATWG, "Encoding"): whoever writes the label means the larger set.
_MEANT = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
}
_ALIASES = {"x-gbk": "gb18030", "x-sjis": "cp932", "x-x-big5": "big5hkscs", "windows-874": "cp874"}
# What text that says nothing of itself is looked at as.
_CANDIDATES = [
    "cp1251", "koi8_r", "cp866", "cp1250", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256",
    "cp1257", "cp874", "cp932", "euc_jp", "gb18030", "big5hkscs", "cp949",
]  # fmt: skip
_SAMPLE = 65_536
# Of a declared encoding so few broken signs are damage, more of them mean that it is another one.
_DAMAGE = 0.02


def read(data: bytes, name: str, _: Bounds) -> Text:
    """Read text of any encoding; form feeds part its pages.

    Raises ReadError `encoding` where the encoding cannot be told.
    """
    text, notes = decode(data, name)
    return Text.of(text.split("\f"), notes)


def decode(data: bytes, name: str, declared: str | None = None) -> tuple[str, tuple[str, ...]]:
    """Decode by byte order mark or escape codes, then UTF-8, then `declared`, then by a guess.

    Returns the text and notes on what was guessed or replaced. Raises ReadError `encoding`.
    """
    marked = next((encoding for mark, encoding in _MARKS if data.startswith(mark)), None)
    marked = marked or unmarked_utf16(data)
    if marked:
        return _replacing(data, marked, name)
    if _ESCAPES.search(data) and (escaped := _strictly(data, _ESCAPED)):
        return escaped[0], ()
    try:
        return data.decode("utf-8"), ()
    except UnicodeDecodeError:
        return _declared(data, declared, name) or _guessed(data, name)


def meant(label: str) -> str | None:
    """Python's name of the encoding that a label means, as browsers read it; None: unknown."""
    label = label.strip().lower()
    try:
        known = codecs.lookup(_ALIASES.get(label, label))
    except (LookupError, ValueError):
        return None
    # Python also calls by this name what makes bytes of bytes.
    return _MEANT.get(known.name, known.name) if known._is_text_encoding else None


def _declared(data: bytes, declared: str | None, name: str) -> tuple[str, tuple[str, ...]] | None:
    """The text by the encoding that the document names itself, if that is true."""
    encoding = meant(declared) if declared and not _mostly_utf8(data) else None
    if encoding is None or encoding.startswith("utf"):
        return None
    text, notes = _replacing(data, encoding, name)
    broken = text.count("\N{REPLACEMENT CHARACTER}")
    return (text, notes) if broken <= _DAMAGE * len(text) else None


def _guessed(data: bytes, name: str) -> tuple[str, tuple[str, ...]]:
    """Bytes that are not valid UTF-8: damaged UTF-8, Windows-1252, or what the detector says."""
    if _mostly_utf8(data):
        return _replacing(data, "utf-8", name)
    western = len(_HIGH.findall(data)) <= _WESTERN_SHARE * len(data)
    found = (_strictly(data, ("cp1252",)) if western else None) or _detected(data)
    if found is None:
        raise ReadError("encoding", f"{name} is text in an unknown encoding: save it as UTF-8")
    text, encoding = found
    said = "Windows-1252" if encoding == "cp1252" else encoding
    return text, (f"{name} was read as {said}, a guess",)


def _detected(data: bytes) -> tuple[str, str] | None:
    # Imported here: few documents need it.
    from charset_normalizer import from_bytes

    best = from_bytes(data[:_SAMPLE], cp_isolation=_CANDIDATES, preemptive_behaviour=False).best()
    return _strictly(data, (best.encoding,)) if best else None


def _strictly(data: bytes, encodings: tuple[str, ...]) -> tuple[str, str] | None:
    """The text by the first of these encodings that reads all of it."""
    for encoding in encodings:
        try:
            return data.decode(encoding), encoding
        except UnicodeDecodeError:
            continue
    return None


def _mostly_utf8(data: bytes) -> bool:
    """One broken byte must not turn a whole Hindi text into accented Latin letters."""
    left = _UTF8_SEQUENCE.sub(b"", data)
    high, broken = len(_HIGH.findall(data)), len(_HIGH.findall(left))
    return broken * 10 < high


def _replacing(data: bytes, encoding: str, name: str) -> tuple[str, tuple[str, ...]]:
    text = data.decode(encoding, "replace")
    broken = text.count("\N{REPLACEMENT CHARACTER}")
    return text, (f"{name}: {broken} broken characters were replaced",) if broken else ()
