"""Outlook's own mail (.msg): properties in an OLE file ([MS-OXMSG])."""

import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO

import olefile

from models.errors import ReadError
from models.kinds import MAIL
from worker.read import html
from worker.read.attached import File
from worker.read.kinds import Bounds, Text, damaged
from worker.read.letter import Letter, preferred
from worker.read.plain import decode

_MOST_DEPTH = 10
_PROPERTIES = "__properties_version1.0"
_UNICODE, _BYTES, _BINARY = "001F", "001E", "0102"
# Identifiers of properties ([MS-OXPROPS]).
_SUBJECT, _BODY, _HTML, _RTF = "0037", "1000", "1013", "1009"
_FROM_NAME, _FROM_ADDRESS, _FROM_SMTP = "0C1A", "0C1F", "5D01"
_TO, _CC, _BCC = "0E04", "0E03", "0E02"
_SENT, _RECEIVED, _CODE_PAGE = "0039", "0E06", "3FDE"
_NAME, _SHORT_NAME, _DATA, _DISPLAY = "3707", "3704", "3701", "3001"
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_BROKEN = (OSError, ValueError, IndexError, TypeError, struct.error, OverflowError)


def read(data: bytes, name: str, bounds: Bounds) -> Text:
    """Read the mail as a page and each attachment as further ones. Raises ReadError."""
    try:
        with olefile.OleFileIO(BytesIO(data)) as ole:
            letter = _Message(ole, (), bounds).letter(0)
    except _BROKEN as error:
        raise damaged(name, error) from error
    return letter.read(bounds)


class _Message:
    """A mail in a folder of the file: its root, or where an attached mail lies."""

    def __init__(self, ole: olefile.OleFileIO, path: tuple[str, ...], bounds: Bounds) -> None:
        self._ole, self._path, self._bounds = ole, path, bounds
        self._fixed = dict(self._numbers())

    def letter(self, depth: int) -> Letter:
        address = self._text(_FROM_SMTP) or self._text(_FROM_ADDRESS)
        sender = self._text(_FROM_NAME)
        # Within a company an address is a path of its directory, which says nothing to anybody.
        shown = f"<{address}>" if "@" in address and address != sender else ""
        sent = self._moment(_SENT) or self._moment(_RECEIVED)
        headers = {"From": " ".join(filter(None, [sender, shown])), "To": self._recipients(_TO)}
        headers |= {"Cc": self._text(_CC), "Bcc": self._text(_BCC)}
        headers |= {"Date": sent, "Subject": self._text(_SUBJECT)}
        letter = Letter(headers)
        self._add_body(letter)
        for folder in self._folders("__attach_version1.0_"):
            self._attach(letter, (*self._path, folder), depth)
        return letter

    def _add_body(self, letter: Letter) -> None:
        body = preferred(self._text(_BODY), self._page(letter))
        if not body.strip() and self._exists(_RTF + _BINARY):
            letter.notes.append("the mail has its text as compressed RTF only, which is not read")
        letter.body.append(body.replace("\r\n", "\n").strip("\n"))

    def _page(self, letter: Letter) -> str:
        """The text as HTML; "" where there is none."""
        try:
            page = self._bytes(_HTML, _BINARY)
            return html.read(page, "the mail", self._bounds, self._charset()).whole if page else ""
        except ReadError as error:
            letter.notes.append(str(error))
            return ""

    def _attach(self, letter: Letter, path: tuple[str, ...], depth: int) -> None:
        inner = _Message(self._ole, path, self._bounds)
        name = inner._text(_NAME) or inner._text(_SHORT_NAME) or inner._text(_DISPLAY)
        name = name or f"attachment {len(letter.files) + 1}"
        mail = (*path, f"__substg1.0_{_DATA}000D")
        if self._ole.exists([*mail, _PROPERTIES]) and depth < _MOST_DEPTH:
            attached = _Message(self._ole, mail, self._bounds).letter(depth + 1)
            letter.files.append(File(f"{name}.eml", attached.as_mail(), MAIL))
            letter.files += attached.files
        else:
            letter.files.append(File(name, inner._bytes(_DATA, _BINARY)))

    def _recipients(self, shown: str) -> str:
        """Those it was sent to, with their addresses where the file has them."""
        said = self._text(shown)
        known = [
            address
            for folder in self._folders("__recip_version1.0_")
            if "@" in (address := self._recipient((*self._path, folder))) and address not in said
        ]
        return f"{said} ({', '.join(known)})" if known else said

    def _recipient(self, path: tuple[str, ...]) -> str:
        one = _Message(self._ole, path, self._bounds)
        return one._text("39FE") or one._text("3003")

    def _folders(self, prefix: str) -> list[str]:
        at = len(self._path)
        paths = self._ole.listdir(streams=False, storages=True)
        return sorted(
            path[at]
            for path in paths
            if len(path) == at + 1
            and tuple(path[:at]) == self._path
            and path[at].startswith(prefix)
        )

    def _exists(self, tag: str) -> bool:
        return bool(self._ole.exists([*self._path, f"__substg1.0_{tag}"]))

    def _bytes(self, identifier: str, kind: str) -> bytes:
        if not self._exists(identifier + kind):
            return b""
        with self._ole.openstream([*self._path, f"__substg1.0_{identifier}{kind}"]) as stream:
            return bytes(stream.read())

    def _text(self, identifier: str) -> str:
        if self._exists(identifier + _UNICODE):
            text = self._bytes(identifier, _UNICODE).decode("utf-16-le", "replace")
        else:
            data = self._bytes(identifier, _BYTES)
            try:
                text = decode(data, "the mail", self._charset())[0]
            except ReadError:
                text = data.decode("ascii", "replace")
        return text.replace("\0", "").strip()

    def _charset(self) -> str | None:
        page = self._fixed.get(_CODE_PAGE)
        return f"cp{int.from_bytes(page[:4], 'little')}" if page else None

    def _moment(self, identifier: str) -> str:
        value = self._fixed.get(identifier)
        if not value or not any(value):
            return ""
        moment = _EPOCH + timedelta(microseconds=int.from_bytes(value, "little") // 10)
        return moment.strftime("%Y-%m-%d %H:%M UTC")

    def _numbers(self) -> Iterator[tuple[str, bytes]]:
        """Properties of a fixed size. How long the head before them is tells whose they are."""
        path = [*self._path, _PROPERTIES]
        if not self._ole.exists(path):
            return
        with self._ole.openstream(path) as stream:
            data = bytes(stream.read())
        for at in range(0 if len(data) % 16 == 0 else 8, len(data) - 15, 16):
            tag, value = struct.unpack_from("<I4x8s", data, at)
            yield f"{tag >> 16:04X}", value
