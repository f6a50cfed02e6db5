"""Compare: answers beside the right ones, value by value. The producer has both, and this package
knows which forms are no difference.

In: a line of JSON for each answer, {"right": {...}, "said": {...} or null}. Out: a line for each,
{field: whether it is right}, with the fields of the right answer.
"""

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any, TextIO

from worker.run.verify.same import same


def fields(right: Mapping[str, Any], said: Mapping[str, Any] | None) -> dict[str, bool]:
    """Which fields of the right answer were said; without an answer none was."""
    return {name: said is not None and same(said.get(name), value) for name, value in right.items()}


def serve(lines: Iterable[str], sink: TextIO) -> int:
    """Compare one answer after the other until there are no more."""
    for line in lines:
        given = json.loads(line)
        sink.write(json.dumps(fields(given["right"], given["said"])) + "\n")
    return 0


def main() -> int:
    """Serve this process's own pipes."""
    return serve(sys.stdin, sys.stdout)
