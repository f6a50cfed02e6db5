"""What is asked of many texts: read once, not with every job."""

from collections.abc import Sequence

from worker.db import Database, Row
from worker.recent import Recent


def recent_asks(db: Database) -> Recent[int, Row]:
    """The asks that jobs were about lately, by id: `id`, `text`, `json_schema`, `checks`,
    `important`, `place`, `examples`, `prompt`."""

    async def load(ids: Sequence[int]) -> dict[int, Row]:
        return {row["id"]: row for row in await db.run("calls/asks", ids=ids)}

    return Recent(load)
