"""How far a batch is, drawn again and again."""

from collections.abc import Mapping
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress
from rich.table import Column

from producer import render
from producer.deadline import eta

Row = Mapping[str, Any]

BAR_WIDTH = 20
"""Leaves room for numbers and a note on 80 columns."""


class Progress:
    """A bar per stage, kept up to date; above them, what there is to be said, once each."""

    def __init__(self) -> None:
        self._bars = RichProgress(
            TextColumn("{task.description:<8}"),
            BarColumn(bar_width=BAR_WIDTH),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}", table_column=Column(ratio=1)),
            TimeElapsedColumn(),
            console=render.console,
            expand=True,
        )
        self._tasks = {
            stage: self._bars.add_task(stage, total=None, note="")
            for stage in ("ingest", "classify", "run")
        }
        self._said: frozenset[str] = frozenset()

    def __enter__(self) -> "Progress":
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def show(self, found: Row, stages: Row, notes: Mapping[str, str]) -> None:
        """Draw one look at the batch. A note is printed when what it is about is new, or again."""
        self._say(notes)
        documents = found["documents"]
        unread = documents.get("pending", 0) + documents.get("running", 0)
        total = sum(documents.values())
        self._update("ingest", total - unread, total, "documents")
        jobs = stages["total"]
        self._update("classify", jobs - stages["to_classify"], jobs, "jobs")
        note = (
            f"local {stages['local_running']} running, {stages['local_ready']} waiting; "
            f"frontier {stages['frontier_running']} running, {stages['frontier_ready']} waiting; "
            f"eta {eta(documents, stages)}"
            if stages["ended"] < jobs
            else "jobs"
        )
        self._update("run", stages["ended"], jobs, note)

    def _say(self, notes: Mapping[str, str]) -> None:
        for subject, line in notes.items():
            if subject not in self._said:
                render.note(line)
        self._said = frozenset(notes)

    def _update(self, stage: str, done: int, total: int, note: str) -> None:
        self._bars.update(self._tasks[stage], completed=done, total=total, note=note)
