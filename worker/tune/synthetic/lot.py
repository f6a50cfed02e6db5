"""What is drawn: words, numbers, dates and sums, the same ones for the same seed."""

import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any, TypeVar

import yaml

T = TypeVar("T")

_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_SLOT = re.compile(r"\{(\w+)\}")

MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
HINDI_MONTHS = [
    "जनवरी",
    "फ़रवरी",
    "मार्च",
    "अप्रैल",
    "मई",
    "जून",
    "जुलाई",
    "अगस्त",
    "सितंबर",
    "अक्टूबर",
    "नवंबर",
    "दिसंबर",
]
SIGNS = ("Rs. {}", "₹{}", "₹ {}", "INR {}", "${}", "£{}", "€{}", "{} EUR", "USD {}", "RM {}", "{}")


@cache
def table(name: str) -> Any:
    """A YAML file of this folder."""
    return yaml.safe_load(resources.files(__package__).joinpath(f"{name}.yaml").read_bytes())


class Lot(random.Random):
    """A source of chance that knows the words of words.yaml."""

    def odds(self, share: float) -> bool:
        """True in so many of all cases."""
        return self.random() < share

    def some(self, among: Sequence[T], least: int, most: int) -> list[T]:
        """Between so many and so many of them, in any order."""
        return self.sample(among, min(len(among), self.randint(least, most)))

    def text(self, template: str, given: Mapping[str, str] | None = None) -> str:
        """A template with its choices made and its slots filled."""
        while (found := _CHOICE.search(template)) is not None:
            template = (
                template[: found.start()]
                + self.choice(found[1].split("|"))
                + template[found.end() :]
            )
        known = given or {}
        return _SLOT.sub(lambda slot: known.get(slot[1]) or self.word(slot[1]), template)

    def word(self, name: str) -> str:
        """What stands for a slot."""
        made: Mapping[str, Callable[[], str]] = {
            "n": lambda: str(self.randint(10, 60)),
            "m": lambda: str(self.randint(2, 9)),
            "money": self.money,
            "date": self.date,
            "code": self.code,
            "phone": self.phone,
        }
        found: str = made[name]() if name in made else self.choice(table("words")[name])
        return found

    def amount(self) -> float:
        """A sum, small ones more often than large ones."""
        return round(10 ** self.uniform(0.6, 5.3), self.choice((0, 2, 2, 2)))

    def money(self) -> str:
        """A sum with the sign of its currency, or without."""
        return self.choice(SIGNS).format(self.written(self.amount()))

    def written(self, amount: float) -> str:
        """A sum in figures: 1,234.50, 1234.50, 1,23,456.00 or 1.234,50."""
        cents = "" if amount == int(amount) and self.odds(0.5) else ".2f"
        match self.randint(0, 9):
            case 0 | 1 | 2:
                return f"{amount:{cents or '.0f'}}"
            case 3 | 4:
                return indian(amount, bool(cents))
            case 5 if cents:
                return f"{amount:,.2f}".translate(str.maketrans(",.", ".,"))
            case _:
                return f"{amount:,{cents or '.0f'}}"

    def date(self) -> str:
        """A day of these years in one of the usual forms."""
        day, month, year = self.randint(1, 28), self.randint(1, 12), self.randint(2014, 2029)
        name = MONTHS[month - 1]
        forms = (
            f"{day} {name} {year}",
            f"{name} {day}, {year}",
            f"{day:02}/{month:02}/{year}",
            f"{day:02}-{month:02}-{year}",
            f"{day:02}.{month:02}.{year}",
            f"{year}-{month:02}-{day:02}",
            f"{day} {name[:3]} {year}",
            f"{day:02}-{name[:3]}-{year}",
            f"{month}/{day}/{year}",
            f"{day:02}/{month:02}/{year % 100:02}",
            f"the {ordinal(day)} of {name} {year}",
            f"{ordinal(day)} {name} {year}",
        )
        return self.choice(forms)

    def hindi_date(self) -> str:
        """A day as a Hindi text has it."""
        month, year = self.randint(1, 12), self.randint(2014, 2029)
        return f"{self.randint(1, 28)} {HINDI_MONTHS[month - 1]} {year}"

    def letters(self, least: int, most: int) -> str:
        """Capital letters."""
        return "".join(self.choices("ABCDEFGHJKLMNPQRSTUVWXYZ", k=self.randint(least, most)))

    def digits(self, least: int, most: int) -> str:
        """Digits, the first of them not 0."""
        return str(self.randint(1, 9)) + "".join(
            self.choices("0123456789", k=self.randint(least, most) - 1)
        )

    def code(self) -> str:
        """A number as invoices, orders and files have it."""
        forms = (
            lambda: f"{self.letters(1, 4)}-{self.digits(3, 6)}",
            lambda: f"{self.letters(1, 3)}{self.digits(4, 8)}",
            lambda: self.digits(4, 9),
            lambda: (
                f"{self.letters(2, 4)}/{self.randint(14, 29)}-{self.randint(14, 29)}/"
                f"{self.digits(2, 4)}"
            ),
            lambda: f"#{self.digits(3, 6)}",
            lambda: f"{self.randint(2014, 2029)}/{self.digits(2, 4)}",
            lambda: f"{self.letters(2, 3)}-{self.letters(2, 2)}-{self.digits(5, 7)}",
        )
        return self.choice(forms)()

    def phone(self) -> str:
        """A number that one calls."""
        forms = (
            f"+91 {self.digits(5, 5)} {self.digits(5, 5)}",
            f"0{self.digits(2, 3)}-{self.digits(6, 7)}",
            f"0{self.digits(4, 4)} {self.digits(6, 6)}",
            f"({self.digits(3, 3)}) 555-{self.digits(4, 4)}",
        )
        return self.choice(forms)

    def firm(self) -> str:
        """A firm's name."""
        words = table("words")
        stem = self.choice(words["firm"])
        if self.odds(0.6):
            stem = f"{self.choice(words['stem'])}{self.choice(('', '', ' ', ' & '))}"
            stem = f"{stem.rstrip(' &')} {self.choice(words['trade'])}"
        return f"{stem}{self.choice(FORMS)}"

    def person(self) -> str:
        """A person's name."""
        given = self.choice(table("words")["name"]).split()[0]
        family = self.choice(table("words")["name"]).split()[1]
        return self.choice((f"{given} {family}", f"{given[0]}. {family}", f"{given} {family}"))

    def address(self) -> list[str]:
        """The lines of an address."""
        street = self.choice(table("words")["street"])
        city, code = self.choice(table("words")["city"]), self.digits(5, 6)
        first = self.choice(
            (f"{self.randint(1, 240)} {street}", f"No. {self.randint(1, 99)}, {street}")
        )
        middle = [self.choice(QUARTERS)] if self.odds(0.5) else []
        last = self.choice((f"{city} {code}", f"{code} {city}", f"{city} - {code}"))
        return [first, *middle, last]


