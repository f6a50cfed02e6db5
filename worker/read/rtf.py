"""Rich Text: its words, with rows of tables as Markdown."""

import re
from itertools import groupby

from striprtf.striprtf import rtf_to_text

from worker.read.kinds import Bounds, Text, damaged
from worker.read.tables import markdown

# What striprtf passes over although it is to be seen: here it is text of its own.
_BESIDE = re.compile(r"(?:\\\*)?\\(?:header|footer)[flr]?\b|(?:\\\*)?\\(?:footnote|annotation)\b")


def read(data: bytes, name: str, _: Bounds) -> Text:
    """Read the text as one page. Raises ReadError `damaged`."""
    try:
        # RTF is ASCII; bytes that are not stand for themselves in its own code page.
        text = str(rtf_to_text(_BESIDE.sub(r"\\par ", _escaped(data)), errors="replace"))  # type: ignore[no-untyped-call]
    except (ValueError, LookupError, TypeError, AttributeError, UnicodeError) as error:
        raise damaged(name, error) from error
    return Text.of(["\n".join(_with_tables(text))])


def _escaped(data: bytes) -> str:
    return "".join(chr(byte) if byte < 128 else f"\\'{byte:02x}" for byte in data)


def _with_tables(text: str) -> list[str]:
    """Rows come as lines that end with the bar that ends their last cell."""
    blocks = list[str]()
    for in_table, lines in groupby(text.split("\n"), key=lambda line: line.endswith("|")):
        if in_table:
            blocks += ["", markdown(line[:-1].split("|") for line in lines), ""]
        else:
            blocks += lines
    return blocks
