"""Makers of the values that tests speak of: everything has a default, a test names what matters."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from models.config import Config
from models.engines import KINDS, EngineConfig
from models.words import Finder, Scope, TaskType, Zone
from tests.fakes import FakeJournal, FakeReservations
from tests.stubs.fake import FakeEngine
from worker.calls.access import EngineAccess
from worker.calls.admission import Admission, Unlimited
from worker.calls.ledger import Ledger
from worker.calls.prices import PriceBook
from worker.classify.features import BUCKETS
from worker.classify.learned import TASKS, Learned
from worker.deployment import Deployment
from worker.llm.engine import Engine, EngineError, Message, Request
from worker.route import Facts, Place, route
from worker.run.ground import Source
from worker.run.job import Job

OWNER = UUID(int=0xA)
CALL = UUID(int=0xC)
"""The call that the claim of `a_job` reserved."""

PRICED = {"big": {"input_per_mtok": "3", "output_per_mtok": "15", "cached_per_mtok": "0.3"}}
"""[prices] for a frontier model called big."""


def a_config(**tables: Any) -> Config:
    """docmill.toml with these tables."""
    return Config.model_validate(tables)


def a_learned(task: TaskType | None = None) -> Learned:
    """A learned model that is certain of one task whatever the ask is; without one, of none."""
    rows = tuple([float(each is task)] * BUCKETS for each in TASKS)
    return Learned(rows, 1.2, "v1", {})


def an_engine(**keys: Any) -> EngineConfig:
    """An Ollama in the building, unless told otherwise."""
    kind = keys.get("kind", "ollama")
    address = {"url": "http://gpu:11434"} if kind == "ollama" else {}
    return KINDS[kind](**{"zone": Zone.LOCAL, **address, **keys})


def a_deployment(name: str = "local", **keys: Any) -> Deployment:
    """An engine as some host reaches it."""
    config = an_engine(**keys)
    return Deployment(name, config, FakeEngine, config.address.rpartition("/")[2] or "embedded")


def the_frontier(**keys: Any) -> Deployment:
    """A gateway outside of the building."""
    kind = keys.get("kind", "openai")
    address = {"base_url": "http://gateway"} if kind == "openai" else {}
    given = {"zone": Zone.FRONTIER, "kind": kind, **address, **keys}
    return a_deployment("frontier", **given)


def an_access(
    engine: Engine | None = None,
    deployment: Deployment | None = None,
    *,
    config: Config | None = None,
    admission: Admission | None = None,
    journal: FakeJournal | None = None,
    reserve: FakeReservations | None = None,
) -> EngineAccess:
    """An engine as this process uses it; nothing but the engine does anything."""
    reached = deployment or a_deployment()
    return EngineAccess(
        deployment=reached,
        engine=engine or FakeEngine(),
        journal=journal or FakeJournal(),  # type: ignore[arg-type]
        ledger=Ledger(reached, PriceBook(config or a_config(prices=PRICED)), "big", lambda: 4),
        reserve=reserve or FakeReservations(),  # type: ignore[arg-type]
        admission=admission or Unlimited(),
    )


TEXT = "Invoice 4711 of Acme Traders in Pune"


def a_request(**changes: Any) -> Request:
    """One prompt, about TEXT."""
    values: dict[str, Any] = {
        "model_name": "m",
        "messages": (Message("user", TEXT),),
        "max_tokens": 100,
        "context_tokens": 4096,
    }
    return Request(**{**values, **changes})


async def trouble_of(engine: Engine, **changes: Any) -> EngineError:
    """The error that a request meets."""
    with pytest.raises(EngineError) as caught:
        await engine.complete(a_request(**changes))
    return caught.value


FIELDS = {
    "type": "object",
    "properties": {"total": {"type": ["string", "null"]}},
    "required": ["total"],
    "additionalProperties": False,
}
"""The schema of an ask that wants one field."""


def a_job(
    text: str = "The total is 75.00 in all.",
    *,
    task: TaskType = TaskType.EXTRACTION,
    config: Config | None = None,
    schema: Mapping[str, Any] | None = None,
    step: int = 0,
    **more: Any,
) -> Job:
    """A job about a text, at the place of its chain that `step` counts to."""
    chosen = config or a_config()
    facts = more.pop("facts", Facts(task, Finder.USER, scope=Scope.CHUNK))
    wanted = FIELDS if task is TaskType.EXTRACTION and schema is None else schema
    values: dict[str, Any] = {
        "id": 7,
        "batch_id": 3,
        "facts": facts,
        "place": route(facts, chosen).places[step],
        "step": step,
        "config": chosen,
        "ask_id": 5,
        "ask": "Find the total.",
        "schema": wanted,
        "pieces": (Source(0, text),) if text else (),
        "attempts": 0,
        "call_id": CALL,
        "earlier": {},
    }
    return Job(**{**values, **more})


def a_place(name: str) -> Place:
    """ENGINE/MODEL; an engine called local stands in the building."""
    engine, _, model = name.partition("/")
    return Place(Zone.LOCAL if engine == "local" else Zone.FRONTIER, engine, model)


def usd(amount: str) -> Decimal:
    """An amount of USD."""
    return Decimal(amount)
