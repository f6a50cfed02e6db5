"""The replies of a batch: a file with a line for each, which may be larger than memory."""

import json
import re
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from typing import Any

from worker.llm.batches import Reply
from worker.llm.bodies import object_in
from worker.llm.engine import Completion, EngineError, Trouble
from worker.llm.lines import Lines


async def lines_of(pieces: AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
    """The lines of a file that comes in pieces, without empty ones."""
    lines = Lines()
    async for piece in pieces:
        for line in lines.feed(piece):
            if line.strip():
                yield line
    if (line := lines.rest()).strip():
        yield line


def reply_in(
    line: bytes,
    key: str,
    read: Callable[[dict[str, Any]], Completion],
    where: str,
    secret: str = "",
    check: str = "check base_url",
) -> Reply | None:
    """What became of the request that a line names under this key; None: it names none. `read`:
    its completion, from the line's JSON. Raises EngineError where it is no API's at all, but a
    page, and `check` says what to do about it."""
    try:
        said = object_in(line, where, secret, check)
    except EngineError as exc:
        if exc.trouble is Trouble.MISCONFIGURED:
            raise
        name = _name_in(line, key)
        return None if name is None else Reply(name, exc)
    name = said.get(key)
    if not isinstance(name, str) or not name:
        return None
    try:
        return Reply(name, read(said))
    except EngineError as exc:
        return Reply(name, exc)


def _name_in(line: bytes, key: str) -> str | None:
    """The name in a line that was cut off or spoilt."""
    found = re.search(rb'"%b"\s*:\s*("(?:[^"\\]|\\.){1,512}")' % re.escape(key.encode()), line)
    try:
        return None if found is None else str(json.loads(found[1]))
    except ValueError:
        return None
