"""One engine as a process uses it: which of its models may be asked, and what it says of them."""

import asyncio
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import redis
from structlog.testing import capture_logs

from models.engines import EMBEDDED_MODEL, tuned_name
from tests.clock import virtual_time
from tests.factories import a_deployment, an_access, the_frontier
from tests.fakes import FakeDatabase
from tests.stubs.fake import FakeEngine
from worker.calls.access import EngineAccess, ModelAccess
from worker.calls.traits import KnownTraits
from worker.flow.adapt import Ended
from worker.llm.engine import Completion, EngineError, Health, Message, Request, Told, Trouble
from worker.llm.gate import LONGEST_PROBE_S, Closed
from worker.llm.probe import Traits

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


class SharedLimit:
    """A limit that all processes share."""

    def __init__(self) -> None:
        self.met: dict[str, int] = {}
        self.paused: dict[str, Closed] = {}
        self.lifted: list[str] = []
        self.is_away = False

    def leave(self, ask_id: int, request: object) -> Any:
        return nullcontext()

    def ahead(self, model: str) -> int | None:
        return self.met.get(model)

    async def pauses(self) -> Mapping[str, Closed]:
        if self.is_away:
            raise redis.ConnectionError("refused")
        return self.paused

    async def lift(self, model: str) -> None:
        if self.is_away:
            raise redis.ConnectionError("refused")
        self.lifted.append(model)

    async def close(self) -> None:
        pass


def error(trouble: Trouble, *, maybe_billed: bool = False) -> EngineError:
    return EngineError(trouble, "its own words", maybe_billed=maybe_billed)


def shut(access: EngineAccess) -> dict[str, str]:
    return {model: closed.code for model, closed in access.shut()}


@virtual_time
async def test_every_call_is_told_with_its_time_and_how_it_ended():
    told: list[Ended] = []
    engine = FakeEngine(delay_s=2.0)
    access = replace(an_access(engine), ended=told.append)
    asked = Request("fake", (Message("user", "text"),), 10, 100)
    answered = await access.complete(asked)
    engine.script.append(error(Trouble.UNAVAILABLE))
    with pytest.raises(EngineError):
        await access.complete(asked)
    assert [(one.ended - one.began, one.output_tokens, one.trouble) for one in told] == [
        (2.0, answered.usage.output_tokens, None),
        (2.0, None, Trouble.UNAVAILABLE),
    ]


class Restarted(FakeEngine):
    """It went down and is back before anybody looks: each call under way, `cut` of them, was cut
    off; a look takes a moment."""

    def __init__(self, cut: int) -> None:
        super().__init__()
        self.script.extend(error(Trouble.SERVER_ERROR, maybe_billed=True) for _ in range(cut))
        self.looks = 0

    async def complete(self, request: Request) -> Completion:
        if not self.script:
            await asyncio.sleep(5)
        return await super().complete(request)

    async def health(self) -> Health:
        self.looks += 1
        await asyncio.sleep(0.1)
        return await super().health()


@pytest.mark.parametrize(
    ("cut", "answered", "went_down"), [(1, 0, False), (2, 0, True), (9, 0, True), (9, 1, False)]
)
@virtual_time
async def test_an_engine_that_is_back_at_once_has_cut_off_all_its_calls(
    cut: int, answered: int, went_down: bool
):
    engine = Restarted(cut)
    access = an_access(engine)
    asked = Request("fake", (Message("user", "text"),), 10, 100)
    access.answered("fake")
    calls = [access.complete(asked) for _ in range(cut + answered)]
    ended = await asyncio.gather(*calls, return_exceptions=True)
    troubles = {one.trouble for one in ended if isinstance(one, EngineError)}
    assert troubles == {Trouble.DIED if went_down else Trouble.SERVER_ERROR}
    assert engine.looks == 1


@virtual_time
async def test_a_model_in_trouble_keeps_no_other_model_back():
    access = an_access()
    access.trouble("a", error(Trouble.UNAVAILABLE))
    assert [access.room(model, 0, 0) for model in "ab"] == [0, None]
    assert shut(access) == {"a": Trouble.UNAVAILABLE}
    await access.close()


@virtual_time
async def test_an_engine_in_trouble_keeps_all_of_its_models_back_until_one_of_them_is_answered():
    access = an_access()
    access.trouble("a", error(Trouble.AUTH))
    assert [access.room(model, 0, 0) for model in "ab"] == [0, 0]
    await access.lift("")
    for gate in ("", "a"):
        while access.gate(gate).room(0, 0) == 0:
            await access.gate(gate)._opener
    assert access.room("b", 0, 0) == 1
    access.answered("b")
    assert access.room("b", 0, 0) is None
    assert shut(access) == {"a": Trouble.AUTH}
    await access.close()


@virtual_time
async def test_whose_fault_it_is_is_told_by_how_the_model_has_been_doing():
    access = an_access()
    assert not access.healthy("m")
    for _ in range(20):
        access.answered("m")
    assert access.healthy("m")
    assert access.trouble("m", error(Trouble.TIMEOUT)) is True
    assert access.trouble("another", error(Trouble.TIMEOUT)) is False
    await access.close()


