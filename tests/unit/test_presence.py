"""What a worker says of itself, and what it hears."""

import asyncio
from collections.abc import Callable
from dataclasses import fields
from typing import Any
from uuid import UUID

import psycopg
import pytest
from structlog.testing import capture_logs

from models.resolve import as_json
from models.sql import load_sql
from models.words import Pool, Queue, Stage
from tests.clock import settle, virtual_time
from tests.factories import OWNER, a_config, a_deployment, an_access
from tests.fakes import FakeDatabase
from tests.stubs.fake import FakeEngine
from worker.calls.access import EngineAccess, ModelAccess
from worker.configs import Configs
from worker.flow.leases import Leases
from worker.flow.pump import Lane, Pump
from worker.flow.slots import AutoSlots, Slots
from worker.flow.solitude import SAID, Solitude, Standing
from worker.llm.engine import EngineError, Trouble
from worker.presence import MODELS_S, GateRow, Presence, ServerRow
from worker.settings import PRESENCE_S

NEWER = a_config(limits={"attempts": 9})


class Rig:
    """A worker that reaches one engine; configuration 1 is its first."""

    def __init__(self, serve: Callable[[], object] | None = None) -> None:
        self.newest = (1, a_config())
        self.served = 0
        self.db: Any = FakeDatabase(flow__configuration=self._configuration)
        self.engine = FakeEngine(models=("phi4-mini",))
        self.access: EngineAccess = an_access(self.engine, a_deployment())
        leases = Leases("postgresql://somewhere/x", OWNER)
        self.pump = Pump("local", Slots(4), leases, self.db)
        self.configs = Configs(self.db, 1, a_config())
        self.presence = Presence(
            self.db,
            OWNER,
            Pool.LOCAL,
            self.configs,
            {"local": (self.access, self.pump)},
            serve or self._serve,
        )

    def _configuration(self, params: dict[str, Any]) -> list[dict[str, Any]]:
        number = params["number"] or self.newest[0]
        config = self.newest[1] if number == self.newest[0] else a_config()
        return [{"id": number, "settings": as_json(config)}]

    async def _serve(self) -> None:
        self.served += 1

    def said(self) -> dict[str, Any]:
        """The last sign of life."""
        return [p for each in self.db.transactions for n, p in each if n == "flow/presence"][-1]


async def test_a_sign_of_life_says_what_the_worker_reaches():
    r = Rig()
    await r.pump.slots.acquire()
    await r.presence.say()
    said = r.said()
    assert (said["owner"], said["pool"], said["configuration"]) == (OWNER, "local", 1)
    assert said["servers"].obj == [
        ServerRow("local", "local", "ollama", "gpu:11434", (), 4, 1, None)
    ]
    assert said["gates"].obj == []


async def test_it_says_how_many_slots_that_adapt_there_may_come_to_be():
    r = Rig()
    r.pump.slots = AutoSlots(64)
    await r.presence.say()
    [server] = r.said()["servers"].obj
    assert (server.slots, server.in_use, server.max_slots) == (4, 0, 64)


async def test_it_says_whose_queues_it_serves():
    r = Rig()
    queues = (Queue(Stage.RUN, "local", "b"), Queue(Stage.CLASSIFY, "local", "a"))
    r.pump.serve(Lane(queue, None, None) for queue in queues)  # type: ignore[arg-type]
    await r.presence.say()
    [server] = r.said()["servers"].obj
    assert server.models == ("a", "b")


@virtual_time
async def test_what_is_not_asked_is_said_with_its_reason():
    r = Rig()
    r.access.trouble("phi4-mini", EngineError(Trouble.AUTH, "401 at gpu"))
    await r.presence.say()
    gates = {gate.model: gate for gate in r.said()["gates"].obj}
    assert set(gates) == {"", "phi4-mini"}
    assert (gates[""].engine, gates[""].code, gates[""].message, gates[""].lasting) == (
        "local",
        "auth",
        "401 at gpu",
        True,
    )
    await r.access.close()


@virtual_time
async def test_what_somebody_lifted_is_tried_at_once():
    r = Rig()
    r.access.trouble("phi4-mini", EngineError(Trouble.MODEL_NOT_FOUND, "404"))
    r.db.answers["flow/presence"] = [{"engine": "local", "model": "phi4-mini"}]
    await r.presence.say()
    await r.access.gate("phi4-mini")._opener
    assert r.access.room("phi4-mini", 0, 0) == 1
    await r.access.close()


@virtual_time
async def test_the_model_that_pages_are_shown_to_is_said_looked_at_and_lifted_too():
    r = Rig()
    shown = an_access(FakeEngine(models=("see",)), a_deployment())
    r.presence = Presence(r.db, OWNER, Pool.ALL, r.configs, {}, r._serve, ModelAccess(shown, "see"))
    for model, trouble in (("see", Trouble.MODEL_NOT_FOUND), ("", Trouble.AUTH)):
        shown.trouble("see", EngineError(trouble, "no"))
        await r.presence.say()
        [gate] = r.said()["gates"].obj
        assert (gate.engine, gate.model, gate.code, gate.lasting) == (
            "local",
            "see",
            trouble,
            False,
        )
        r.db.answers["flow/presence"] = [{"engine": "local", "model": model}]
        await r.presence.say()
        await shown.gate("see")._opener
        assert shown.room("see", 0, 0) == 1
    shown.answered("see")
    await r.presence.say()
    assert r.said()["gates"].obj == []
    shown.engine.models = ("other",)
    await r.presence.look()
    await r.presence.say()
    assert [gate.code for gate in r.said()["gates"].obj] == ["model_not_found"]
    await shown.close()


