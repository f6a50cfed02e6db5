"""Rates of models by script, kept in Postgres: what one worker learns all go by, also those that
only read documents."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import psycopg

from worker.db import Database, Row, fetch
from worker.jsonb import as_json
from worker.rates import Rate, RateBook
from worker.tokens import Script

LOOK_S = 5.0


class KeptRates:
    """A process's book of rates, and the table behind it."""

    def __init__(self, db: Database, book: RateBook) -> None:
        self._db = db
        self._book = book

    async def run(self) -> None:
        """Read and write, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            await self.look()

    async def look(self) -> None:
        """Take over what others have learnt, and write down what was learnt here."""
        models = list(self._book.models)
        if not models:
            return
        stored = _by_model(await self._db.run("calls/rates", models=models))
        news = [
            row
            for model in models
            for row in _rows(model, self._book.of(model).told(stored.get(model, {})))
        ]
        if news:
            await self._db.run("calls/keep_rates", rows=as_json(news))


def stored_rates(connection: "psycopg.Connection[Row]", models: Sequence[str]) -> RateBook:
    """What is known of these models, for a command."""
    book = RateBook()
    stored = _by_model(fetch(connection, "calls/rates", models=list(models)))
    for model in models:
        book.of(model).told(stored.get(model, {}))
    return book


def _by_model(rows: Sequence[Row]) -> dict[str, dict[Script, Rate]]:
    found: dict[str, dict[Script, Rate]] = {}
    for row in rows:
        rate = Rate(row["mean"], row["sd"], row["cut"])
        found.setdefault(row["model"], {})[Script(row["script"])] = rate
    return found


def _rows(model: str, rates: Mapping[Script, Rate]) -> Iterator[dict[str, Any]]:
    for script, rate in rates.items():
        yield {"model": model, "script": script, "mean": rate.mean, "sd": rate.sd, "cut": rate.cut}