@virtual_time
async def test_where_a_limit_is_met_no_more_is_claimed_than_it_lets_out_meanwhile():
    limit = SharedLimit()
    access = an_access(deployment=the_frontier(), admission=limit)
    big = ModelAccess(access, "big")
    assert big.room(3, 2) is None
    limit.met = {"big": 1}
    assert [big.room(0, 5), big.room(1, 0), big.room(3, 0)] == [1, 0, -2]
    limit.met = {"big": 9}
    assert [big.room(waiting, 5) for waiting in (0, 4, 5, 9, 10)] == [9, 5, 0, 0, -1]
    assert ModelAccess(access, "small").room(3, 2) is None


# --- which models an engine of one's own has ------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ({}, "the ollama at gpu:11434 does not serve b: run `ollama pull b` there"),
        (
            {"kind": "openai", "base_url": "http://gpu:8000"},
            "the openai at gpu:8000 does not serve b: choose a model that it offers",
        ),
    ],
)
async def test_a_model_that_is_lacking_is_not_asked_and_it_is_said_how_to_get_it(kind, said):
    access = an_access(FakeEngine(models=("a",)), a_deployment(**kind))
    access.gate("a"), access.gate("b"), access.gate("")
    await access.look()
    assert shut(access) == {"b": Trouble.MODEL_NOT_FOUND}
    [(_, closed)] = access.shut()
    assert (closed.message, closed.lasting) == (said, True)
    assert [access.room(model, 0, 0) for model in "ab"] == [None, 0]
    assert access.seen.models == ("a",)
    assert access.room("c", 0, 0) == 0  # also one that is served only now


async def test_a_model_that_was_pulled_since_is_asked():
    engine = FakeEngine(models=("a",))
    access = an_access(engine)
    access.gate("b")
    await access.look()
    engine.models = ("a", "b:latest")
    await access.look()
    assert access.room("b", 0, 0) is None


class Says(FakeEngine):
    """An engine that says so of itself."""

    def __init__(self, said: Health) -> None:
        super().__init__(models=("a",))
        self.said = said

    async def health(self) -> Health:
        return self.said


async def test_an_engine_that_does_not_say_what_it_has_shuts_nothing():
    access = an_access(Says(Health(True, "it does not say", models=())))
    access.gate("b")
    await access.look()
    assert shut(access) == {}


@virtual_time
async def test_an_engine_that_does_not_answer_is_not_asked_until_it_does():
    engine = Says(Health(False, "connection refused"))
    access = an_access(engine)
    access.gate("a")
    await access.look()
    await asyncio.sleep(300)
    assert shut(access) == {"": Trouble.UNAVAILABLE}
    assert access.room("a", 0, 0) == 0
    engine.said = Health(True, "well", models=("a",))
    await asyncio.sleep(LONGEST_PROBE_S)
    assert access.room("a", 0, 0) == 1  # half open
    access.answered("a")
    assert shut(access) == {}
    assert access.room("a", 0, 0) is None
    await access.close()


async def test_an_engine_at_work_that_is_slow_to_answer_a_look_is_asked_on():
    access = an_access(Says(Health(False, "no answer within 2 s")))
    access.answered("a")
    await access.look()
    assert shut(access) == {}


async def test_local_hosts_with_the_same_weights_answer_for_each_other_and_no_others_do():
    async def answerer(url: str, digest: str) -> str:
        said = Health(True, "well", models=("a:latest",), digests={"a:latest": digest})
        access = an_access(Says(said), a_deployment(url=url))
        await access.look()
        return access.answerer("a")

    first = await answerer("http://gpu1", "0")
    assert await answerer("http://gpu2", "0") == first
    assert await answerer("http://gpu2", "1") != first


def test_a_gateway_answers_for_itself_alone():
    urls = ("https://a.example", "https://b.example")
    assert len({an_access(None, the_frontier(base_url=url)).answerer("a") for url in urls}) == 2


def test_answers_whose_labels_were_weighed_are_no_copies_of_others():
    said = {
        an_access(None, a_deployment(kind="embedded", adapter=adapter)).answerer(model)
        for adapter in (None, "own.gguf")
        for model in (tuned_name("ab" * 32), EMBEDDED_MODEL)
    }
    assert len(said) == 2


# --- what all processes keep back -----------------------------------------------------------------


async def test_a_gateways_list_of_models_is_no_promise():
    engine = FakeEngine(models=("a",))
    access = an_access(engine, the_frontier(), admission=SharedLimit())
    access.gate("b")
    await access.look()
    assert shut(access) == {}


async def test_a_pause_of_all_processes_is_told_and_can_be_lifted():
    limit = SharedLimit()
    limit.paused = {"big": Closed("asked", "it asked not to be called", False, NOON, NOON)}
    access = an_access(deployment=the_frontier(), admission=limit)
    await access.look()
    assert shut(access) == {"big": "asked"}
    await access.lift("big")
    assert limit.lifted == ["big"]


