"""One value before the rules, with what they look at. Each is found once, when a rule asks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from models.words import TaskType
from worker.run.rows import Rows
from worker.run.verify.asked import Asked
from worker.run.verify.beside import rest_of_address, rest_of_code, rest_of_name
from worker.run.verify.labels import strength_of
from worker.run.verify.lexicon import ACCEPTED, AMOUNT, CODE, CURRENCIES, DATE, NAME
from worker.run.verify.rivals import Rival, Wanted, rivals_of
from worker.run.verify.spots import Spot, Value, spots_of, value_of
from worker.run.verify.view import View

_MOST_PLACES = 40
"""Places of a value whose labels are looked at."""

_AROUND = 20
"""Characters before and behind a place that show what it is in."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A place where a value stands as itself. `strength`: as labels.strength_of has it."""

    spot: Spot
    label: str
    strength: int


@dataclass(frozen=True)
class Case:
    """One value of an answer and the text that it was taken from."""

    task: TaskType
    asked: Asked
    view: View
    items: Mapping[str, Sequence["Case"]] = field(default_factory=dict)
    """The values of each object of a list, by its path."""
    shown: frozenset[str] = frozenset()
    """What the examples said that the model was shown, beside those of the task's prompt."""
    rows: Rows | None = None
    """Where the objects of its answer's lists stand."""

    @property
    def given(self) -> bool:
        """Whether there is a value at all."""
        value = self.asked.value
        return value is not None and (not isinstance(value, str) or bool(value.strip()))

    @cached_property
    def value(self) -> Value:
        """The value in the forms in which it can be compared."""
        return value_of(self.asked)

    @cached_property
    def spots(self) -> list[Spot]:
        """Every place where it stands, doubtful ones last."""
        return spots_of(self.value, self.asked, self.view)

    @cached_property
    def clear(self) -> list[Spot]:
        """Those where it is whole, and itself."""
        return [spot for spot in self.spots if spot.doubt is None and self.rest(spot) is None]

    def rest(self, spot: Spot) -> str | None:
        """What more belongs to it at one of them."""
        if spot.inside:
            return self.around(spot)
        if not self.value.is_text or self.value.said in CURRENCIES:
            return None
        label = self.asked.field.label
        if self.is_code:
            return rest_of_code(self.view, spot.start, spot.end, label)
        if self.asked.field.concept == "address":
            return rest_of_address(self.view, spot.start, spot.end)
        return rest_of_name(self.view, spot.start, spot.end, label)

    @cached_property
    def is_code(self) -> bool:
        """Whether it is a number of something: its field says so, or half of it is digits."""
        if self.kind in (CODE, NAME) or self.asked.field.concept == "address":
            return self.kind == CODE
        signs = [char for char in self.value.said if char.isalnum()]
        return 2 * sum(map(str.isdigit, signs)) >= len(signs)

    def around(self, spot: Spot) -> str:
        """The text that it stands in."""
        return self.view.text[max(spot.start - _AROUND, 0) : spot.end + _AROUND]

    @cached_property
    def kind(self) -> str | None:
        """What kind of value was asked for, or else what this one is."""
        known = self.asked.field.kind
        if known is not None or not self.given:
            return known
        if self.value.date is not None:
            return DATE
        return AMOUNT if self.value.number is not None else None

    @cached_property
    def accepted(self) -> frozenset[str]:
        """The concepts that its label may name."""
        concept = self.asked.field.concept
        return ACCEPTED.get(concept, frozenset({concept})) if concept else frozenset()

    def strength(self, label: str) -> int:
        """How well a label fits the field. One whose name says nothing has no other's label."""
        found = strength_of(label, self.asked.field.label, self.accepted, self.kind)
        return found if self.asked.field.kind is not None else max(found, 0)

    @cached_property
    def standings(self) -> list[Standing]:
        """The clear places with their labels, the best first."""
        found = []
        for spot in self.clear[:_MOST_PLACES]:
            label = self.view.label(spot.start)
            found.append(Standing(spot, label, self.strength(label)))
        return sorted(found, key=lambda one: -one.strength)

    @property
    def best(self) -> Standing:
        """The clear place with the best label."""
        return self.standings[0]

    @cached_property
    def rivals(self) -> list[Rival]:
        """Other values beside the field's label, the best first."""
        value = self.value if self.given else None
        places = [one.spot for one in self.standings] if self.given else []
        own = [(spot.start, spot.end) for spot in places]
        wanted = Wanted(value, self.kind, self.asked.field.label, self.accepted, own)
        found = [rival for rival in rivals_of(wanted, self.view) if rival.strength > 0]
        return sorted(found, key=lambda one: -one.strength)
