"""Words of documents, by language, folded as texts are (fold.py). They stand in lexicon.yaml."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, TypeVar

import yaml

from worker.run.verify.fold import folded

Name = TypeVar("Name", str, int)

_RAW: Mapping[str, Any] = yaml.safe_load(
    resources.files(__package__).joinpath("lexicon.yaml").read_text("utf-8")
)


def _terms(text: str) -> Iterator[str]:
    return (folded(term.strip()) for term in text.split(",") if term.strip())


def _by_term(rows: Mapping[Name, str]) -> dict[str, Name]:
    return {term: name for name, terms in rows.items() for term in _terms(terms)}


CURRENCIES: Mapping[str, str] = _by_term(_RAW["currencies"])
"""ISO 4217 codes, by every sign and word for them."""

SCALES: Mapping[str, int] = _by_term(_RAW["scales"])
"""Powers of ten."""

UNITS: Mapping[str, str] = _by_term(_RAW["units"])
"""Each unit's one name; `%` is a share."""

MONTHS: Mapping[str, int] = _by_term(_RAW["months"])

ERAS: Mapping[str, int] = {"令和": 2018, "平成": 1988, "昭和": 1925}
"""The year before the first of each Japanese era."""

DIMENSIONS: tuple[frozenset[str], ...] = (
    frozenset({"second", "minute", "hour", "day", "week", "month", "year"}),
    frozenset({"gram", "kilogram", "tonne"}),
    frozenset({"metre", "kilometre", "centimetre", "millimetre", "mile"}),
)
"""Units that one could be taken for another."""

QUALIFIERS_BEFORE = frozenset(_terms(_RAW["qualifiers_before"]))
QUALIFIERS_AFTER = frozenset(_terms(_RAW["qualifiers_after"]))
"""Words beside a value that limit or deny it."""

PLACEHOLDERS = frozenset(_terms(_RAW["placeholders"]))
"""What a model writes where it should have written null."""

COMPUTED = frozenset(_terms(_RAW["computed"]))
"""Words of fields whose values a model works out, so that they need not stand in the text."""

PROSE = frozenset(_terms(_RAW["prose"]))
"""Words of fields whose values a model words itself."""

CARRIED = frozenset(_terms(_RAW["carried"]))
"""Words of lines that carry a sum over to the next page, in a list of what it is made of."""

SET_ASIDE = frozenset(_terms(_RAW["set_aside"]))
"""With or without a tax, after a discount: words that set aside what stands behind them."""

ABOUT_ANY = frozenset(_terms(_RAW["about_any"])) | CURRENCIES.keys()
"""Words that narrow no label down."""

BEFORE_NAMES = frozenset(_terms(_RAW["before_names"]))
"""Words that stand before a name and are none of it."""

STEERING = tuple(term for terms in _RAW["steering"].values() for term in _terms(terms))
"""What a text says to the model that reads it, by its beginnings; `..` stands for some words of the
same sentence."""

PAPERS = frozenset(_terms(_RAW["papers"]))
"""Words that say what a paper is, or which of its pages; no name is made of them alone."""

SALUTATIONS = tuple(_terms(_RAW["salutations"]))
"""What letters begin with."""

DATE, AMOUNT, NAME, CODE, OTHER = "date", "amount", "name", "code", "other"
"""What kind of value a concept has: two of one kind may be taken for each other."""


@dataclass(frozen=True, slots=True)
class Concepts:
    """What labels mean: the concept that each term names, and the kind of each concept."""

    terms: Mapping[str, str]
    kinds: Mapping[str, str]


CONCEPTS = Concepts(
    _by_term({name: each["terms"] for name, each in _RAW["concepts"].items()}),
    {name: each["kind"] for name, each in _RAW["concepts"].items()},
)

GENERIC = frozenset({"date", "total"})
"""Concepts whose word says little: a narrower word in the same label says what is meant."""

ACCEPTED: Mapping[str, frozenset[str]] = {
    "date": frozenset({"date", "issue date"}),
    "issue date": frozenset({"date", "issue date"}),
    "start date": frozenset({"date", "start date"}),
    "total": frozenset({"total", "final total"}),
    "final total": frozenset({"total", "final total"}),
}
"""Which concepts a label may name, where it need not be the field's own."""

ISSUERS = frozenset({"seller"})
"""Whose name stands at the head of a paper."""
