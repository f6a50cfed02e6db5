"""The arithmetic of limits.lua: the real script on the real server, with a clock that tests set.

The strict provider of these tests is the stub's own sliding window, which shares nothing with
the script. Times are in seconds.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.stubs.limits import Window
from worker.calls.limits import source

CLOCK = "test:clock"
KEYS = [f"test:{part}" for part in ("state", "leases", "line", "promises")]
START_S = 1_800_000_000
WINDOW_S, SPREAD_S, LEASE_S, HOLD_S = 60.0, 0.5, 10.0, 2.0
BURST_S = 1.5


class Bench:
    """The script at a moment of the test's choice."""

    def __init__(self, client: "redis.Redis") -> None:
        faked = source().replace("redis.call('TIME')", f"redis.call('LRANGE', '{CLOCK}', 0, 1)")
        assert faked != source()
        self._client = client
        self._script = client.register_script(faked)
        self.window_s, self.spread_s = WINDOW_S, SPREAD_S
        self.start()

    def start(self, **limits: int) -> None:
        """Empty Redis, new limits, and the first contact already some time ago."""
        self.limits = limits
        self.granted = 0
        self.now = self.retry_after = 0.0
        self.lose_data()

    def warm(self, **limits: int) -> None:
        """Limits of which a whole window has gone by unused."""
        self.start(**limits)
        self.acquire(1)
        self.now += 2 * self.window_s

    def lose_data(self) -> None:
        self._client.flushall()

    def call(self, op: str, **values: Any) -> Sequence[Any]:
        seconds, part = divmod(round(self.now * 1_000_000), 1_000_000)
        with self._client.pipeline() as pipe:
            pipe.delete(CLOCK)
            pipe.rpush(CLOCK, START_S + seconds, part)
            pipe.execute()
        times = {"window": self.window_s, "spread": self.spread_s, "lease": LEASE_S, "hold": HOLD_S}
        fixed = {f"{name}_us": round(value * 1_000_000) for name, value in times.items()}
        order = json.dumps({"op": op, **fixed, **self.limits, **values})
        answer: Sequence[Any] = self._script(keys=KEYS, args=[order])
        return answer

    def acquire(self, tokens: int, most: int | None = None, **waiter: str) -> dict[str, Any] | str:
        """What a grant tells, or the reason why there is none."""
        found = self.acquire_some([(tokens, most or tokens)], **waiter)
        return found if isinstance(found, str) else found[0]

    def acquire_some(
        self, wanted: Sequence[tuple[int, int]], waiter: str = "w"
    ) -> list[dict[str, Any]] | str:
        """The grants of the first few of (likely, most), or the reason why there is none."""
        calls = [{"likely": likely, "most": most, "id": self._name()} for likely, most in wanted]
        said, *rest = self.call("acquire", wanted=calls, waiter=waiter)
        if said != "granted":
            self.retry_after = rest[0] / 1000
            return str(said)
        slot, moment, *charged = rest
        return [
            {"id": call["id"], "charged": tokens, "slot": slot, "granted_at": moment}
            for call, tokens in zip(calls, charged, strict=False)
        ]

    def _name(self) -> str:
        self.granted += 1
        return f"g{self.granted}"

    def charges(self) -> list[float]:
        """What stands counted at this moment: requests, tokens, both paces, leases."""
        self.call("renew", leases=[])
        names = ("used_r", "used_t", "pace_r", "pace_t")
        counted = self._client.hmget(KEYS[0], *names)
        return [*map(float, counted), self._client.zcard(KEYS[1])]

    def grant(self, tokens: int, most: int | None = None) -> dict[str, Any]:
        found = self.acquire(tokens, most)
        assert isinstance(found, dict), found
        return found

    def grants(self, tokens: int) -> int:
        """How many go out at once."""
        number = 0
        while isinstance(self.acquire(tokens), dict):
            number += 1
        return number

    def wait(self, tokens: int = 1) -> float:
        """Seconds until a request is let through, sleeping exactly as told; then it is."""
        started = self.now
        while isinstance(self.acquire(tokens), str):
            self.now += self.retry_after
        return self.now - started


@pytest.fixture(scope="module")
def client(servers: tuple[str, str]) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(servers[1], decode_responses=True) as connection:
        yield connection


@pytest.fixture
def bench(client: "redis.Redis") -> Bench:
    return Bench(client)


