"""Which kinds of documents are read, and by what."""

import json
from io import StringIO
from typing import Any

from rich.console import Console
from rich.table import Table

from models.kinds import CONTAINERS, KINDS, Kind
from worker.read.readers import READERS


def formats(*, as_json: bool) -> str:
    """The list that `docmill formats` prints."""
    if as_json:
        return json.dumps([_row(kind) for kind in (*KINDS, *CONTAINERS)], ensure_ascii=False) + "\n"
    table = Table("kind", "usual endings", "read by", box=None, header_style="bold")
    for kind in (*KINDS, *CONTAINERS):
        row = _row(kind)
        table.add_row(
            kind.name, " ".join(kind.endings), row["read_by"] or "each file in it is read"
        )
    console = Console(file=StringIO(), width=100)
    with console.capture() as capture:
        console.print(table)
    lines = [line.rstrip() for line in capture.get().splitlines()]
    return "\n".join([*lines, "", "A kind is told by what is in a file, not by its name."]) + "\n"


def _row(kind: Kind) -> dict[str, Any]:
    reader = READERS.get(kind.media_type)
    return {
        "name": kind.name,
        "media_type": kind.media_type,
        "endings": list(kind.endings),
        "read_by": reader.by if reader else None,
    }
