"""The gate of a model, on a clock of the test's own."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from tests.clock import BEGINNING_S, now, settle, virtual_time
from worker.llm.engine import CONCERN, Concern, EngineError, Health, Trouble
from worker.llm.gate import (
    FIRST_PAUSE_S,
    KEEPS_DYING,
    KEEPS_DYING_AFTER,
    LONGEST_LASTING_S,
    LONGEST_PAUSE_S,
    LONGEST_PROBE_S,
    RECENT,
    REFUSES_ALL,
    SYSTEMIC,
    Gate,
)


class Engine:
    """Answers looks at its health as told: down for the first `down` of them."""

    def __init__(self, down: float = 0, models: tuple[str, ...] = ()) -> None:
        self.down = down
        self.models = models
        self.looks: list[float] = []

    async def health(self) -> Health:
        self.looks.append(now())
        return Health(ok=len(self.looks) > self.down, detail="", models=self.models)


class Rig:
    """A gate, the engine behind it, and how often it said that it had opened."""

    def __init__(self, engine: Engine | None = None, *, limited: bool = False) -> None:
        self.engine = engine or Engine()
        self.opened: list[float] = []
        self.gate = Gate(
            "the engine",
            "m",
            self.engine.health,
            limited=limited,
            changed=self._changed,
        )
        self._told = asyncio.Event()

    def _changed(self) -> None:
        self.opened.append(now())
        self._told.set()

    def meet(self, trouble: Trouble, words: str = "no", **more: float) -> bool:
        return self.gate.trouble(EngineError(trouble, words, **more))

    @property
    def is_open(self) -> bool:
        return self.gate.room(100, 100) is None

    @property
    def is_shut(self) -> bool:
        return self.gate.room(0, 0) == 0

    @property
    def is_half_open(self) -> bool:
        return self.gate.room(0, 0) == 1

    async def shut_for(self) -> float:
        """The seconds until one job may go through."""
        began = now()
        while self.is_shut:
            self._told.clear()
            await self._told.wait()
        return now() - began


def troubles(*concerns: Concern) -> list[Trouble]:
    return [trouble for trouble in Trouble if CONCERN[trouble] in concerns]


PASSING = [trouble for trouble in troubles(Concern.PASSING) if trouble is not Trouble.DIED]
LASTING = troubles(Concern.MODEL, Concern.ENGINE)
PROMPT = troubles(Concern.PROMPT)


@virtual_time
async def test_a_new_gate_is_open():
    r = Rig()
    assert r.is_open
    assert r.gate.shut is None


@pytest.mark.parametrize("trouble", Trouble)
def test_which_troubles_shut_a_gate_that_has_seen_no_good_call(trouble):
    @virtual_time
    async def scene():
        r = Rig()
        own = r.meet(trouble)
        assert r.is_open is (trouble in PROMPT)
        assert own is (trouble in PROMPT or trouble is Trouble.DIED)
        await r.gate.close()

    scene()


@pytest.mark.parametrize("trouble", PASSING + LASTING)
def test_a_shut_gate_says_why_and_until_when(trouble):
    @virtual_time
    async def scene():
        r = Rig()
        before = datetime.now(UTC)
        r.meet(trouble, "in its own words", retry_after_s=86_400)
        shut = r.gate.shut
        assert (shut.code, shut.message) == (trouble, "in its own words")
        assert shut.lasting is (trouble in LASTING)
        assert before <= shut.since <= datetime.now(UTC)
        day = timedelta(seconds=86_400)
        assert timedelta() <= shut.until - before - day < timedelta(seconds=60)
        await r.gate.close()

    scene()


# --- half open ------------------------------------------------------------------------------------


@virtual_time
async def test_after_its_pause_one_job_goes_through_and_no_second_one_beside_it():
    r = Rig()
    r.meet(Trouble.SERVER_ERROR)
    assert r.is_shut
    await r.shut_for()
    assert r.is_half_open
    assert [r.gate.room(1, 0), r.gate.room(0, 1)] == [0, 0]
    assert r.gate.shut is not None
    assert len(r.opened) == 1


@virtual_time
async def test_an_answer_opens_it_wholly_and_is_told():
    r = Rig()
    r.meet(Trouble.SERVER_ERROR)
    await r.shut_for()
    r.gate.success()
    assert r.is_open
    assert r.gate.shut is None
    assert len(r.opened) == 2


@virtual_time
async def test_one_more_failure_shuts_it_for_twice_as_long():
    r = Rig()
    pauses = []
    for _ in range(12):
        r.meet(Trouble.RATE_LIMITED)
        pauses.append(await r.shut_for())
    for turn, pause in enumerate(pauses):
        longest = min(FIRST_PAUSE_S * 2**turn, LONGEST_PAUSE_S)
        assert 0.75 * longest - 0.02 <= pause <= longest + 0.02
    r.gate.success()
    r.meet(Trouble.RATE_LIMITED)
    assert await r.shut_for() <= FIRST_PAUSE_S + 0.02


@virtual_time
async def test_since_when_it_is_in_trouble_does_not_move_with_each_failure():
    r = Rig()
    r.meet(Trouble.SERVER_ERROR)
    since = r.gate.shut.since
    await r.shut_for()
    r.meet(Trouble.SERVER_ERROR)
    assert r.gate.shut.since == since
    await r.gate.close()


@virtual_time
async def test_failures_of_the_same_moment_shut_it_once():
    r = Rig()
    for _ in range(50):
        r.meet(Trouble.SERVER_ERROR)
    assert await r.shut_for() <= FIRST_PAUSE_S + 0.02
    assert len(r.opened) == 1


@virtual_time
async def test_an_answer_to_a_call_of_before_does_not_open_a_gate_that_is_shut():
    """Four calls were under way: three failed, and the fourth is late."""
    r = Rig()
    for _ in range(3):
        r.meet(Trouble.SERVER_ERROR)
    r.gate.success()
    assert r.is_shut
    await r.shut_for()
    assert r.is_half_open


@virtual_time
async def test_the_pause_that_the_server_asked_for_is_kept_also_when_it_comes_later():
    r = Rig()
    r.meet(Trouble.RATE_LIMITED, retry_after_s=30)
    assert 30 <= await r.shut_for() <= 30.1
    r.meet(Trouble.RATE_LIMITED)
    r.meet(Trouble.RATE_LIMITED, retry_after_s=300)
    assert 300 <= await r.shut_for() <= 300.1


# --- an engine that is gone -----------------------------------------------------------------------


@virtual_time
async def test_an_engine_that_is_gone_is_looked_at_for_free_until_it_is_back():
    r = Rig(Engine(down=100))
    r.meet(Trouble.UNAVAILABLE)
    seconds = await r.shut_for()
    looks = r.engine.looks
    assert len(looks) == 101
    assert max(b - a for a, b in pairwise(looks)) <= LONGEST_PROBE_S + 1e-6
    assert seconds < 101 * LONGEST_PROBE_S + 1
    assert r.is_half_open


@virtual_time
async def test_an_engine_that_has_lost_the_model_is_not_back():
    r = Rig(Engine(models=("another",)))
    r.meet(Trouble.MODEL_NOT_FOUND)
    await asyncio.sleep(10 * LONGEST_LASTING_S)
    assert r.is_shut
    r.engine.models = ("another", "m:latest")
    await asyncio.sleep(LONGEST_LASTING_S)
    assert r.is_half_open
    await r.gate.close()


@pytest.mark.parametrize("trouble", [Trouble.RATE_LIMITED, Trouble.SERVER_ERROR, Trouble.TIMEOUT])
def test_an_engine_that_is_there_is_left_alone(trouble):
    @virtual_time
    async def scene():
        r = Rig()
        r.meet(trouble)
        await r.shut_for()
        assert r.engine.looks == []

    scene()


@virtual_time
async def test_a_closed_gate_looks_no_more():
    r = Rig(Engine(down=10**9))
    r.meet(Trouble.UNAVAILABLE)
    await asyncio.sleep(60)
    await r.gate.close()
    looks = len(r.engine.looks)
    await asyncio.sleep(600)
    assert len(r.engine.looks) == looks > 0


@virtual_time
async def test_a_gate_that_is_closed_at_any_moment_is_closed():
    for after_s in (0.0, FIRST_PAUSE_S, 1.0):
        r = Rig(Engine(down=10**9))
        r.meet(Trouble.UNAVAILABLE)
        await asyncio.sleep(after_s)
        r.gate.lift()
        await r.gate.close()
        await settle()
        assert all(task is asyncio.current_task() for task in asyncio.all_tasks())


# --- somebody has to mend it ----------------------------------------------------------------------


@pytest.mark.parametrize("trouble", LASTING)
def test_what_somebody_has_to_mend_is_tried_ever_more_rarely(trouble):
    @virtual_time
    async def scene():
        r = Rig(Engine(models=("m",)))
        calls = 0
        while now() - BEGINNING_S < 86_400:
            r.meet(trouble)
            calls += 1
            await r.shut_for()
        assert 86_400 / LONGEST_LASTING_S <= calls <= 86_400 / (0.75 * LONGEST_PAUSE_S)
        assert r.gate.shut.lasting
        await r.gate.close()

    scene()


@pytest.mark.parametrize("trouble", PASSING + LASTING)
def test_a_gate_that_is_lifted_is_tried_at_once(trouble):
    @virtual_time
    async def scene():
        r = Rig()
        r.meet(trouble, retry_after_s=86_400)
        await asyncio.sleep(60)
        assert r.is_shut
        r.gate.lift()
        assert await r.shut_for() < 0.1
        assert r.is_half_open
        r.meet(trouble)
        assert await r.shut_for() <= FIRST_PAUSE_S + 0.1, "and its pauses begin anew"
        await r.gate.close()

    scene()


@virtual_time
async def test_lifting_an_open_gate_does_nothing_to_its_next_pause():
    r = Rig()
    r.gate.lift()
    r.meet(Trouble.RATE_LIMITED, retry_after_s=10)
    assert 10 <= await r.shut_for() <= 10.1


@virtual_time
async def test_a_model_that_an_engine_says_it_lacks_is_not_asked_until_it_says_otherwise():
    r = Rig()
    r.gate.absent("the Ollama at gpu lacks m: run `ollama pull m` there")
    assert r.is_shut
    shut = r.gate.shut
    assert (shut.code, shut.lasting, shut.until) == (Trouble.MODEL_NOT_FOUND, True, None)
    assert "ollama pull" in shut.message
    await asyncio.sleep(86_400)
    assert r.is_shut
    assert r.engine.looks == []
    r.gate.present()
    assert r.is_open
    assert len(r.opened) == 1


@virtual_time
async def test_a_model_that_is_there_opens_nothing_that_was_shut_for_another_reason():
    r = Rig()
    r.meet(Trouble.AUTH)
    r.gate.absent("lacks m")
    r.gate.present()
    assert r.gate.shut.code == Trouble.AUTH
    await r.gate.close()


# --- prompts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", PROMPT)
def test_a_prompt_in_trouble_is_its_own_and_shows_that_the_engine_is_well(trouble):
    @virtual_time
    async def scene():
        r = Rig()
        assert not r.gate.healthy
        assert r.meet(trouble)
        assert r.gate.healthy

    scene()


@virtual_time
async def test_a_prompt_in_trouble_opens_a_gate_that_was_half_open():
    r = Rig()
    r.meet(Trouble.SERVER_ERROR)
    await r.shut_for()
    assert r.meet(Trouble.BAD_REQUEST)
    assert r.is_open


@virtual_time
async def test_several_prompts_refused_in_the_same_words_are_not_the_prompts():
    r = Rig()
    words = "max_tokens: {} is too large (request req_{})"
    own = [r.meet(Trouble.BAD_REQUEST, words.format(8192, n)) for n in range(SYSTEMIC)]
    assert own == [True] * (SYSTEMIC - 1) + [False]
    assert r.is_shut
    assert (r.gate.shut.code, r.gate.shut.lasting) == (REFUSES_ALL, True)
    await r.gate.close()


@virtual_time
async def test_while_all_are_refused_a_try_that_is_refused_again_opens_nothing():
    r = Rig()
    for _ in range(SYSTEMIC):
        r.meet(Trouble.BAD_REQUEST, "no such parameter")
    await r.shut_for()
    assert r.meet(Trouble.BAD_REQUEST, "no such parameter") is False
    assert r.is_shut
    await r.shut_for()
    r.gate.success()
    assert r.is_open


@virtual_time
async def test_an_answer_in_between_or_other_words_make_it_the_prompts_own_again():
    r = Rig()
    for turn in range(4 * SYSTEMIC):
        assert r.meet(Trouble.BAD_REQUEST, "no such parameter")
        if turn % 2:
            r.gate.success()
    for turn in range(4 * SYSTEMIC):
        assert r.meet(Trouble.BAD_REQUEST, f"field {'ab'[turn % 2]} is missing")
    assert r.is_open


@virtual_time
async def test_prompts_that_are_too_long_or_filtered_are_never_systemic():
    r = Rig()
    for trouble in (Trouble.CONTEXT_EXCEEDED, Trouble.CONTENT_FILTER):
        assert all(r.meet(trouble, "the same words") for _ in range(5 * SYSTEMIC))
    assert r.is_open


# --- whose fault it is ----------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", [Trouble.SERVER_ERROR, Trouble.TIMEOUT])
def test_a_failing_call_among_many_good_ones_is_its_prompts_own_and_shuts_nothing(trouble):
    @virtual_time
    async def scene():
        r = Rig()
        for _ in range(RECENT):
            r.gate.success()
        assert r.meet(trouble)
        assert r.is_open
        assert r.gate.healthy

    scene()


@virtual_time
async def test_too_many_failing_calls_are_the_engines_fault():
    r = Rig()
    for _ in range(RECENT):
        r.gate.success()
    own = []
    while r.is_open:
        own.append(r.meet(Trouble.SERVER_ERROR))
    assert own == [True] * (RECENT // 5) + [False]
    assert not r.gate.healthy
    await r.gate.close()


@virtual_time
async def test_while_it_is_half_open_nothing_counts_against_a_job():
    r = Rig()
    for _ in range(RECENT):
        r.gate.success()
    r.meet(Trouble.UNAVAILABLE)
    await r.shut_for()
    assert r.gate.healthy
    assert r.meet(Trouble.SERVER_ERROR) is False
    await r.gate.close()


@pytest.mark.parametrize("trouble", [Trouble.UNAVAILABLE, Trouble.RATE_LIMITED])
def test_an_engine_that_is_away_or_busy_is_never_a_prompts_fault(trouble):
    @virtual_time
    async def scene():
        r = Rig()
        for _ in range(RECENT):
            r.gate.success()
        assert r.meet(trouble) is False
        assert r.is_shut
        await r.gate.close()

    scene()


# --- where all processes share a limit ------------------------------------------------------------


@pytest.mark.parametrize("trouble", PASSING)
def test_where_a_shared_limit_keeps_the_pauses_passing_trouble_leaves_the_gate_open(trouble):
    @virtual_time
    async def scene():
        r = Rig(limited=True)
        assert r.meet(trouble, retry_after_s=60) is False
        assert r.is_open

    scene()


@pytest.mark.parametrize("trouble", LASTING)
def test_what_somebody_has_to_mend_shuts_the_gate_also_there(trouble):
    @virtual_time
    async def scene():
        r = Rig(limited=True)
        r.meet(trouble)
        assert r.is_shut
        await r.gate.close()

    scene()


# --- an hour --------------------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", PASSING)
def test_an_hour_of_trouble_costs_two_calls_a_minute_at_most(trouble):
    @virtual_time
    async def scene():
        r = Rig()
        calls: list[float] = []
        while now() - BEGINNING_S < 3_600:
            calls.append(now())
            assert r.meet(trouble) is False
            await r.shut_for()
        assert len(calls) <= 120
        late = [at for at in calls if at - BEGINNING_S > 120]
        assert min(b - a for a, b in pairwise(late)) >= 30
        r.gate.success()
        assert r.is_open

    scene()


# --- deaths ---------------------------------------------------------------------------------------


@virtual_time
async def test_calls_that_go_down_with_their_engine_shut_it_once_until_a_look_finds_it_back():
    r = Rig(Engine(down=2))
    assert [r.meet(Trouble.DIED) for _ in range(4)] == [True] * 4
    assert r.gate.shut is not None
    assert (r.gate.shut.code, r.gate.shut.lasting) == ("died", False)
    await r.shut_for()
    assert len(r.engine.looks) == 3
    r.gate.success()
    assert r.is_open


@virtual_time
async def test_an_engine_that_dies_whatever_it_is_asked_is_no_prompts_fault():
    r = Rig()
    own = []
    for _ in range(KEEPS_DYING_AFTER):
        own.append(r.meet(Trouble.DIED))
        await r.shut_for()
    assert own == [True] * (KEEPS_DYING_AFTER - 1) + [False]
    assert r.gate.shut is not None
    assert (r.gate.shut.code, r.gate.shut.lasting) == (KEEPS_DYING, True)
    r.gate.success()
    assert r.meet(Trouble.DIED)
