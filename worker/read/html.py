"""HTML: what a browser would show, with blank lines between blocks and tables as Markdown."""

import re

from bs4 import BeautifulSoup
from bs4.dammit import EncodingDetector
from bs4.element import NavigableString, Tag

from worker.read.kinds import Bounds, Text
from worker.read.plain import decode
from worker.read.tables import markdown

_HIDDEN = frozenset(
    ("script", "style", "noscript", "template", "svg", "math", "iframe", "object", "select")
)
_UNSEEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_BLOCKS = [
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details",
    "dialog", "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2",
    "h3", "h4", "h5", "h6", "header", "hr", "main", "nav", "ol", "p", "pre", "section", "summary",
    "table", "title", "ul",
]  # fmt: skip
_LINES = ["br", "li", "option"]
_MOST_SPAN = 100
# Stand for breaks while the white space of the source, which means nothing, is collapsed.
_BLOCK_BREAK, _LINE_BREAK = "\x1e", "\x1f"
_KEPT_SPACE, _KEPT_LINE = "\x1c", "\x1d"
_MARKS = re.compile(r"[\x1c-\x1f]")
_SOURCE_SPACE = re.compile(r"[ \t\n\r\f\v]+")
_BLOCK_BREAKS = re.compile(r"[ \x1f]*\x1e[ \x1e\x1f]*")
_LINE_BREAKS = re.compile(r" *\x1f[ \x1f]*")


def read(data: bytes, name: str, _: Bounds, declared: str | None = None) -> Text:
    """Read the visible text as one page. Its encoding is the one `declared` beside it, or in it.

    Raises ReadError `encoding`.
    """
    declared = declared or EncodingDetector.find_declared_encoding(data, is_html=True)
    source, notes = decode(data, name, declared)
    soup = BeautifulSoup(_MARKS.sub(" ", source), "html.parser")
    _drop_hidden(soup)
    _keep_preformatted(soup)
    _write_tables(soup)
    _mark_blocks(soup)
    return Text.of([_layout(soup.get_text())], notes)


def _drop_hidden(soup: BeautifulSoup) -> None:
    for tag in soup.find_all(_is_hidden):
        if not tag.decomposed:
            tag.decompose()


def _is_hidden(tag: Tag) -> bool:
    """Whether a browser would not show it, by its name or by itself: sheets of styles are not
    read."""
    if tag.name in _HIDDEN or "hidden" in tag.attrs:
        return True
    return _UNSEEN.search(str(tag.attrs.get("style", ""))) is not None


def _keep_preformatted(soup: BeautifulSoup) -> None:
    """Inside <pre> the source's white space does mean something."""
    for string in soup.find_all(string=True):
        if string.find_parent(["pre", "textarea"]):
            string.replace_with(NavigableString(_kept(str(string).expandtabs())))


def _write_tables(soup: BeautifulSoup) -> None:
    """Make Markdown of each table. One around another is layout: its cells are blocks."""
    for table in reversed(soup.find_all("table")):
        rows = table.find_all("tr")
        cells = [row.find_all(["td", "th"], recursive=False) for row in rows]
        if table.find("table"):
            _surround([cell for row in cells for cell in row], _BLOCK_BREAK)
            continue
        written = markdown([[text for cell in row for text in _columns(cell)] for row in cells])
        for row in rows:
            row.decompose()
        table.append(NavigableString(_BLOCK_BREAK + _kept(written)))


def _columns(cell: Tag) -> list[str]:
    """A cell's text, and an empty one for each further column that it spans."""
    span = str(cell.get("colspan", ""))
    more = int(span) - 1 if span.isdecimal() else 0
    # Words of neighbouring blocks in it must not run together.
    _surround(cell.find_all(_BLOCKS + _LINES), " ")
    return [cell.get_text()] + [""] * min(more, _MOST_SPAN)


def _kept(text: str) -> str:
    """White space that means something."""
    return text.replace("\n", _KEPT_LINE).replace(" ", _KEPT_SPACE)


def _mark_blocks(soup: BeautifulSoup) -> None:
    _surround(soup.find_all(_BLOCKS), _BLOCK_BREAK)
    _surround(soup.find_all(_LINES), _LINE_BREAK)


def _surround(tags: list[Tag], mark: str) -> None:
    for tag in tags:
        tag.insert(0, NavigableString(mark))
        tag.append(NavigableString(mark))


def _layout(marked: str) -> str:
    """Collapse the source's white space, then write the breaks that were marked."""
    text = _SOURCE_SPACE.sub(" ", marked)
    text = _BLOCK_BREAKS.sub("\n\n", text)
    text = _LINE_BREAKS.sub("\n", text)
    text = text.replace(_KEPT_SPACE, " ").replace(_KEPT_LINE, "\n")
    return text.strip("\n").rstrip()
