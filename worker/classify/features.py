"""What the learned step looks at: an ask's own words and the shape of its schema, as numbers.

Never the document's text: what stands in a document cannot change where it goes.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Any
from zlib import crc32

import regex

BUCKETS = 1 << 15
"""Room for features. Two that share a bucket share a weight."""

REVISION = 1
"""To be raised whenever an ask comes to other features: weights of before are void then."""

EDGE = 120
"""Characters of each end of a long ask that are looked at: what is wanted stands there."""

_TOKEN = regex.compile(r"[\p{L}\p{M}]+|\p{N}+(?:[.,:]\p{N}+)*|[^\s\p{L}\p{M}\p{N}]+")
_SIGNS_OF_CODE = tuple("`/$_{}<>\\|*=")
_SENTENCE_ENDS = frozenset("?!.।:")


def features(ask: str, schema: Mapping[str, Any] | None) -> tuple[int, ...]:
    """The buckets that an ask falls into, each once."""
    text = ask.strip().lower()
    whole = len(text) <= 2 * EDGE
    head, tail = (text, text) if whole else (text[:EDGE], text[-EDGE:])
    tokens = _tokens(head) if whole else [*_tokens(head), "…", *_tokens(tail)]
    found = {bucket for token in tokens for bucket in _word(token)}
    found.update(_bucket(f"{a} {b}") for a, b in pairwise(tokens))
    found.update(map(_bucket, _places(tokens)))
    found.update(map(_bucket, _shape(text, tokens)))
    found.update(map(_bucket, _form(schema)))
    return tuple(found)


def _tokens(text: str) -> list[str]:
    """Words, marks, and a sign for each number."""
    return ["#" if token[0].isnumeric() else token[:24] for token in _TOKEN.findall(text)]


def _bucket(feature: str) -> int:
    return crc32(feature.encode("utf-8", "surrogatepass")) % BUCKETS


@lru_cache(maxsize=8192)
def _word(token: str) -> tuple[int, ...]:
    """The word itself, and its beginning: the forms of a word share that."""
    if len(token) < 5:
        return (_bucket(token),)
    return _bucket(token), _bucket(f"{token[:4]}-"), _bucket(f"{token[:6]}-")


def _places(tokens: list[str]) -> Iterator[str]:
    """How an ask begins, how its last sentence begins, how its question begins, how it ends."""
    yield from _opening("first", tokens[:3])
    starts = [n + 1 for n, token in enumerate(tokens[:-1]) if token[-1] in _SENTENCE_ENDS]
    last = starts[-1] if starts else 0
    yield from _opening("last", tokens[last : last + 3])
    if "?" in tokens:
        end = tokens.index("?")
        begins = max((start for start in starts if start <= end), default=0)
        yield from _opening("question", tokens[begins : begins + 3])
    yield from _opening("end", tokens[:-3:-1])


def _opening(where: str, tokens: list[str]) -> Iterator[str]:
    for n in range(1, len(tokens) + 1):
        yield f"{where}: {' '.join(tokens[:n])}"


def _shape(text: str, tokens: list[str]) -> Iterator[str]:
    """How long it is, how many numbers, commas and signs of code it has, whether options."""
    yield f"tokens {len(tokens).bit_length()}"
    yield f"sentences {min(6, sum(token[-1] in '.?!।' for token in tokens))}"
    yield f"questions {min(3, tokens.count('?'))}"
    yield f"numbers {min(5, tokens.count('#'))}"
    yield f"commas {min(6, text.count(','))}"
    yield f"options {min(3, text.count('(a)') + text.count('(b)') + text.count('(c)'))}"
    yield f"code {min(3, sum(map(text.count, _SIGNS_OF_CODE)))}"
    yield f"quotes {min(3, text.count(chr(34)) // 2)}"


def _form(schema: Mapping[str, Any] | None) -> Iterator[str]:
    """What the answer is to look like."""
    if schema is None:
        return
    fields = schema.get("properties")
    if not isinstance(fields, Mapping):
        yield f"schema {kind_of(schema)}"
        return
    yield f"schema fields {min(3, len(fields))}"
    yield from {f"schema has {kind_of(field)}" for field in fields.values()}


def kind_of(schema: Any) -> str:
    """What a value is: enum, or its type, null aside."""
    if not isinstance(schema, Mapping):
        return "any"
    if "enum" in schema:
        return "enum"
    kinds = schema.get("type")
    listed = kinds if isinstance(kinds, list) else [kinds]
    return next((str(kind) for kind in listed if kind not in ("null", None)), "any")