FORMS = ("", "", "", " Ltd", " Pvt. Ltd.", " LLP", " Inc.", " GmbH", " Private Limited", " & Co.")
QUARTERS = (
    "Industrial Estate", "Old Town", "Sector 14", "2nd Floor, Rose Plaza", "Near Bus Stand",
    "West End", "Block C", "Civil Lines", "Riverside", "Unit 5, Trade Centre", "Lower Hill",
)  # fmt: skip


def indian(amount: float, cents: bool) -> str:
    """1234567.5 as 12,34,567.50."""
    whole, _, rest = f"{amount:.2f}".partition(".")
    head, tail = whole[:-3], whole[-3:]
    groups = re.findall(r"\d{1,2}", head[::-1])
    grouped = ",".join([group[::-1] for group in reversed(groups)] + [tail]) if head else tail
    return f"{grouped}.{rest}" if cents else grouped


def ordinal(day: int) -> str:
    """1st, 2nd, 3rd, 4th."""
    ends = {1: "st", 2: "nd", 3: "rd"}
    return f"{day}{'th' if 10 < day < 14 else ends.get(day % 10, 'th')}"


def listed(words: Iterable[str], last: str = "and") -> str:
    """a, b and c."""
    *most, end = words
    return f"{', '.join(most)} {last} {end}" if most else end
