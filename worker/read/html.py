"""HTML: what a browser would show, with blank lines between blocks and tables as Markdown."""

import re

from bs4 import BeautifulSoup
from bs4.dammit import EncodingDetector
from bs4.element import NavigableString, Tag

from worker.read.kinds import Bounds, Text
from worker.read.plain import decode
from worker.read.tables import markdown

# The second line is of drawings (SVG) and formulas (MathML).
_HIDDEN = frozenset((
    "script", "style", "noscript", "template", "iframe", "object", "datalist",
    "defs", "desc", "metadata", "symbol", "annotation", "annotation-xml",
))  # fmt: skip
# Fields whose value is not shown, or not as text (HTML, 4.10.5.1).
_NO_TEXT = frozenset(("hidden", "password", "file", "image", "color", "range"))
_TICKED = frozenset(("checkbox", "radio"))
# What stands between the two parts of these, written in one line, so that 1/2 is not read as 12.
_BETWEEN = {"mfrac": "/", "msup": "^", "msub": "_"}
_UNSEEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_BLOCKS = [
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details",
    "dialog", "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2",
    "h3", "h4", "h5", "h6", "header", "hr", "main", "nav", "ol", "p", "pre", "section", "summary",
    "table", "title", "ul",
]  # fmt: skip
_LINES = ["br", "li", "text"]
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
    _write_fields(soup)
    _write_formulas(soup)
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
    if tag.name == "title" and tag.find_parent("svg"):
        return True
    return _UNSEEN.search(str(tag.attrs.get("style", ""))) is not None


def _write_fields(soup: BeautifulSoup) -> None:
    """Put what the fields of a form show in their place: what is entered, chosen and ticked."""
    for field in soup.find_all("input"):
        kind = str(field.get("type", "text")).strip().lower()
        shown = "" if kind in _NO_TEXT else str(field.get("value", ""))
        if kind in _TICKED:
            shown = "[x]" if "checked" in field.attrs else "[ ]"
        field.replace_with(NavigableString(f" {shown} "))
    for field in soup.find_all("select"):
        options = field.find_all("option")
        chosen = [option for option in options if "selected" in option.attrs]
        if "multiple" not in field.attrs:  # a browser shows one, at first the first
            chosen = chosen[-1:] or options[:1]
        shown = ", ".join(_own_text(option) for option in chosen)
        field.replace_with(NavigableString(f" {shown} "))


def _own_text(option: Tag) -> str:
    """Without that of the options in it: one whose end is left out has those behind it in it."""
    texts = (child for child in option.children if type(child) is NavigableString)  # no comment
    return "".join(texts).strip()


def _write_formulas(soup: BeautifulSoup) -> None:
    """Keep the parts of a formula apart, and the pieces of a text in a drawing."""
    for tag in soup.find_all(list(_BETWEEN)):
        if parts := tag.find_all(recursive=False)[1:]:
            parts[0].insert_before(NavigableString(_BETWEEN[tag.name]))
    _surround(soup.find_all("tspan"), " ")


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
