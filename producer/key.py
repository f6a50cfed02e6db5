"""A key: what is right of some documents, by which the demo counts what came out right."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from models.shares import Share
from producer.processes import piped_through_worker

Key = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""By ask, then by document: the right answer."""


@dataclass(frozen=True, slots=True)
class Counted:
    """How much of the answers to one ask is right: values, each field by itself."""

    ask: str
    right: Share


def load_key(path: Path) -> Key:
    """The key of a file of ours."""
    key: Key = yaml.safe_load(path.read_text("utf-8"))
    return key


def counted(key: Key, results: Iterable[Mapping[str, Any]]) -> list[Counted]:
    """How many values are right, ask by ask in the order of the key. What was not answered is
    wrong."""
    said = {(row["ask"], _name(row["document"])): row["value"] for row in results}
    wanted = [
        (ask, right, said.get((ask, document)))
        for ask, documents in key.items()
        for document, right in documents.items()
    ]
    lines = (json.dumps({"right": right, "said": found}) for _, right, found in wanted)
    rights: dict[str, list[bool]] = defaultdict(list)
    compared = piped_through_worker("compare", lines=lines)
    for (ask, _, _), fields in zip(wanted, compared, strict=True):
        rights[ask] += json.loads(fields).values()
    return [Counted(ask, Share(sum(found), len(found))) for ask, found in rights.items()]


def side_by_side(tuned: Iterable[Counted], bare: Iterable[Counted]) -> str:
    """Both in one line: "mail type 11 of 11 (without it 4), ..."."""
    without = {one.ask: one.right.hits for one in bare}
    said = (
        f"{one.ask} {one.right.hits} of {one.right.n}"
        + (f" (without it {without[one.ask]})" if one.ask in without else "")
        for one in tuned
    )
    return ", ".join(said)


def _name(document: str) -> str:
    """A document's name without its folder."""
    return document.rpartition("/")[2]
