"""XML and JSON as people read them: an element or a value on a line, escapes written out."""

import json
import re
from collections.abc import Iterator
from html import unescape

from models.errors import ReadError
from worker.read.kinds import Bounds, Text
from worker.read.package import Element, local, parsed
from worker.read.plain import decode

# A string, a structural sign, or anything else up to the next of these.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\s\[\]{},:"]+', re.DOTALL)
_SPACE = re.compile(r"\s*")
# RFC 8259, section 7; and those of JavaScript, which what is not quite JSON may hold.
_ESCAPE = re.compile(
    r"""\\(?:u\{0*([0-9a-fA-F]{1,5})\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([bfnrt"'/\\]))"""
)
_SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_MOST_INDENT = 20
_LONG_LINE = 1_000


def read_xml(data: bytes, name: str, _: Bounds) -> Text:
    """Read names, attributes and texts, indented.

    What is no XML is left as it stands but for the entities that HTML knows: private data is looked
    for in what they mean.
    """
    try:
        tree = parsed(data, name)
    except ReadError:
        text, notes = decode(data, name)
        said = f"{name} is no well-formed XML and was read as it stands"
        return Text.of([unescape(text)], (*notes, said))
    return Text.of(["\n".join(_lines(tree, 0))])


def _lines(element: Element, depth: int) -> Iterator[str]:
    attributes = "".join(
        f' {key.rpartition("}")[2]}="{value}"' for key, value in element.items() if value
    )
    indent = "  " * min(depth, _MOST_INDENT)
    if isinstance(element.tag, str):  # else a comment
        yield f"{indent}{local(element)}{attributes}: {_flat(element.text)}".rstrip(": ")
    for child in element:
        yield from _lines(child, depth + 1)
        if tail := _flat(child.tail):
            yield indent + tail


def _flat(text: str | None) -> str:
    return " ".join((text or "").split())


def read_json(data: bytes, name: str, _: Bounds) -> Text:
    """Read values in the order and with the digits that they have; JSON lines too.

    What has its own lines and no escapes is left as it stands. In what is no JSON escapes are
    written out, and nothing else: private data is looked for in what they mean.
    """
    text, notes = decode(data, name)
    long = max(map(len, text.splitlines()), default=0) > _LONG_LINE
    if (long or "\\" in text) and _is_json(text):
        text = "".join(_laid_out(text)).strip()
    return Text.of([_ESCAPE.sub(_meant, text)], notes)


def _meant(escape: re.Match[str]) -> str:
    """What an escape stands for. Halves of a pair are joined with the text (see `Text.of`)."""
    if code := escape[1] or escape[2] or escape[3]:
        return chr(int(code, 16))
    return _SHORT.get(escape[4], escape[4])


def _is_json(text: str) -> bool:
    """Whether it is JSON, or JSON lines."""
    decoder, at = json.JSONDecoder(), 0
    try:
        while (at := _after_space(text, at)) < len(text):
            at = decoder.raw_decode(text, at)[1]
    except (ValueError, RecursionError):
        return False
    return True


def _after_space(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return space.end() if space else at


def _laid_out(text: str) -> Iterator[str]:
    depth = 0
    for found in _TOKEN.finditer(text):
        match found[0]:
            case "[" | "{" as opened:
                depth += 1
                yield f"{opened}\n{_margin(depth)}"
            case "]" | "}" as closed:
                depth -= 1
                yield f"\n{_margin(depth)}{closed}" + ("\n" if depth == 0 else "")
            case ",":
                yield f",\n{_margin(depth)}"
            case ":":
                yield ": "
            case value:
                yield value


def _margin(depth: int) -> str:
    return "  " * min(depth, _MOST_INDENT)
