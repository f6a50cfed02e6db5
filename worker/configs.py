"""The configurations that this process works by: the current one, and those of older batches."""

from collections.abc import Sequence

from models.config import Config
from models.config_file import checked_config
from worker.db import Database
from worker.recent import Recent


class Configs:
    """Configurations by number, read once each: none of them ever changes."""

    def __init__(self, db: Database, number: int, current: Config) -> None:
        self._db = db
        self.number = number
        self.current = current
        """The newest one, as of the last `look`."""
        self._known: Recent[int, Config] = Recent(self._load)

    async def of(self, number: int) -> Config:
        """The configuration of that number."""
        if number == self.number:
            return self.current
        return (await self._known.of({number}))[number]

    async def _load(self, numbers: Sequence[int]) -> dict[int, Config]:
        found = {}
        for number in numbers:
            [row] = await self._db.run("flow/configuration", number=number)
            found[number] = checked_config(row["settings"], f"configuration {number}")
        return found

    async def look(self) -> bool:
        """Whether there is a new one; then it is the current one."""
        [row] = await self._db.run("flow/configuration", number=None)
        if row["id"] == self.number:
            return False
        self.current = checked_config(row["settings"], f"configuration {row['id']}")
        self.number = row["id"]
        return True