# --- bursts, rates and sizes ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "tokens", "at_once"),
    [
        ({"rpm": 600}, 1, 15),  # 1.5 s of 10 a second
        ({"rpm": 10}, 1, 1),
        ({"tpm": 60_000}, 500, 3),  # 1,500 tokens
        ({"tpm": 60_000, "rpm": 60}, 500, 1),
        ({"max_in_flight": 7}, 500, 7),
    ],
)
def test_a_burst_is_a_second_and_a_half_of_the_rate_and_never_a_minute(
    bench, limits, tokens, at_once
):
    bench.warm(**limits)
    assert bench.grants(tokens) == at_once


@pytest.mark.parametrize(
    ("limits", "tokens", "seconds"),
    [
        ({"rpm": 600}, 1, 0.1),
        ({"rpm": 10}, 1, 6.0),
        ({"tpm": 60_000}, 500, 0.5),
        ({"tpm": 60_000, "rpm": 30}, 500, 2.0),
    ],
)
def test_after_the_burst_it_tells_exactly_how_long_to_wait(bench, limits, tokens, seconds):
    bench.warm(**limits)
    bench.grants(tokens)
    assert bench.retry_after == pytest.approx(seconds, abs=0.002)
    assert bench.wait(tokens) == pytest.approx(seconds, abs=0.002)


def test_without_limits_everything_goes_out(bench):
    bench.warm()
    for _ in range(100):
        bench.grant(10**6)


def test_a_request_larger_than_the_burst_goes_out_when_the_bucket_is_full(bench):
    bench.warm(tpm=60_000)
    bench.grant(20_000)
    assert bench.acquire(1) == "tokens"
    assert bench.retry_after == pytest.approx(18.5, abs=0.01)  # its debt is paid off first


def test_a_request_larger_than_the_limit_goes_out_when_nothing_else_is_in_the_window(bench):
    bench.warm(tpm=1_000)
    bench.grant(20)
    assert bench.wait(5_000) == pytest.approx(WINDOW_S + SPREAD_S, abs=0.4)


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"rpm": 60, "tpm": 600_000}, "requests"),
        ({"rpm": 60_000, "tpm": 6_000}, "tokens"),
        ({"rpm": 60_000, "tpm": 6_000_000, "max_in_flight": 1}, "in_flight"),
    ],
)
def test_a_refusal_names_its_reason_and_charges_nothing(bench, limits, reason):
    bench.warm(**limits)
    bench.grant(150)
    before = bench.charges()
    assert bench.acquire(150) == reason
    assert bench.charges() == before


def test_a_pause_charges_nothing_and_neither_does_a_turn_or_a_hold(bench):
    bench.warm(rpm=60, tpm=600_000)
    bench.call("pause", **bench.grant(150), over_limit=False, wait_us=5_000_000)
    before = bench.charges()
    assert bench.acquire(150, waiter="first") == "pause"
    bench.now += 5
    after = bench.charges()
    assert bench.acquire(150, waiter="second") == "turn"
    assert bench.charges() == after
    assert before[:2] + before[-1:] == after[:2] + after[-1:]
    bench.start(rpm=60, tpm=600_000)
    held = bench.charges()
    assert bench.acquire(150) == "hold"
    assert bench.charges() == held


def test_several_requests_are_let_through_as_far_as_they_fit_and_in_their_order(bench):
    bench.warm(tpm=60_000)
    granted = bench.acquire_some([(700, 700), (700, 700), (700, 700), (10, 10)])
    assert [grant["charged"] for grant in granted] == [700, 700]


def test_several_requests_asked_for_again_are_charged_once_and_may_become_more(bench):
    bench.warm(max_in_flight=2)
    calls = [{"id": f"c{n}", "likely": 1, "most": 1} for n in range(3)]
    said, *_, first, second = bench.call("acquire", wanted=calls, waiter="w")
    assert (said, first, second) == ("granted", 1, 1)
    assert bench.call("acquire", wanted=calls, waiter="w")[3:] == [1, 1]
    assert bench.charges()[0] == 2


def test_the_same_request_asked_again_is_charged_once(bench, client):
    bench.warm(tpm=60_000)
    for _ in range(3):
        call = {"id": "g", "likely": 500, "most": 500}
        assert bench.call("acquire", wanted=[call], waiter="w")[0] == "granted"
    assert bench.grants(500) == 2


# --- leases --------------------------------------------------------------------------------------


