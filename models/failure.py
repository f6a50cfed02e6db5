"""Why something could not be done, as one value that both doors show."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Failure:
    """A typed failure: what kind, in which phase, whether another try can help, in words."""

    category: str
    phase: str
    retryable: bool
    message: str

    def as_json(self) -> dict[str, Any]:
        """The object that stands in the database and in the results."""
        return asdict(self)
