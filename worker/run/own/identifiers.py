"""Numbers that carry their own proof: IBAN, GSTIN, PAN and the like, by python-stdnum. Pure."""

from functools import lru_cache
from importlib import import_module

from models.checks import NUMBER_KINDS

_LONGEST = 64
"""Characters of a number, with what parts its digits."""


@lru_cache(maxsize=4096)
def is_valid(kind: str, number: str) -> bool:
    """Whether it is a number of a kind of NUMBER_KINDS: form and check digits. Spaces, hyphens and
    small letters are no difference."""
    if len(number) > _LONGEST:
        return False
    plain = "".join(char for char in number if char.isalnum())
    module = import_module(f"stdnum.{NUMBER_KINDS[kind]}")
    return bool(module.is_valid(plain.upper()))
