"""The lines of a file that comes in pieces. Pure."""

from collections.abc import Iterator

LONGEST_LINE = 16 * 2**20
"""Bytes. The longest answer of any model is a few of them."""


class Lines:
    """Holds the line that is not complete yet, and no more than `most` bytes of it."""

    def __init__(self, most: int = LONGEST_LINE) -> None:
        self._most = most
        self._held = bytearray()

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The lines that a piece completes, without their ends. Of a line that is too long only its
        front comes."""
        *ends, rest = piece.split(b"\n")
        for end in ends:
            self._hold(end)
            line = bytes(self._held)
            self._held.clear()
            yield line
        self._hold(rest)

    def rest(self) -> bytes:
        """The last line, where the file does not end with the end of one."""
        return bytes(self._held)

    def _hold(self, part: bytes) -> None:
        self._held += part[: self._most - len(self._held)]
