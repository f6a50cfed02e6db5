"""Rich Text: its words, with rows of tables as Markdown."""

import re
from itertools import groupby

from striprtf.striprtf import rtf_to_text

from worker.read.kinds import Bounds, Text, damaged
from worker.read.tables import markdown

# What striprtf passes over although it is to be seen: here it is text of its own.
_BESIDE = re.compile(r"(?:\\\*)?\\(?:header|footer)[flr]?\b|(?:\\\*)?\\(?:footnote|annotation)\b")

# Stands for a bar of the text while bars part cells.
_BAR = "\ue0ff"


def read(data: bytes, name: str, _: Bounds) -> Text:
    """Read the text as one page. Raises ReadError `damaged`."""
    source = _BESIDE.sub(r"\\par ", _escaped(data))
    try:
        text = str(rtf_to_text(source, errors="replace"))  # type: ignore[no-untyped-call]
    except (ValueError, LookupError, TypeError, AttributeError, UnicodeError) as error:
        raise damaged(name, error) from error
    return Text.of(["\n".join(_with_tables(text)).replace(_BAR, "|").strip()])


def _escaped(data: bytes) -> str:
    """RTF is ASCII: other bytes are escaped, in its own code page. A bar would part cells."""
    bar = "|" if b"\\uc0" in data else f"\\u{ord(_BAR) - 0x10000}?"
    ascii_of = [chr(byte) if byte < 128 else f"\\'{byte:02x}" for byte in range(256)]
    ascii_of[ord("|")] = bar
    return "".join(map(ascii_of.__getitem__, data))


def _with_tables(text: str) -> list[str]:
    """Rows come as lines that end with the bar that ends their last cell."""
    blocks = list[str]()
    for in_table, lines in groupby(text.split("\n"), key=lambda line: line.endswith("|")):
        if in_table:
            blocks += ["", markdown(line[:-1].split("|") for line in lines), ""]
        else:
            blocks += lines
    return blocks
