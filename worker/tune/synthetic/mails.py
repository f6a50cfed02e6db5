"""Messages to a firm, to be sorted by what they want, who writes, in what mood, and what is to do.

A message is put together from lines of mails.yaml: some hold its aim, some hold nothing of it, and
an aside may sound like another aim. An aim has some thirty words, the plain one most often: with
one alone a model learns the word, and with ever new ones it learns nothing.
"""

from collections.abc import Mapping
from typing import Any

from worker.tune.synthetic.lot import Lot, table
from worker.tune.synthetic.question import Label, Question

MAIN = ("complaint", "question", "praise")
"""The aims that are most often told apart."""
SIDES = {"what": 45, "mood": 18, "state": 13, "who": 12, "do": 12}
"""What messages are sorted by, of a hundred. `state`: by mood, where there is any, else by aim."""
NEUTRAL = "neutral"
PLAIN = 0.3
"""Share of questions whose labels are all the plain words."""


def mail(lot: Lot) -> Question:
    """A message, and two to five labels that it is sorted by."""
    mails = table("mails")
    (side,) = lot.choices(list(SIDES), list(SIDES.values()))
    drawn = _aims(lot)
    text = _message(lot, mails["aims"][drawn[0]])
    plain = lot.odds(PLAIN)
    labels = [
        Label(words[0] if plain else lot.choice(words), lot.choice(says))
        for words, says in dict.fromkeys(_words(side, aim) for aim in drawn)
    ]
    name, key = lot.choice(mails["names"][side]), lot.choice(mails["keys"][side])
    return Question(name, key, labels, text, mails["asks"][side])


def _words(side: str, aim: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What an aim is called when messages are sorted so, and what that says of one."""
    of_aim = table("mails")["aims"][aim]
    mood = table("mails")["moods"][of_aim["mood"]]
    if side == "mood" or (side == "state" and of_aim["mood"] != NEUTRAL):
        return tuple(mood["words"]), tuple(mood["says"])
    return tuple(of_aim["what" if side == "state" else side]), tuple(of_aim["says"])


def _aims(lot: Lot) -> list[str]:
    """The main ones, or any, of two moods at least. The first is the message's own."""
    if lot.odds(0.6):
        return lot.some(MAIN, 2 if lot.odds(0.3) else 3, 3)
    drawn = lot.some(list(table("mails")["aims"]), 2, 4)
    if {"complaint", "praise"}.isdisjoint(drawn):
        drawn.insert(lot.randint(0, len(drawn)), lot.choice(("complaint", "praise")))
    return drawn


def _message(lot: Lot, aim: Mapping[str, Any]) -> str:
    """A head, an opening, what it is about, the aim in one to three lines, an aside, an end."""
    mails = table("mails")
    subject = lot.text(lot.choice(aim["subjects"] if lot.odds(0.6) else mails["subjects"]))
    core = lot.some(aim["core"], 1, lot.choice((1, 2, 2, 3)))
    lines = [line for line in core if line.isascii() == core[0].isascii()]
    if core[0].isascii() and lot.odds(0.45):
        lines.insert(0, lot.choice(mails["context"]))
    if core[0].isascii() and lot.odds(0.35):
        lines.insert(lot.randint(0, len(lines)), lot.choice(aim["asides"]))
    ends = (lot.choice(mails["openings"]), lot.choice(mails["closings"]))
    opening, closing = (end if lot.odds(0.35) else "" for end in ends)
    head = lot.choice(mails["heads"]) if lot.odds(0.4) else ""
    body = lot.choice((" ", " ", "\n")).join(lot.text(line) for line in lines)
    return lot.text(head, {"subject": subject}) + lot.text(opening) + body + lot.text(closing)
