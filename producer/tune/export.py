"""Export: gold as pairs of prompt and completion, for any trainer.

The prompts are what workers send, made by the worker's own code. Only rows that may be trained on
leave: nothing of a held document, under whatever name it was added again.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.configuration import applied
from models.errors import InputError
from models.resolve import refuse_places
from models.words import Split
from producer import gold
from producer.processes import piped_through_worker
from producer.query import every
from producer.tune.terms import forbidding

FEWEST = 100
"""Rows from which on a training is worth its time: half a thousand are better."""

PAIRS, CHATML, MANIFEST = "pairs.jsonl", "chatml.jsonl", "manifest.json"

WHY = {
    "too_long": "do not fit into one prompt with their answer",
    "too_wide": "have more fields than one answer holds, and are asked in several",
}


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the user lets through that is refused otherwise."""

    fewest: int = FEWEST
    provider_labels: bool = False
    leave_out: bool = False
    """Rows that no single prompt asks for are left out, and counted."""


def export(
    name: str, place: str, folder: Path, allowed: Allowed, examples: bool | None = None
) -> dict[str, Any]:
    """Write the rows of a gold set that may be trained on as pairs for ENGINE/MODEL, and a
    manifest, which is returned. `examples`: whether prompts carry them; None: as docmill.toml says.

    Raises NotFound, InputError where there is nothing to train on, or something that must not be.
    """
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder} is not empty; name a folder that is new")
    refuse_places([place], applied().config)
    rows = list(gold.rows_of(name, Split.TRAIN))
    refuse_few(len(rows), name, allowed)
    refuse_terms(rows, allowed)
    refuse_leaks(every("gold_held_twins", name=name))
    asked, *answers = _asked(place, examples, rows)
    left_out = Counter(answer["left_out"] for answer in answers if "left_out" in answer)
    refuse_unasked(left_out, len(rows), asked["context_tokens"], allowed)
    pairs = [answer for answer in answers if "left_out" not in answer]
    refuse_few(len(pairs), name, allowed)
    return _write(folder, pairs, {
        "gold": name,
        "model": place,
        **asked,
        "rows": len(pairs),
        "left_out": dict(left_out),
        "tasks": Counter(row["task"] for row in rows),
        "licences": sorted({row["licence"] for row in rows}),
        "labels_of": sorted({row["model"] for row in rows if row["model"]}),
        "provider_labels_allowed": allowed.provider_labels,
    })  # fmt: skip


def _asked(
    place: str, examples: bool | None, rows: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """How the worker would ask, and what of each row."""
    lines = [json.dumps({"model": place, "examples": examples})]
    for row in rows:
        value = row.get("fields") or {"label": row["label"]}
        asked = {key: row[key] for key in ("task", "ask", "schema", "text")}
        lines.append(json.dumps({**asked, "value": value}))
    return [json.loads(line) for line in piped_through_worker("pairs", lines=lines)]


def refuse_few(rows: int, name: str, allowed: Allowed) -> None:
    """Raises InputError where there are too few rows to learn from."""
    if rows < allowed.fewest:
        raise InputError(
            f"gold set {name} has {rows} rows that may be trained on, {allowed.fewest} are needed: "
            "correct and add more (`docmill review`, `docmill gold add`), or say --at-least N"
        )


def refuse_terms(rows: Iterable[Mapping[str, Any]], allowed: Allowed) -> None:
    """Raises InputError where labels are answers of a provider whose terms forbid to train on
    them."""
    found = Counter(row["model"] for row in rows if forbidding(row["model"]))
    if found and not allowed.provider_labels:
        listed = ", ".join(
            f"{count} of {model} ({forbidding(model)})" for model, count in found.most_common()
        )
        raise InputError(
            f"labels that are answers of providers whose terms forbid to train on them: {listed}. "
            "Label these by a model in the building or by hand; --allow-provider-labels says that "
            "your contract allows it"
        )


def refuse_leaks(twins: Sequence[Mapping[str, Any]]) -> None:
    """Raises InputError where rows are of documents that models are measured on."""
    if twins:
        named = ", ".join(dict.fromkeys(str(row["source"]) for row in twins[:3]))
        raise InputError(
            f"{len(twins)} rows say the same as held ones, which models are measured on: {named}"
            f"{', ...' if len(twins) > 3 else ''}. The same text was added under another document: "
            "remove that set (`docmill gold remove`) and add it without `document`"
        )


def refuse_unasked(
    left_out: Mapping[str, int], rows: int, context_tokens: int, allowed: Allowed
) -> None:
    """Raises InputError where rows are asked in no single prompt."""
    if left_out and not allowed.leave_out:
        listed = "; ".join(f"{count} of {rows} {WHY[why]}" for why, count in left_out.items())
        raise InputError(
            f"{listed} (window: {context_tokens:,} tokens). Add them to gold by chunk, raise "
            "context_tokens, or say --leave-out"
        )


def _write(
    folder: Path, pairs: Sequence[Mapping[str, Any]], manifest: dict[str, Any]
) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    made = {
        PAIRS: _lines(_prompt_completion(each) for each in pairs),
        CHATML: _lines(_chatml(each) for each in pairs),
    }
    for name, data in made.items():
        (folder / name).write_bytes(data)
    manifest["files"] = {name: hashlib.sha256(data).hexdigest() for name, data in made.items()}
    manifest["data_hash"] = manifest["files"][PAIRS]
    text = json.dumps(manifest, ensure_ascii=False, indent=2) + "\n"
    (folder / MANIFEST).write_text(text, "utf-8")
    return manifest


def _lines(rows: Iterator[Any]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _prompt_completion(pair: Mapping[str, Any]) -> dict[str, Any]:
    return {"prompt": pair["messages"], "completion": [_answer(pair)]}


def _chatml(pair: Mapping[str, Any]) -> dict[str, Any]:
    return {"messages": [*pair["messages"], _answer(pair)]}


def _answer(pair: Mapping[str, Any]) -> dict[str, str]:
    return {"role": "assistant", "content": pair["completion"]}