def test_a_settled_call_frees_its_place_and_settling_twice_frees_no_other(bench):
    bench.warm(max_in_flight=2)
    first = bench.grant(1)
    bench.grant(1)
    assert bench.acquire(1) == "in_flight"
    bench.call("settle", **first)
    bench.call("settle", **first)
    assert bench.grants(1) == 1


def test_the_calls_of_a_killed_worker_stop_counting_when_their_leases_run_out(bench):
    bench.warm(max_in_flight=3)
    assert bench.grants(1) == 3
    bench.now += LEASE_S - 0.01
    assert bench.acquire(1) == "in_flight"
    bench.now += 0.02
    assert bench.grants(1) == 3


def test_a_renewed_lease_lives_on(bench):
    bench.warm(max_in_flight=1)
    grant = bench.grant(1)
    for _ in range(5):
        bench.now += LEASE_S - 1
        bench.call("renew", leases=[(grant["id"], grant["granted_at"])])
        assert bench.acquire(1) == "in_flight"


def test_a_renewal_that_comes_too_late_brings_no_settled_call_back(bench):
    bench.warm(max_in_flight=1)
    grant = bench.grant(1)
    bench.call("settle", **grant)
    bench.call("renew", leases=[(grant["id"], grant["granted_at"])])
    bench.grant(1)


# --- refunds and debts ---------------------------------------------------------------------------


def test_what_was_not_used_can_be_used_by_others(bench):
    bench.warm(tpm=60_000)
    grant = bench.grant(1_500)
    assert bench.acquire(1_000) == "tokens"
    bench.call("settle", **grant, used=500, reserved=1_500)
    bench.grant(1_000)


def test_what_was_used_beyond_the_estimate_becomes_a_debt(bench):
    bench.warm(tpm=60_000)
    grant = bench.grant(500)
    bench.call("settle", **grant, used=3_500, reserved=3_500)
    assert bench.acquire(500) == "tokens"
    assert bench.retry_after == pytest.approx(2.5, abs=0.01)


def test_where_the_usage_is_not_known_the_estimate_stands(bench):
    bench.warm(tpm=60_000)
    bench.call("settle", **bench.grant(1_500))
    assert bench.acquire(1_000) == "tokens"


def test_a_call_that_was_never_made_leaves_no_trace(bench):
    bench.warm(tpm=60_000, rpm=40)
    grant = bench.grant(1_500)
    assert bench.acquire(1_500) == "tokens"
    bench.call("settle", **grant, unsent=True)
    bench.grant(1_500)


def test_a_call_that_goes_out_late_holds_its_share_of_the_window_for_longer(bench):
    bench.warm(rpm=1)
    grant = bench.grant(1)
    bench.now += 20
    before = bench.charges()
    grant["slot"], grant["granted_at"] = bench.call("delay", **grant)
    assert bench.charges() == before
    assert bench.wait() == pytest.approx(WINDOW_S + SPREAD_S, abs=0.4)


def test_a_late_call_is_corrected_where_it_counts(bench, client):
    bench.warm(tpm=60_000)
    grant = bench.grant(1_000)
    bench.now += 20
    grant["slot"], grant["granted_at"] = bench.call("delay", **grant)
    bench.call("settle", **grant, used=300, reserved=300)
    assert float(client.hget(KEYS[0], f"t:{grant['slot']}")) == 300


# --- a new state ---------------------------------------------------------------------------------


def test_after_redis_lost_its_data_nothing_is_granted_before_every_holder_had_time_to_renew(bench):
    bench.start(max_in_flight=2)
    assert bench.acquire(1) == "hold"
    assert bench.retry_after == HOLD_S
    bench.call("renew", leases=[("old1", 0), ("old2", 0)])
    bench.now += HOLD_S
    assert bench.acquire(1) == "in_flight"


def test_after_redis_lost_its_data_the_buckets_start_empty(bench):
    bench.start(rpm=600, tpm=60_000)
    bench.acquire(1)
    bench.now += HOLD_S
    went = bench.grants(1)
    for _ in range(100):
        bench.now += 0.1
        went += bench.grants(1)
    assert went == pytest.approx(100, abs=6)


def test_a_grant_of_before_the_loss_changes_nothing_after_it(bench, client):
    bench.warm(tpm=60_000)
    grant = bench.grant(1_500)
    bench.lose_data()
    bench.now += 1
    bench.call("renew", leases=[(grant["id"], grant["granted_at"])])
    used = client.hget(KEYS[0], "used_t")
    bench.call("settle", **grant, used=1, reserved=1)
    assert client.hget(KEYS[0], "used_t") == used
    assert client.zcard(KEYS[1]) == 0


