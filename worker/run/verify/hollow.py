"""Values that say nothing: punctuation, the form's own words, placeholders. Pure."""

from functools import lru_cache
from unicodedata import category

from models.reasons import FieldCode
from worker.run.verify.asked import Asked, words_of
from worker.run.verify.fold import folded
from worker.run.verify.lexicon import PLACEHOLDERS

_NAMES_OF_THINGS = frozenset({"name", "label", "key", "field", "title", "column", "heading"})
"""Fields whose values may be the names of others."""


SAYS_NOTHING = frozenset({FieldCode.EMPTY, FieldCode.FORM_WORDS})


def hollow(asked: Asked) -> FieldCode | None:
    """Why a value says nothing; None: it says something."""
    if not isinstance(asked.value, str):
        return None
    said = folded(asked.value).strip()
    if not _says_anything(said):
        return FieldCode.EMPTY
    if "enum" in asked.schema:
        return None
    return FieldCode.FORM_WORDS if _is_the_forms(said, asked) else None


def is_placeholder(value: str) -> bool:
    """Whether it is a word for "not said"."""
    return folded(value).strip(" .-()[]<>") in PLACEHOLDERS


@lru_cache(maxsize=4096)
def _says_anything(said: str) -> bool:
    """A letter, a digit, or a sign that means something by itself: of a currency, of a share."""
    return any(
        char.isalnum() or char in "%\u2030" or category(char) in ("Sc", "So", "Lo", "Nl", "No")
        for char in said
    )


def _is_the_forms(said: str, asked: Asked) -> bool:
    own = " ".join(asked.field.words)
    if len(said) > asked.form.longest + 2 * len(own) + len(asked.schema.get("description", "")):
        return False
    words = " ".join(words_of(said))
    if words and words == own:
        return True
    described = folded(str(asked.schema.get("description", ""))).strip()
    if " " in described and said == described:
        return True
    if not _NAMES_OF_THINGS.isdisjoint(asked.field.words):
        return False
    return words in asked.form.names or _is_a_neighbours_choice(said, asked)


def _is_a_neighbours_choice(said: str, asked: Asked) -> bool:
    """A word that another field's enum allows, unless the two fields are of one thing, as currency
    and amount_currency are."""
    return any(
        said in allowed and not set(words_of(name)) & set(asked.field.words)
        for name, allowed in asked.form.choices.items()
    )