async def test_a_pause_of_all_processes_is_said_once_in_the_log_and_its_end_too():
    limit = SharedLimit()
    access = an_access(deployment=the_frontier(), admission=limit)
    paused = {"": Closed("trouble", "it answers with errors", False, NOON, NOON)}
    with capture_logs() as said:
        for pauses in ({}, paused, paused, {}, {}, paused):
            limit.paused = pauses
            await access.look()
    away, back, again = said
    assert away["event"] == again["event"]
    assert away["event"].startswith("engine frontier at ")
    assert "is away" in away["event"]
    assert away["why"] == "it answers with errors"
    assert back["event"].endswith("is back")


async def test_a_redis_that_is_away_changes_nothing_of_what_is_known():
    limit = SharedLimit()
    limit.paused = {"big": Closed("asked", "it asked not to be called", False, NOON, NOON)}
    access = an_access(deployment=the_frontier(), admission=limit)
    await access.look()
    limit.is_away = True
    await access.look()
    await access.lift("big")
    assert shut(access) == {"big": "asked"}


@virtual_time
async def test_lifting_one_model_lifts_no_other():
    access = an_access()
    for model in ("a", "b"):
        access.trouble(model, error(Trouble.MODEL_NOT_FOUND))
    await access.lift("a")
    assert [access.gate(model)._tried.is_set() for model in "ab"] == [True, False]
    await access.lift("")
    assert access.gate("b")._tried.is_set()
    await access.close()


@virtual_time
async def test_whoever_claims_is_told_when_a_gate_opens():
    access, told = an_access(), []
    access.changed = lambda: told.append(1)
    access.trouble("a", error(Trouble.SERVER_ERROR))
    await access.gate("a")._opener
    assert told == [1]
    access.answered("a")
    assert told == [1, 1]
    await access.close()


async def test_closing_closes_the_engine():
    engine = FakeEngine()
    await an_access(engine).close()
    assert engine.closed


class Cut(FakeEngine):
    """It says of itself what it is told to."""

    def __init__(self, health: Health) -> None:
        super().__init__()
        self._says = health

    async def health(self) -> Health:
        return self._says


CUT = EngineError(Trouble.SERVER_ERROR, "cut", maybe_billed=True)


@pytest.mark.parametrize(
    ("deployment", "error", "health", "trouble"),
    [
        (a_deployment(), CUT, Health(ok=False, detail="", trouble=Trouble.UNAVAILABLE), "died"),
        # it is there, or nothing gets through
        (a_deployment(), CUT, Health(ok=True, detail=""), "server_error"),
        (a_deployment(), CUT, Health(ok=False, detail="", trouble=CUT.trouble), "server_error"),
        (the_frontier(), CUT, Health(ok=False, detail="", trouble=CUT.trouble), "server_error"),
        (the_frontier(), CUT, Health(ok=True, detail=""), "server_error"),
        # it answered, if badly
        (
            a_deployment(),
            EngineError(Trouble.SERVER_ERROR, "500", status=500, maybe_billed=True),
            Health(ok=True, detail=""),
            "server_error",
        ),
        (
            a_deployment(),
            EngineError(Trouble.TIMEOUT, "late"),
            Health(ok=True, detail=""),
            "timeout",
        ),
    ],
)
async def test_a_call_that_is_cut_off_is_told_from_an_engine_that_went_down(
    deployment, error, health, trouble
):
    engine = Cut(health)
    engine.script.append(error)
    access = an_access(engine, deployment)
    request = Request("fake", (Message("user", "Find."),), 10, 100)
    with pytest.raises(EngineError) as met:
        await access.complete(request)
    assert (met.value.trouble, met.value.maybe_billed) == (trouble, error.maybe_billed)


class TellsNothing(FakeEngine):
    """An engine whose free look at a model goes wrong."""

    trouble = Trouble.SERVER_ERROR

    async def tell(self, model: str) -> Told:
        raise error(self.trouble)


def that_looks(engine: FakeEngine, **keys: str) -> EngineAccess:
    keys = keys or {"kind": "openai", "base_url": "http://gpu:8000"}
    access = an_access(engine, a_deployment(**keys))
    access.known_traits = KnownTraits(FakeDatabase())  # type: ignore[arg-type]
    return access


async def test_a_free_look_that_breaks_off_leaves_a_model_to_be_asked_as_it_is():
    assert await that_looks(TellsNothing()).traits("phi4-mini") == Traits()


async def test_what_names_no_weights_and_should_is_asked_nothing_but_prompts():
    engine = TellsNothing()
    engine.trouble = Trouble.UNAVAILABLE
    access = that_looks(engine, kind="ollama")
    assert await access.traits("phi4-mini") == Traits()


async def test_nobody_is_asked_where_a_free_look_finds_nobody():
    engine = TellsNothing()
    engine.trouble = Trouble.UNAVAILABLE
    with pytest.raises(EngineError, match="its own words"):
        await that_looks(engine).traits("phi4-mini")
    engine.closed = True
    with pytest.raises(EngineError, match="its own words"):
        await that_looks(engine, kind="ollama").traits("phi4-mini")
