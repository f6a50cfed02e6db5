"""Pairs: the prompts that workers send, with the right answers, for a model to be tuned on.

The producer has gold and sends it here: only this package knows what a model is asked. In: a line
of JSON with what they are for, {"model": "ENGINE/MODEL", "examples": null, true or false}, then one
for each row, {"task", "ask", "schema", "text", "value"}. Out: a line with how the model is asked
({"context_tokens", "kind", "examples", "asked", "versions"}), then one for each row: {"messages",
"completion"}, or {"left_out": why}.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO
from uuid import uuid4

from models.config import Config
from models.configuration import applied, own_config
from models.database import database_url
from models.engines import EmbeddedConfig, ModelLimits, tuned_name
from models.resolve import refuse_places
from models.settings import settings
from models.words import SEPARATOR, Scope, TaskType
from worker.calls.access import EngineAccess
from worker.calls.admission import Unlimited
from worker.calls.journal import Journal
from worker.calls.ledger import Ledger, new_call_id
from worker.calls.prices import PriceBook
from worker.calls.reservations import Reservations
from worker.calls.traits import KnownTraits
from worker.db import Database
from worker.deployment import Deployment, deploy
from worker.llm.engine import EngineError, Request
from worker.prompts import prompt
from worker.route import Facts, Place, frontier_model
from worker.run.ground import Source
from worker.run.job import Job
from worker.run.run import first_request
from worker.run.wide import groups
from worker.tokens import estimate

UNTRAINED = tuned_name("0" * 64)
"""What the embedded model is asked as with an adapter that is yet to be trained."""

TOO_LONG, TOO_WIDE = "too_long", "too_wide"
PROBED, ASSUMED = "probed", "assumed"


@dataclass(frozen=True, slots=True)
class Way:
    """How a model is asked."""

    access: EngineAccess
    config: Config
    model: str
    asked: str
    """probed: as its engine takes prompts; assumed: it does not answer, so as one that does what it
    is told."""

    @property
    def examples(self) -> bool:
        """Whether its prompts carry examples."""
        return self.access.deployment.config.carries_examples(self.model)

    def as_json(self) -> dict[str, Any]:
        """The first line that goes out."""
        engine = self.access.deployment.config
        return {
            "kind": engine.kind,
            "context_tokens": engine.context_tokens,
            "examples": self.examples,
            "asked": self.asked,
            "versions": {str(task): prompt(task).version for task in TaskType},
        }


async def pair(row: Mapping[str, Any], way: Way) -> dict[str, Any]:
    """What is sent about a row, and the right answer, written as answers in prompts are. Raises
    EngineError."""
    job = _job(row, way)
    if job.task is TaskType.EXTRACTION and len(groups(job.answer_schema, job.max_tokens)) > 1:
        return {"left_out": TOO_WIDE}
    request = await first_request(job, way.access)
    completion = json.dumps(row["value"], ensure_ascii=False)
    if request is None or _tokens(request) > request.context_tokens:
        return {"left_out": TOO_LONG}
    if estimate(completion) > request.max_tokens:
        return {"left_out": TOO_LONG}
    messages = [{"role": one.role, "content": one.content} for one in request.messages]
    return {"messages": messages, "completion": completion}


def _tokens(request: Request) -> int:
    """Of the prompt, as estimated, and of the longest answer."""
    return sum(estimate(one.content) for one in request.messages) + request.max_tokens


def _job(row: Mapping[str, Any], way: Way) -> Job:
    """The job that a worker would have of a row: its text in the pieces that it was cut into."""
    engine = way.access.deployment
    place = Place(engine.zone, engine.name, way.model)
    pieces, start = [], 0
    for number, text in enumerate(row["text"].split(SEPARATOR), start=1):
        pieces.append(Source(start, text, number))
        start += len(text) + len(SEPARATOR)
    return Job(
        id=0,
        batch_id=0,
        facts=Facts(TaskType(row["task"]), scope=Scope.DOCUMENT, place=str(place)),
        place=place,
        step=0,
        config=way.config,
        ask_id=0,
        ask=row["ask"],
        schema=row["schema"],
        pieces=tuple(pieces),
        attempts=0,
        call_id=new_call_id(),
        earlier={},
    )


def main() -> int:
    """Serve this process's own pipes. Raises InputError, ConfigError."""
    first = json.loads(sys.stdin.readline())
    return asyncio.run(serve(first, map(json.loads, sys.stdin), sys.stdout))


async def serve(wanted: Mapping[str, Any], rows: Iterable[Mapping[str, Any]], sink: TextIO) -> int:
    """Write how a model is asked, and a pair for each row. Raises InputError, ConfigError."""
    async with _way(wanted) as way:
        sink.write(json.dumps(way.as_json()) + "\n")
        for row in rows:
            sink.write(json.dumps(await pair(row, way)) + "\n")
    return 0


@asynccontextmanager
async def _way(wanted: Mapping[str, Any]) -> AsyncIterator[Way]:
    config = applied().config
    refuse_places([wanted["model"]], config)
    name, _, model = wanted["model"].partition("/")
    deployment = asked_so(deploy(name, config, own_config(), settings()), model, wanted["examples"])
    if isinstance(deployment.config, EmbeddedConfig):
        model = UNTRAINED
    db = Database(database_url(), connections=1)
    await db.open()
    with tempfile.TemporaryDirectory() as folder:
        access = _access(deployment, config, db, Path(folder))
        try:
            yield Way(access, config, model, await _asked(access, model))
        finally:
            await access.close()
            await db.close()


def asked_so(deployment: Deployment, model: str, examples: bool | None) -> Deployment:
    """An engine as if docmill.toml said that prompts of a model carry examples, or none; None: as
    it says."""
    if examples is None:
        return deployment
    engine = deployment.config
    limits = engine.models.get(model, ModelLimits()).model_copy(update={"examples": examples})
    models = {**engine.models, model: limits}
    return replace(deployment, config=engine.model_copy(update={"models": models}))


def _access(deployment: Deployment, config: Config, db: Database, folder: Path) -> EngineAccess:
    """An engine as workers have it. Nothing but what it does with prompts is asked of it."""
    return EngineAccess(
        deployment=deployment,
        engine=deployment.make(),
        journal=Journal(folder),
        ledger=Ledger(deployment, PriceBook(config), frontier_model(config), lambda: 1),
        reserve=Reservations(db, uuid4(), deployment, None),
        admission=Unlimited(),
        known_traits=KnownTraits(db),
    )


async def _asked(access: EngineAccess, model: str) -> str:
    """Whether its engine says how it takes prompts. One that does not answer is taken for one that
    does what it is told."""
    try:
        await access.traits(model)
    except EngineError:
        access.known_traits = None
        return ASSUMED
    return PROBED
