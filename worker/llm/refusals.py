"""What models did not take of a request: learnt from their refusals, once.

The schema stands in the prompt as well, so leaving it out of the request loses a guard and not the
instruction.
"""

import hashlib

from worker.jsonb import canonical
from worker.llm.engine import Request

MOST = 10_000
"""Refusals that are remembered; each schema is one. All are forgotten beyond, and learnt anew."""


class Refusals:
    """Per model, the parts of a request that it refused, for as long as its engine lives."""

    def __init__(self) -> None:
        self._seen: set[tuple[str, str]] = set()

    def __len__(self) -> int:
        return len(self._seen)

    def add(self, request: Request, what: str | None) -> bool:
        """The model of this request does not take this part of it; None: that is not known. Whether
        that is news: a body built anew leaves it out, and asking again makes sense."""
        if what is None:
            return False
        if len(self._seen) >= MOST:
            self._seen.clear()
        self._seen.add((request.model_name, what))
        return True

    def holds(self, request: Request, what: str) -> bool:
        """Whether the model of this request has refused such a part."""
        return (request.model_name, what) in self._seen

    def holds_schema(self, request: Request, field: str) -> bool:
        """Whether it has refused this very schema, or the `field` of any."""
        if not self._seen:
            return False
        return self.holds(request, field) or self.holds(request, schema_key(request))


def schema_key(request: Request) -> str:
    """Stands for the schema of a request: a model that refuses one may take others."""
    return hashlib.sha256(canonical(request.schema)).hexdigest()