@virtual_time
async def test_a_model_that_jobs_and_pages_are_for_is_said_once_and_lifted_for_both():
    r = Rig()
    shown = an_access(FakeEngine(models=("phi4-mini",)), a_deployment())
    served = {"local": (r.access, r.pump)}
    r.presence = Presence(
        r.db, OWNER, Pool.ALL, r.configs, served, r._serve, ModelAccess(shown, "phi4-mini")
    )
    for access in (r.access, shown):
        access.trouble("phi4-mini", EngineError(Trouble.MODEL_NOT_FOUND, "404"))
    await r.presence.say()
    [gate] = r.said()["gates"].obj
    assert gate.lasting
    r.db.answers["flow/presence"] = [{"engine": "local", "model": "phi4-mini"}]
    await r.presence.say()
    await settle()
    for access in (r.access, shown):
        assert access.room("phi4-mini", 0, 0) == 1
        await access.close()


@pytest.mark.parametrize(
    ("row", "alias"),
    [(ServerRow, "s"), (GateRow, "g")],
)
def test_each_field_of_a_row_is_a_column_that_the_statement_reads(row, alias):
    statement = load_sql("worker", "flow/presence")
    columns = statement.split(f"AS {alias} (")[1].partition(")")[0]
    assert [field.name for field in fields(row)] == [one.split()[0] for one in columns.split(",")]


@virtual_time
async def test_it_is_said_every_two_seconds_and_what_is_to_be_served_is_looked_up_each_time():
    r = Rig()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(60):
            await r.presence.run()
    assert r.db.ran.count("flow/presence") == pytest.approx(60 / PRESENCE_S, abs=1)
    assert r.served == pytest.approx(60 / PRESENCE_S, abs=1)


@virtual_time
async def test_an_outage_of_postgres_silences_it_and_does_not_end_it():
    r = Rig()
    r.db.fault = psycopg.OperationalError("away")
    running = asyncio.create_task(r.presence.run())
    await asyncio.sleep(60)
    assert r.db.ran == []
    r.db.fault = None
    await asyncio.sleep(PRESENCE_S + 0.1)
    assert "flow/presence" in r.db.ran
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@virtual_time
async def test_a_configuration_that_only_a_newer_docmill_can_read_ends_no_worker():
    r = Rig()
    r.db.answers["flow/configuration"] = [{"id": 2, "settings": {"of": "the future"}}]
    with capture_logs() as said:
        running = asyncio.create_task(r.presence.run())
        await asyncio.sleep(10 * PRESENCE_S)
        assert not running.done()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert r.configs.number == 1
    assert r.db.ran.count("flow/presence") > 5
    [once] = said
    assert "newer Docmill" in once["event"]


@virtual_time
async def test_models_are_looked_at_for_as_long_as_it_lives():
    r = Rig()
    r.access.gate("gemma3:4b")
    await r.presence.look()
    watching = asyncio.create_task(r.presence.watch_models())
    assert r.access.room("gemma3:4b", 0, 0) == 0
    r.engine.models = ("gemma3:4b",)
    await asyncio.sleep(MODELS_S + 1)
    assert r.access.room("gemma3:4b", 0, 0) is None
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


async def test_it_says_goodbye():
    r = Rig()
    await r.presence.leave()
    assert r.db.given("flow/leave") == {"owner": OWNER}


# --- configurations -------------------------------------------------------------------------------


async def test_a_new_configuration_counts_from_the_next_look_on_and_older_ones_stay_known():
    r = Rig()
    assert not await r.configs.look()
    r.newest = (2, NEWER)
    assert await r.configs.look()
    assert (r.configs.number, r.configs.current) == (2, NEWER)
    assert await r.configs.of(1) == a_config()
    assert not await r.configs.look()


async def test_a_configuration_is_read_once():
    r = Rig()
    for number in (1, 5, 5, 5):
        await r.configs.of(number)
    assert r.db.ran.count("flow/configuration") == 1


@virtual_time
async def test_how_it_stands_to_an_engine_is_said_and_how_the_others_do_is_heard():
    r = Rig()
    solitude = Solitude(r.pump.slots, OWNER)
    r.pump.solitude = solitude
    r.presence = Presence(
        r.db, OWNER, Pool.LOCAL, r.configs, {"local": (r.access, r.pump)}, r._serve
    )
    waits = {"engine": "local", "owner": UUID(int=9), "standing": "waits_to_be_alone"}
    r.db.answers["flow/peers"] = [waits]
    await r.presence.say()
    await settle()
    assert solitude.standing is Standing.ASIDE
    await r.presence.say()
    [gate] = r.said()["gates"].obj
    assert (gate.model, gate.code, gate.lasting) == ("", "stands_aside", False)
    assert gate.message == SAID[Standing.ASIDE]
    r.db.answers["flow/peers"] = [{**waits, "standing": "open"}]
    await r.presence.say()
    assert (solitude.standing, r.pump.slots.free) == (Standing.OPEN, 4)


@virtual_time
async def test_what_the_others_wait_for_is_said_at_once():
    r = Rig()
    r.pump.solitude = Solitude(r.pump.slots, OWNER)
    r.presence = Presence(
        r.db, OWNER, Pool.LOCAL, r.configs, {"local": (r.access, r.pump)}, r._serve
    )
    running = asyncio.create_task(r.presence.run())
    await asyncio.sleep(PRESENCE_S / 2)
    began = asyncio.get_running_loop().time()
    await r.pump.enter(alone=True)
    assert asyncio.get_running_loop().time() == began
    r.pump.leave(alone=True)
    running.cancel()
    await asyncio.wait([running])