# --- pauses and what they teach ------------------------------------------------------------------


def test_a_pause_stops_everybody_and_the_longest_one_holds(bench):
    bench.warm(rpm=600)
    grant = bench.grant(1)
    bench.call("pause", **grant, over_limit=False, wait_us=30_000_000)
    bench.call("pause", **grant, over_limit=False, wait_us=5_000_000)
    assert bench.acquire(1) == "pause"
    assert bench.retry_after == 30


def test_without_a_wait_from_the_provider_pauses_double_until_a_call_goes_well(bench):
    bench.warm(rpm=600)
    pauses = []
    for _ in range(8):
        grant = bench.grant(1)
        bench.now += 0.01
        pauses.append(bench.call("pause", **grant, over_limit=False)[0] / 1000)
        bench.now += pauses[-1] + 10
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    bench.call("settle", **bench.grant(1), used=1, reserved=1)
    grant = bench.grant(1)
    assert bench.call("pause", **grant, over_limit=False)[0] == 1_000


def factor(client: "redis.Redis") -> float:
    return float(client.hget(KEYS[0], "factor") or 0)


def test_a_storm_of_refusals_slows_down_once(bench, client):
    bench.warm(rpm=600)
    grants = [bench.grant(1) for _ in range(10)]
    for grant in grants:
        bench.now += 0.5
        bench.call("pause", **grant, over_limit=False, wait_us=100_000)
    assert factor(client) == pytest.approx(0.8)


def test_the_next_storm_slows_down_again_and_quiet_brings_the_rate_back(bench, client):
    bench.warm(rpm=600)
    for _ in range(2):
        bench.now += 0.1
        bench.call("pause", **bench.grant(1), over_limit=False, wait_us=1_000)
    assert factor(client) == pytest.approx(0.64, abs=0.001)
    bench.now += 10 * WINDOW_S
    assert bench.grants(1) == 15


def test_it_creeps_back_and_does_not_jump(bench):
    bench.warm(rpm=600)
    bench.call("pause", **bench.grant(1), over_limit=False, wait_us=1_000)
    bench.now += WINDOW_S
    assert bench.grants(1) == int(15 * 0.92)


def test_a_provider_that_counts_more_than_is_used_is_found_out_by_its_refusals(bench):
    bench.warm(tpm=60_000)
    charged = []
    for _ in range(3):
        grant = bench.grant(100, most=900)
        charged.append(grant["charged"])
        bench.call("pause", **grant, over_limit=True, wait_us=1_000)
        bench.call("settle", **grant)
        bench.now += 3 * WINDOW_S
    assert charged == [100, 900, 900]
    grant = bench.grant(100, most=900)
    bench.call("settle", **grant, used=100, reserved=850)
    assert bench.grants(650) == 1  # 1,500 - 850: what was reserved stays counted


def test_a_refusal_says_that_the_providers_window_is_full(bench):
    bench.warm(tpm=60_000)
    grant = bench.grant(100, most=900)
    bench.call("pause", **grant, over_limit=True, wait_us=1_000)
    bench.now += 1
    assert bench.acquire(100) == "tokens"
    assert bench.retry_after > 50


def test_an_overload_teaches_nothing_about_counting(bench):
    bench.warm(tpm=60_000)
    bench.call("pause", **bench.grant(100, most=900), over_limit=False, wait_us=1_000)
    bench.now += 2 * WINDOW_S
    assert bench.grant(100, most=900)["charged"] == 100


def test_what_headers_say_is_left_counts_when_it_is_less(bench):
    bench.warm(rpm=600, tpm=60_000)
    bench.call("settle", **bench.grant(100), used=100, reserved=100, left_r=100, left_t=0)
    assert bench.acquire(4_000) == "tokens"
    bench.now += 10
    assert bench.acquire(4_000) == "tokens"


def test_a_header_that_differs_by_calls_under_way_changes_nothing(bench, client):
    bench.warm(tpm=60_000)
    bench.call("settle", **bench.grant(100), used=100, reserved=100, left_t=57_500)
    assert float(client.hget(KEYS[0], "used_t")) == 100


def test_limits_that_the_config_does_not_have_are_taken_from_headers(bench):
    bench.warm()
    bench.call("settle", **bench.grant(100), used=1, reserved=1, limit_r=600, left_r=599)
    bench.now += WINDOW_S
    assert bench.grants(1) == 15


