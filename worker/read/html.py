"""HTML: what a browser would show, with blank lines between blocks and a table row on a line."""

import re

from bs4 import BeautifulSoup
from bs4.dammit import EncodingDetector
from bs4.element import NavigableString, Tag

from worker.read.kinds import Text
from worker.read.plain import decode

_HIDDEN = frozenset(
    ("script", "style", "noscript", "template", "svg", "math", "iframe", "object", "select")
)
_UNSEEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
# As browsers read these labels, where Python reads less by the same name (WHATWG, "Encoding").
_LABELS = {
    **dict.fromkeys(
        ("iso-8859-1", "iso8859-1", "iso88591", "latin1", "l1", "cp819", "ascii", "us-ascii"),
        "cp1252",
    ),
    **dict.fromkeys(("gb2312", "gb_2312-80", "csgb2312", "chinese", "gbk", "x-gbk"), "gb18030"),
    **dict.fromkeys(("shift_jis", "shift-jis", "sjis", "x-sjis", "ms_kanji"), "cp932"),
    **dict.fromkeys(("euc-kr", "ks_c_5601-1987", "ksc5601", "korean"), "cp949"),
    **dict.fromkeys(("big5", "big5-hkscs", "x-x-big5"), "big5hkscs"),
    **dict.fromkeys(("iso-8859-9", "latin5", "l5"), "cp1254"),
    **dict.fromkeys(("iso-8859-11", "tis-620"), "cp874"),
}
_BLOCKS = [
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details",
    "dialog", "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2",
    "h3", "h4", "h5", "h6", "header", "hr", "main", "nav", "ol", "p", "pre", "section", "summary",
    "table", "title", "ul",
]  # fmt: skip
_LINES = ["br", "li", "option"]
_CELL = " | "
# Stand for breaks while the white space of the source, which means nothing, is collapsed.
_BLOCK_BREAK, _LINE_BREAK = "\x1e", "\x1f"
_KEPT_SPACE, _KEPT_LINE = "\x1c", "\x1d"
_MARKS = re.compile(r"[\x1c-\x1f]")
_SOURCE_SPACE = re.compile(r"[ \t\n\r\f\v]+")
_ROW_SPACE = re.compile(r"[ \t\n\r\f\v\x1c-\x1f]+")
_BLOCK_BREAKS = re.compile(r"[ \x1f]*\x1e[ \x1e\x1f]*")
_LINE_BREAKS = re.compile(r" *\x1f[ \x1f]*")


def read(data: bytes, name: str) -> Text:
    """Read the visible text as one page; the encoding may be declared in the document.

    Raises ReadError `encoding`.
    """
    declared = EncodingDetector.find_declared_encoding(data, is_html=True)
    source, notes = decode(data, name, _LABELS.get(declared or "", declared))
    soup = BeautifulSoup(_MARKS.sub(" ", source), "html.parser")
    _drop_hidden(soup)
    _keep_preformatted(soup)
    _mark_rows(soup)
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
            kept = str(string).expandtabs().replace("\n", _KEPT_LINE).replace(" ", _KEPT_SPACE)
            string.replace_with(NavigableString(kept))


def _mark_rows(soup: BeautifulSoup) -> None:
    """Put each table row on a line. A row around another table is layout: its cells are blocks."""
    for row in reversed(soup.find_all("tr")):
        cells = row.find_all(["td", "th"], recursive=False)
        if row.find("table"):
            _surround(cells, _BLOCK_BREAK)
        else:
            texts = [_ROW_SPACE.sub(" ", _cell_text(cell)).strip() for cell in cells]
            row.string = _LINE_BREAK + _CELL.join(texts) + _LINE_BREAK


def _cell_text(cell: Tag) -> str:
    """A cell's text; words of neighbouring blocks in it must not run together."""
    _surround(cell.find_all(_BLOCKS + _LINES), " ")
    return cell.get_text()


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
