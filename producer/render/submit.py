"""What a submit came to."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from models.terminal import one_line
from producer.render.terminal import Terminal, console, counted
from producer.sentences import interrupted

if TYPE_CHECKING:
    from producer.places import Refused
    from producer.submit import Submitted

MOST_NAMED = 20
"""What was refused at submit, by name."""


def submitted(result: "Submitted") -> None:
    """What became of a submit."""
    for source in result.refused[:MOST_NAMED]:
        refused(source)
    if len(result.refused) > MOST_NAMED:
        more = Counter(source.category for source in result.refused[MOST_NAMED:])
        listed = ", ".join(f"{n} {category}" for category, n in more.most_common())
        _complain(f"... and {more.total()} more refused ({listed}); --json names all")
    if result.locked:
        passwords = f"{counted(result.locked, 'document')} opened by no password that was given"
        _complain(f"{passwords}: `docmill documents {result.batch} --state needs_password`")
    if result.batch is None:
        _complain(f"nothing was submitted: all of {len(result.refused)} were refused")
        return
    console.print(
        f"batch [bold]{result.batch}[/]: {counted(result.documents, 'document')} submitted"
        + (f", {len(result.refused)} refused" if result.refused else "")
    )
    if result.accept is not None:
        console.print(f"accept: {result.accept.sentence()}", highlight=False)
    console.print(f"follow it with: docmill watch {result.batch}", style="dim")


@contextmanager
def storing(wanted: bool) -> Iterator[Callable[["Submitted"], None]]:
    """What tells a terminal how far a submit is, in a line that goes when it ends."""
    if not wanted:
        yield lambda _: None
        return
    aside = Terminal(emoji=False, stderr=True)
    with aside.status("looking at the documents ...") as line:
        yield lambda so_far: line.update(
            f"batch {so_far.batch}: {so_far.documents:,} documents stored, "
            f"{len(so_far.refused):,} refused ..."
        )


def refused(source: "Refused") -> None:
    """One thing that could not be used."""
    _complain(f"refused ({source.category}) {source.message}")


def broken_off(result: "Submitted", paths: str) -> None:
    """What a submit had stored when it was broken off, and how it goes on."""
    if result.broke_off and len(result.refused) > MOST_NAMED:
        refused(result.refused[-1])
    if result.batch is not None:
        _complain(f"batch {result.batch}: {interrupted(result.batch, result.documents, paths)}")


def _complain(text: str) -> None:
    sys.stderr.write(f"{one_line(text)}\n")