def test_the_config_wins_over_headers(bench):
    bench.warm(rpm=40)
    bench.call("settle", **bench.grant(100), used=1, reserved=1, limit_r=6_000, left_r=5_999)
    bench.now += WINDOW_S
    assert bench.grants(1) == 1


# --- the line ------------------------------------------------------------------------------------


def test_whoever_waits_longest_goes_first(bench):
    bench.warm(tpm=60_000)
    bench.grant(1_500)
    assert bench.acquire(1_500, waiter="large") == "tokens"
    bench.now += 0.5
    assert bench.acquire(10, waiter="small") == "turn"
    assert bench.acquire(10) == "turn"
    bench.now += 1.0
    assert isinstance(bench.acquire(1_500, waiter="large"), dict)
    assert bench.acquire(10, waiter="small") == "tokens"


def test_a_waiter_that_died_is_passed_over_soon(bench):
    bench.warm(tpm=60_000)
    bench.grant(1_500)
    bench.acquire(500, waiter="dead")
    bench.now += bench.retry_after + 0.9
    assert bench.acquire(500, waiter="next") == "turn"
    bench.now += 0.2
    assert isinstance(bench.acquire(500, waiter="next"), dict)


# --- whole histories against a strict provider ----------------------------------------------------

RPM, TPM, PLACES = 20, 2_000, 4
REQUESTS = st.fixed_dictionaries(
    {
        "what": st.just("request"),
        "tokens": st.lists(st.integers(1, 300), min_size=1, max_size=3),
        "delay": st.sampled_from([0.0, 0.25, 1.0]),
        "share": st.sampled_from([0.0, 0.5, 1.0]),
        "lasts": st.sampled_from([0.0, 1.0, 4.0]),
    }
)
EVENTS = st.one_of(
    st.fixed_dictionaries({"what": st.just("idle"), "seconds": st.integers(1, 30)}),
    st.fixed_dictionaries({"what": st.just("lose_data")}),
    st.fixed_dictionaries({"what": st.just("kill")}),
)
HISTORIES = st.lists(st.one_of(*[REQUESTS] * 9, EVENTS), min_size=60, max_size=120)


class Provider:
    """Requests as they reach a provider: each a while after its grant, a second at most."""

    def __init__(self) -> None:
        self.events: list[tuple[float, int, float]] = []

    def arrives(self, at: float, tokens: float) -> int:
        self.events.append((at, len(self.events), tokens))
        return len(self.events) - 1

    def corrects(self, at: float, number: int, tokens: float) -> None:
        self.events.append((at, number, tokens))

    def check(self, span: float) -> None:
        """No window held more than the limits when a request arrived."""
        requests, tokens = Window(), Window()
        entries: dict[int, list[float]] = {}
        for at, number, amount in sorted(self.events, key=lambda event: event[0]):
            if number in entries:
                tokens.used(at, span)
                tokens.correct(entries[number], amount)
                continue
            assert requests.wait(1, RPM, at, span) == 0
            assert tokens.wait(amount, TPM, at, span) == 0
            requests.add(1, at)
            entries[number] = tokens.add(amount, at)


@dataclass
class Call:
    """A call that is under way."""

    grant: dict[str, Any]
    number: int
    ends: float
    used: int


