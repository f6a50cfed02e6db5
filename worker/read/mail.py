"""Mail and web archives (MIME): decoded, so that nothing is hidden in base64 or between headers.

Parsed leniently: what is malformed is read as well as it can be, and nothing raises.
"""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import Message
from email.utils import collapse_rfc2231_value
from quopri import decodestring

from models.errors import ReadError
from models.kinds import MAIL
from worker.read import html
from worker.read.attached import File
from worker.read.kinds import Bounds, Text
from worker.read.letter import HEADERS, Letter, preferred
from worker.read.plain import decode

# RFC 2047; the language after a star is RFC 2231's.
_ENCODED = re.compile(r"=\?([^?*\s]+)(?:\*[^?]*)?\?([bBqQ])\?([^?]*)\?=")
_BETWEEN = re.compile(r"(\?=)\s+(?==\?)")
_SIGNATURES = frozenset(
    ("application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature")
)
_LOCKED = frozenset(
    ("application/pkcs7-mime", "application/x-pkcs7-mime", "application/pgp-encrypted")
)
_MOST_PARTS = 10_000
# What a page that holds its parts (multipart/related) is made of, beside its text.
_MADE_OF = (
    "font/", "application/font", "application/x-font", "application/vnd.ms-fontobject",
    "text/css", "text/javascript", "application/javascript", "application/x-javascript",
)  # fmt: skip
# Python takes the parts of these apart as well: RFC 2046, RFC 6532.
_MAILS = frozenset((MAIL, "message/global", "message/partial"))
_ENDINGS = {
    "text/html": "html",
    "text/calendar": "ics",
    "text/csv": "csv",
    **dict.fromkeys(_MAILS, "eml"),
}


def read(data: bytes, name: str, bounds: Bounds) -> Text:
    """Read the mail as a page and each attachment as further ones. Raises ReadError."""
    message = message_from_bytes(data.lstrip(), policy=policy.compat32)
    letter = Letter({key: _header(message, key) for key in HEADERS})
    parts = _Parts(letter, bounds, _Seen())
    parts.add(message)
    letter.notes += parts.notes()
    return letter.read(bounds)


@dataclass(slots=True)
class _Seen:
    """What was counted of a mail: its parts, and the pictures that it shows."""

    parts: int = 0
    pictures: int = 0


class _Parts:
    """Sorts the parts of a mail into what it says and what is attached."""

    def __init__(self, letter: Letter, bounds: Bounds, seen: _Seen) -> None:
        self._letter, self._bounds, self._seen = letter, bounds, seen

    def notes(self) -> Iterator[str]:
        """What of the mail is not read, besides what is attached."""
        if self._seen.pictures:
            yield f"{self._seen.pictures} pictures that the mail shows in its text are not read"
        if self._seen.parts > _MOST_PARTS:
            yield f"the mail has more than {_MOST_PARTS:,} parts: those beyond are not read"

    def add(self, part: Message) -> None:
        self._seen.parts += 1
        if self._seen.parts > _MOST_PARTS:
            return
        kind = part.get_content_type()
        if kind == "multipart/alternative":
            self._letter.body += filter(None, [self._alternative(_children(part))])
        elif kind == "multipart/related":
            self._related(_children(part))
        elif part.is_multipart() and kind.startswith("message/") and kind not in _MAILS:
            self._letter.body.append(self._text(part))  # the report of a server: headers
        elif part.is_multipart() and kind not in _MAILS:
            for child in _children(part):
                self.add(child)
        elif _is_text(part, kind):
            self._letter.body.append(self._text(part))
        elif kind not in _SIGNATURES:
            self._attach(part, kind)

    def _alternative(self, parts: list[Message]) -> str:
        """The same in several forms: the text, unless it is a stub beside the HTML."""
        texts, rest = dict[str, str](), list[Message]()
        for part in parts:
            kind = part.get_content_type()
            if _is_text(part, kind):
                texts.setdefault(kind, self._text(part))
            else:
                rest.append(part)
        for part in rest:  # a related one holds the HTML with its pictures; others are attached
            inner = Letter({})
            _Parts(inner, self._bounds, self._seen).add(part)
            if inner.body:
                texts.setdefault("text/html", "\n\n".join(inner.body))
            self._letter.files += inner.files
            self._letter.notes += inner.notes
        plain, page = texts.get("text/plain", ""), texts.get("text/html", "")
        return preferred(plain, page) or next(iter(texts.values()), "")

    def _related(self, parts: list[Message]) -> None:
        """The first is what is shown, the others are what it shows, or came along."""
        for number, part in enumerate(parts):
            kind = part.get_content_type()
            if number == 0 or part.get_content_disposition() == "attachment":
                self.add(part)
            elif kind == "text/html":  # a frame of a web archive
                self._letter.body.append(self._text(part))
            elif kind.startswith("image/"):
                self._seen.pictures += 1
            elif not kind.startswith(_MADE_OF):
                self.add(part)

    def _text(self, part: Message) -> str:
        data, charset = _content(part), part.get_content_charset()
        try:
            if part.get_content_type() == "text/html":
                return html.read(data, "the mail", self._bounds, charset).whole
            text, notes = decode(data, "the mail", charset)
        except ReadError as error:
            self._letter.notes.append(str(error))
            return ""
        self._letter.notes += notes
        return _unfolded(text, part) if part.get_param("format") == "flowed" else text.strip("\r\n")

    def _attach(self, part: Message, kind: str) -> None:
        if kind in _LOCKED:
            self._letter.notes.append("a part of the mail is encrypted or signed, and not read")
            return
        name = (
            _file_name(part)
            or f"part {len(self._letter.files) + 1}.{_ENDINGS.get(kind, kind.rpartition('/')[2])}"
        )
        data = _content(part)
        if kind in _MAILS:
            self._letter.files.append(File(name, data, MAIL))
        else:
            self._letter.files.append(File(name, data))


