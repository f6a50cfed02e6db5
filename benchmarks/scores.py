"""How well scores of values rank errors and what they accept, and the scores that ship."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from models.scores import Scores, made
from models.words import Split, split_of
from worker.run.figures import Figures, figures
from worker.run.fit import Ruled, calibrated, fit, measured
from worker.run.score import FIELD

SHIPPED = Path(str(resources.files("models").joinpath("scores.json")))

LICENCES = re.compile(r"\b(?:CC BY \d|CC0|MIT|Apache-2\.0)\b")
"""Licences whose data may calibrate what ships."""

ABOUT = {
    "documents": "120 receipts (SROIE); for each value a right answer and a wrong one made by "
    "rule, so that half are wrong",
    "licence": "CC BY 4.0, as its publisher is remembered to say. Agreements whose annotations "
    "come without a licence were left out. These are counts and weights; no text, no answer.",
}


def may_ship(row: Mapping[str, Any]) -> bool:
    """Whether a public document's licence lets what is made of it come with the product."""
    said = row.get("licence", "")
    return bool(LICENCES.search(said)) and "no licence" not in said


def ship(values: Iterable[Ruled]) -> Scores:
    """Write the scores that come with the product: fitted on documents to train on, calibrated on
    those that are held. A field's own name is worth nothing to strangers."""
    sides: dict[Split, list[Ruled]] = {side: [] for side in Split}
    for value in values:
        sides[split_of(value.document)].append(without_names(value))
    weights = fit(sides[Split.TRAIN], {})
    scores = made(weights, calibrated(weights, sides[Split.HELD]), ABOUT)
    SHIPPED.write_text(json.dumps(scores.as_json(), indent=1) + "\n", "utf-8")
    return scores


def without_names(value: Ruled) -> Ruled:
    """A value without the feature of its field's name."""
    general = tuple(each for each in value.features if not each.startswith(FIELD))
    return Ruled(value.document, general, value.right)


def show(title: str, values: Sequence[Ruled], taught: Sequence[Ruled] | None = None) -> Figures:
    """Print what scores do with values whose documents they have not seen; `taught`: the values
    that they were fitted on and calibrated with, where those are others."""
    found = figures(list(measured(values, {}, taught)))
    table = Table("figure", "value (95 % interval)", title=title)
    for name, value in found.told():
        table.add_row(name, value)
    Console(width=110).print(table)
    return found