class History:
    """Many requests, each let out as early as the script allows, and what befalls them."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.provider = Provider()
        self.calls: list[Call] = []
        bench.window_s, bench.spread_s = 10.0, 1.0
        bench.warm(rpm=RPM, tpm=TPM, max_in_flight=PLACES)

    def play(self, what: str, **values: Any) -> None:
        getattr(self, what)(**values)

    def request(self, tokens: list[int], delay: float, share: float, lasts: float) -> None:
        for _ in range(200):
            found = self.bench.acquire_some([(amount, amount) for amount in tokens])
            if not isinstance(found, str):
                break
            self.until(self.bench.now + min(self.bench.retry_after, 1.0))
        assert not isinstance(found, str), "it is never let through"
        arrives = self.bench.now + delay
        for grant, amount in zip(found, tokens, strict=False):
            number = self.provider.arrives(arrives, amount)
            self.calls.append(Call(grant, number, arrives + lasts, int(amount * share)))
        assert len(self.calls) <= PLACES

    def idle(self, seconds: int) -> None:
        for _ in range(seconds):
            self.until(self.bench.now + 1)

    def lose_data(self) -> None:
        self.bench.lose_data()
        self.renew()

    def kill(self) -> None:
        """A worker dies with its call: it is not renewed any more, and its tokens stay counted."""
        if self.calls:
            self.calls.pop()

    def until(self, moment: float) -> None:
        """Let time pass, calls end and leases be renewed."""
        for call in sorted(self.calls, key=lambda call: call.ends):
            if call.ends <= moment:
                self.bench.now = max(self.bench.now, call.ends)
                self.provider.corrects(self.bench.now, call.number, call.used)
                self.bench.call("settle", **call.grant, used=call.used, reserved=call.used)
                self.calls.remove(call)
        self.bench.now = max(self.bench.now, moment)
        self.renew()

    def renew(self) -> None:
        leases = [(call.grant["id"], call.grant["granted_at"]) for call in self.calls]
        self.bench.call("renew", leases=leases)


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(HISTORIES)
def test_no_history_breaks_a_strict_providers_limits_or_the_places_in_flight(client, history):
    bench = Bench(client)
    played = History(bench)
    for step in history:
        played.play(**step)
    played.provider.check(bench.window_s)


# --- all or nothing, and how much at once ---------------------------------------------------------

ANY_LIMITS = st.fixed_dictionaries(
    {},
    optional={
        "rpm": st.sampled_from([30, 600]),
        "tpm": st.sampled_from([6_000, 60_000]),
        "max_in_flight": st.sampled_from([1, 4]),
    },
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.lists(st.integers(1, 900), min_size=1, max_size=4)),
        st.tuples(st.just("ask"), st.lists(st.integers(1, 90), min_size=1, max_size=4)),
        st.tuples(st.just("sleep"), st.sampled_from([0.05, 0.5, 3.0])),
        st.tuples(st.just("pause"), st.sampled_from([0.2, 1.0])),
        st.tuples(st.just("lose data"), st.none()),
    ),
    min_size=10,
    max_size=40,
)


def assert_charged(before: list[float], after: list[float], amounts: list[int]) -> None:
    """Every limit was charged these requests, and nothing else."""
    number, tokens = len(amounts), sum(amounts)
    charged = [new - old for old, new in zip(before, after, strict=True)]
    assert charged == pytest.approx([number, tokens, -number, -tokens, number], abs=1e-3)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(ANY_LIMITS, STEPS)
def test_a_request_is_charged_to_every_limit_or_to_none(client, limits, steps):
    bench = Bench(client)
    bench.warm(**limits)
    last = None
    for what, value in steps:
        if what == "sleep":
            bench.now += value
        elif what == "lose data":
            bench.lose_data()
        elif what == "pause" and last:
            bench.call("pause", **last, over_limit=False, wait_us=round(value * 1e6))
        elif what == "ask":
            bench.call("renew", leases=[])
            client.zremrangebyscore(KEYS[1], "-inf", (START_S + bench.now) * 1e6)
            before = bench.charges()
            found = bench.acquire_some([(tokens, tokens) for tokens in value])
            amounts = [] if isinstance(found, str) else value[: len(found)]
            assert_charged(before, bench.charges(), amounts)
            last = last if isinstance(found, str) else found[0]


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([0.0, 0.01, 0.3, 2.0, 20.0]),
            st.lists(st.integers(1, 1_500), min_size=1, max_size=8),
        ),
        min_size=10,
        max_size=40,
    )
)
def test_no_stretch_of_time_gets_more_than_a_burst_and_its_share_of_the_rate(client, attempts):
    bench = Bench(client)
    bench.warm(rpm=240, tpm=60_000)
    went: list[tuple[float, int]] = []
    for gap, tokens in attempts:
        bench.now += gap
        found = bench.acquire_some([(amount, amount) for amount in tokens])
        went += [] if isinstance(found, str) else [(bench.now, t) for t in tokens[: len(found)]]
    for start, (since, _) in enumerate(went):
        for end in range(start, len(went)):
            stretch = BURST_S + went[end][0] - since + 1e-6
            assert end - start + 1 <= 4 * stretch + 1e-3
            assert sum(amount for _, amount in went[start : end + 1]) <= 1_000 * stretch + 1e-2


def test_a_thousand_waiting_requests_use_98_percent_of_the_limit(bench):
    bench.warm(tpm=60_000)
    bench.now += bench.wait(100)
    for _ in range(1_500):
        bench.wait(100)
    started = bench.now
    for _ in range(3_000):
        bench.wait(100)
    assert 300_000 / ((bench.now - started) * 1_000) >= 0.98