def _children(part: Message) -> list[Message]:
    payload = part.get_payload()
    return [one for one in payload if isinstance(one, Message)] if isinstance(payload, list) else []


def _is_text(part: Message, kind: str) -> bool:
    """Whether a part is shown in the mail itself."""
    if part.is_multipart():
        return False
    if kind.startswith("multipart/"):  # broken: none of its parts was found
        return True
    if kind not in ("text/plain", "text/html", "text/enriched"):
        return False
    return part.get_content_disposition() != "attachment" and not part.get_filename()


def _content(part: Message) -> bytes:
    """A part's bytes, decoded."""
    payload = part.get_payload(decode=True)
    if isinstance(payload, bytes):
        return payload
    return b"\n".join(child.as_bytes() for child in _children(part))


def _unfolded(text: str, part: Message) -> str:
    """Lines that end with a space go on in the next one (RFC 3676)."""
    joint = "" if str(part.get_param("delsp") or "").lower() == "yes" else " "
    lines = list[str]()
    for line in text.replace("\r\n", "\n").split("\n"):
        line = line.removeprefix(" ")
        if lines and lines[-1].endswith(" ") and lines[-1] != "-- ":
            lines[-1] = lines[-1][:-1] + joint + line
        else:
            lines.append(line)
    return "\n".join(lines).strip("\n")


def _header(message: Message, key: str) -> str:
    return ", ".join(_decoded(str(value)) for value in _raw(message, key))


def _raw(message: Message, key: str) -> Iterator[str]:
    """The values as they stand, also with bytes that no header may hold."""
    for name, value in message.raw_items() if hasattr(message, "raw_items") else message.items():
        if name.lower() == key.lower():
            data = str(value).encode("utf-8", "surrogateescape")
            try:
                yield decode(data, key)[0]
            except ReadError:
                yield data.decode("ascii", "replace")


def _decoded(value: str) -> str:
    """A header with its encoded words written out; neighbours in one encoding are one text."""
    value = _BETWEEN.sub(r"\1", " ".join(value.split()))
    written, at, open_charset, held = list[str](), 0, "", b""
    for match in _ENCODED.finditer(value):
        charset = match[1].lower()
        if held and (match.start() != at or charset != open_charset):
            written.append(_in_charset(held, open_charset))
            held = b""
        written.append(value[at : match.start()])
        held += _bytes(match[2], match[3])
        open_charset, at = charset, match.end()
    return "".join([*written, _in_charset(held, open_charset) if held else "", value[at:]])


def _bytes(form: str, text: str) -> bytes:
    data = text.encode("ascii", "replace")
    if form in "qQ":
        return decodestring(data, header=True)
    try:
        return binascii.a2b_base64(data + b"==")
    except binascii.Error:
        return data


def _in_charset(data: bytes, charset: str) -> str:
    try:
        return decode(data, "a header", charset)[0]
    except ReadError:
        return data.decode("ascii", "replace")


def _file_name(part: Message) -> str:
    named = part.get_filename()
    return _decoded(collapse_rfc2231_value(named)).replace("\n", " ").strip() if named else ""
