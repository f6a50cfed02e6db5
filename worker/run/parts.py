"""A document too long for one prompt is asked in parts, and the parts are put together."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from models.words import TaskType
from worker.run.ground import Source
from worker.tokens import estimate

SEPARATOR = "\n\n"


def windows(pieces: Sequence[Source], budget_tokens: int) -> list[list[Source]]:
    """Neighbouring pieces in groups of at most `budget_tokens`; a larger piece stands alone."""
    groups: list[list[Source]] = []
    room = 0
    for piece in pieces:
        tokens = estimate(piece.text)
        if not groups or tokens > room:
            groups.append([])
            room = budget_tokens
        groups[-1].append(piece)
        room -= tokens
    return groups


def text_of(group: Sequence[Source]) -> str:
    """The prompt text of a group."""
    return SEPARATOR.join(piece.text for piece in group)


def merge(task: TaskType, parts: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Put partial answers together where that needs no engine; None where it does.

    Extraction takes the first value that some part found for each field and joins lists; a label
    is the one that most parts chose.
    """
    match task:
        case TaskType.EXTRACTION:
            return _first_found(parts)
        case TaskType.CLASSIFICATION:
            most = Counter(json.dumps(part, sort_keys=True) for part in parts).most_common(1)
            chosen: dict[str, Any] = json.loads(most[0][0])
            return chosen
        case _:
            return None


def _first_found(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for part in parts:
        for key, value in part.items():
            known = merged.get(key)
            if isinstance(known, list) and isinstance(value, list):
                merged[key] = known + [item for item in value if item not in known]
            elif known in (None, "", []):
                merged[key] = value
    return merged


def partial_answers(parts: Sequence[Mapping[str, Any]]) -> str:
    """The text of the last prompt: what was found part by part."""
    lines = (
        f"Part {number}: " + "; ".join(str(value) for value in part.values())
        for number, part in enumerate(parts, start=1)
    )
    return "\n".join(lines)
