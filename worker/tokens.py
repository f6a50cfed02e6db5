"""How many tokens a text will cost, before any model has seen it. Pure."""

import string

# Twentieths of a token for each character of a kind. The kind is told from the lead byte of the
# character's UTF-8 form, so that one pass of bytes.translate classifies a whole text.
_UNIT = 20
_PLAIN = 5  # lower-case ASCII letters and the space: four characters a token
MAX_CHARS_PER_TOKEN = _UNIT // _PLAIN
"""No text has more characters to a token than this."""
_KINDS: tuple[tuple[bytes, int], ...] = (
    (string.ascii_uppercase.encode(), 9),
    (string.digits.encode(), 20),
    (b"\t\n\r\v\f", 16),
    (bytes([*range(9), *range(14, 32), 127]), 20),
    (string.punctuation.encode(), 17),
    (bytes(range(0xC2, 0xCC)), 20),  # accented Latin
    (bytes(range(0xCC, 0xD4)), 8),  # Greek, Cyrillic
    (bytes(range(0xD4, 0xE0)), 10),  # Armenian, Hebrew, Arabic
    (b"\xe0", 12),  # the scripts of India, Sinhala, Thai
    (b"\xe1", 20),  # Georgian, Ethiopic, Khmer, Myanmar
    (b"\xe2", 20),  # typographic signs, symbols
    (bytes(range(0xE3, 0xEE)), 20),  # kana, Han, Hangul
    (b"\xee", 60),  # private use
    (b"\xef", 20),  # full-width and presentation forms
    (bytes(range(0xF0, 0xF5)), 60),  # emoji and rare scripts
)
_FREE = string.ascii_lowercase.encode() + b" " + bytes(range(0x80, 0xC0))
_TABLE = bytearray(256)
for _number, (_leads, _) in enumerate(_KINDS):
    for _lead in _leads:
        _TABLE[_lead] = _number
_CLASSES = bytes(_TABLE)
_EXTRA = tuple((bytes([number]), weight - _PLAIN) for number, (_, weight) in enumerate(_KINDS))


def estimate(text: str) -> int:
    """Tokens that `text` will take in a prompt: an estimate that is rarely too low.

    It never shrinks as text is added, and the parts of a text never sum to less than the whole.
    """
    raw = text.encode("utf-8", "replace")
    dear = raw.translate(_CLASSES, _FREE)
    extra = sum(dear.count(kind) * weight for kind, weight in _EXTRA)
    return -(-(len(text) * _PLAIN + extra) // _UNIT)
