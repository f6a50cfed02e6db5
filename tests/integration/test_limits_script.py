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
PARTS = ("state", "leases", "line", "promises")
SHUT = "test:{e}:shut"
START_S = 1_800_000_000
WINDOW_S, SPREAD_S, LEASE_S, HOLD_S = 60.0, 0.5, 10.0, 2.0
TIMES_S = {"lease": LEASE_S, "hold": HOLD_S, "sleep": 5.0, "pause": 1.0, "longest_pause": 60.0}
BURST_S = 1.5


def key(part: str, model: str | None = "m") -> str:
    """A key of a model's, or of the engine's."""
    return f"test:{{e}}/{model}:{part}" if model is not None else f"test:{{e}}:{part}"


class Bench:
    """The script at a moment of the test's choice."""

    def __init__(self, client: "redis.Redis", stated: str = "engine") -> None:
        faked = source().replace("redis.call('TIME')", f"redis.call('LRANGE', '{CLOCK}', 0, 1)")
        assert faked != source()
        self._client = client
        self._script = client.register_script(faked)
        self.window_s, self.spread_s = WINDOW_S, SPREAD_S
        self._stated = stated
        self.models: dict[str, dict[str, int]] = {}
        """Limits of models by name."""
        self.start()

    def start(self, **limits: int) -> None:
        """Empty Redis, new limits, and the first contact already some time ago."""
        self.whole = limits if self._stated == "engine" else {}
        self.models = {"m": limits} if self._stated == "model" else {}
        self.granted = 0
        self.now = self.retry_after = 0.0
        self.lose_data()

    def warm(self, *models: str, **limits: int) -> None:
        """Limits of which a whole window has gone by unused."""
        self.start(**limits)
        for model in models or ["m"]:
            self.acquire(1, model=model)
        self.now += 2 * self.window_s

    def lose_data(self) -> None:
        self._client.flushall()

    def call(self, op: str, model: str | None = "m", **values: Any) -> Sequence[Any]:
        seconds, part = divmod(round(self.now * 1_000_000), 1_000_000)
        with self._client.pipeline() as pipe:
            pipe.delete(CLOCK)
            pipe.rpush(CLOCK, START_S + seconds, part)
            pipe.execute()
        times = {"window": self.window_s, "spread": self.spread_s, **TIMES_S}
        fixed = {f"{name}_us": round(value * 1_000_000) for name, value in times.items()}
        keys, limits = [key(part, None) for part in ("shut", *PARTS)], {"engine": self.whole}
        if model is not None:
            keys += [key(part, model) for part in PARTS]
            limits |= {"model": self.models.get(model, {})}
        order = json.dumps({"op": op, "name": model, **fixed, **limits, **values})
        answer: Sequence[Any] = self._script(keys=keys, args=[order])
        return answer

    def acquire(self, tokens: int, most: int | None = None, **who: str) -> dict[str, Any] | str:
        """What a grant tells, or the reason why there is none."""
        found = self.acquire_some([(tokens, most or tokens)], **who)
        return found if isinstance(found, str) else found[0]

    def acquire_some(
        self, wanted: Sequence[tuple[int, int]], waiter: str = "w", model: str = "m"
    ) -> list[dict[str, Any]] | str:
        """The grants of the first few of (likely, most), or the reason why there is none."""
        calls = [{"likely": likely, "most": most, "id": self._name()} for likely, most in wanted]
        said, *rest = self.call("acquire", model, wanted=calls, waiter=waiter)
        if said != "granted":
            self.retry_after = rest[0] / 1000
            return str(said)
        slot, moment, *charged = rest
        told = {"model": model, "slot": slot, "granted_at": moment}
        return [
            {"id": call["id"], "charged": tokens, **told}
            for call, tokens in zip(calls, charged, strict=False)
        ]

    def _name(self) -> str:
        self.granted += 1
        return f"g{self.granted}"

    def charges(self, model: str | None = "m") -> list[float]:
        """What stands counted at this moment: requests, tokens, both paces, leases."""
        self.call("renew", model, leases=[])
        names = ("used_r", "used_t", "pace_r", "pace_t")
        counted = self._client.hmget(key("state", model), *names)
        return [*map(float, counted), self._client.zcard(key("leases", model))]

    def grant(self, tokens: int = 1, most: int | None = None, **who: str) -> dict[str, Any]:
        found = self.acquire(tokens, most, **who)
        assert isinstance(found, dict), found
        return found

    def grants(self, tokens: int, **who: str) -> int:
        """How many go out at once."""
        number = 0
        while isinstance(self.acquire(tokens, **who), dict):
            number += 1
        return number

    def wait(self, tokens: int = 1, **who: str) -> float:
        """Seconds until a request is let through, sleeping exactly as told; then it is."""
        started = self.now
        while isinstance(self.acquire(tokens, **who), str):
            self.now += self.retry_after
        return self.now - started

    def well(self, grant: dict[str, Any], **values: Any) -> None:
        """The call was answered."""
        self.call("settle", **grant, well=True, **values)


@pytest.fixture(scope="module")
def client(servers: tuple[str, str]) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(servers[1], decode_responses=True) as connection:
        yield connection


@pytest.fixture(params=["engine", "model"])
def bench(client: "redis.Redis", request: pytest.FixtureRequest) -> Bench:
    """Where one model is asked alone, it is all one whose the limits are."""
    return Bench(client, request.param)


@pytest.fixture
def models(client: "redis.Redis") -> Bench:
    """For several models of one engine."""
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
    assert float(client.hget(key("state"), f"t:{grant['slot']}")) == 300


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
    used = client.hget(key("state"), "used_t")
    bench.call("settle", **grant, used=1, reserved=1)
    assert client.hget(key("state"), "used_t") == used
    assert client.zcard(key("leases")) == 0


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
    bench.well(bench.grant(1), used=1, reserved=1)
    grant = bench.grant(1)
    assert bench.call("pause", **grant, over_limit=False)[0] == 1_000


def factor(client: "redis.Redis") -> float:
    return float(client.hget(key("state"), "factor") or 0)


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
    assert float(client.hget(key("state"), "used_t")) == 100


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


# --- two scopes ----------------------------------------------------------------------------------


def test_what_all_models_may_have_in_flight_is_counted_over_all_of_them(models):
    models.warm("a", "b", "c", max_in_flight=2)
    models.now += LEASE_S
    grants = [models.acquire(1, model=model, waiter=model) for model in "abc"]
    assert grants[2] == "in_flight"
    assert isinstance(grants[0], dict)
    assert isinstance(grants[1], dict)
    models.now += 0.1
    models.well(grants[0])
    assert models.acquire(1, model="a", waiter="a") == "turn"
    models.grant(model="c", waiter="c")


@pytest.mark.parametrize(
    ("limits", "tokens", "reason"), [({"rpm": 80}, 1, "requests"), ({"tpm": 8_000}, 100, "tokens")]
)
def test_the_engines_requests_and_tokens_are_shared_by_its_models(models, limits, tokens, reason):
    models.warm("a", "b", **limits)
    models.grant(tokens, model="a")
    models.grant(tokens, model="b")
    assert models.acquire(tokens, model="a") == reason
    assert models.acquire(tokens, model="b", waiter="other") == "turn"


def test_a_model_has_a_limit_of_its_own_below_the_engines(models):
    models.warm("a", "b", max_in_flight=3)
    models.now += LEASE_S
    models.models["a"] = {"max_in_flight": 1}
    models.grant(model="a")
    assert models.acquire(1, model="a") == "in_flight"
    assert models.grants(1, model="b") == 2


def test_what_a_model_teaches_is_not_learnt_of_the_others(models):
    models.warm("a", "b", tpm=60_000)
    models.call("pause", **models.grant(100, most=900, model="a"), over_limit=True, wait_us=1_000)
    models.call("pause", **models.grant(100, most=900, model="b"), over_limit=False, wait_us=1_000)
    models.now += 0.01
    models.well(models.grant(model="b"), limit_r=80, left_r=79)
    models.now += 3 * WINDOW_S
    assert models.grant(100, most=900, model="a")["charged"] == 900
    assert models.grant(100, most=900, model="b")["charged"] == 100
    models.now += 60
    assert models.grants(1, model="a") > 2
    models.now += 60
    assert models.grants(1, model="b") == 2


def test_a_refusal_where_the_engines_requests_are_used_up_teaches_nothing_about_tokens(models):
    models.warm("a", "b", rpm=40, tpm=600_000)
    for _ in range(37):
        models.wait(model="b")
    grant = models.acquire(100, most=900, model="a", waiter="a")
    while isinstance(grant, str):
        models.now += models.retry_after
        grant = models.acquire(100, most=900, model="a", waiter="a")
    models.call("pause", **grant, over_limit=True, wait_us=1_000)
    models.now += 3 * WINDOW_S
    assert models.grant(100, most=900, model="a")["charged"] == 100


def test_the_cut_of_one_model_leaves_the_engines_rate_to_the_others(models):
    models.warm("a", "b", rpm=600)
    models.call("pause", **models.grant(model="a"), over_limit=False, wait_us=1_000)
    models.now += 10
    models.call("renew", "a", leases=[])
    assert models.grants(1, model="b") == 15


def test_a_refusal_slows_down_also_where_headers_say_more_than_the_config(bench):
    bench.warm(rpm=600)
    bench.well(bench.grant(1), limit_r=6_000, left_r=5_999)
    bench.call("pause", **bench.grant(1), over_limit=False, wait_us=1_000)
    bench.now += WINDOW_S
    assert bench.grants(1) == int(15 * 0.92)


def test_a_call_that_goes_out_late_counts_later_for_the_engine_too(models):
    models.warm("a", "b", rpm=1)
    grant = models.grant(model="a")
    models.now += 20
    models.call("delay", **grant)
    assert models.wait(model="b") == pytest.approx(WINDOW_S + SPREAD_S, abs=0.4)


def test_a_limit_that_turns_out_to_be_the_days_is_forgotten(bench):
    bench.warm()
    bench.well(bench.grant(1), limit_r=40, left_r=39)
    bench.now += WINDOW_S
    assert bench.grants(1) == 1
    bench.now += WINDOW_S
    bench.well(bench.grant(1), daily_r=40)
    assert all(isinstance(bench.acquire(1), dict) for _ in range(20))


def test_whoever_waits_longest_for_the_engine_goes_first_whichever_the_model(models):
    models.warm("a", "b", "c", tpm=60_000)
    models.grant(1_500, model="c")
    assert models.acquire(1_500, model="a", waiter="large") == "tokens"
    models.now += 0.5
    assert models.acquire(10, model="b", waiter="small") == "turn"
    models.now += 1.0
    models.grant(1_500, model="a", waiter="large")
    assert models.acquire(10, model="b", waiter="small") == "tokens"


def test_models_that_wait_for_the_engine_take_turns(models):
    """One asks for a hundred calls at a time, the other for one."""
    models.warm("a", "b", rpm=600)
    went = {"a": 0, "b": 0}
    for _ in range(1_000):
        models.now += 0.05
        for model, wanted in (("a", 100), ("b", 1)):
            found = models.acquire_some([(1, 1)] * wanted, model=model, waiter=model)
            went[model] += 0 if isinstance(found, str) else len(found)
    assert went["b"] > 0.4 * sum(went.values()) > 0.4 * 0.95 * 500


def test_who_waits_for_its_own_model_holds_no_other_model_up(models):
    models.warm("a", "b", max_in_flight=10, tpm=60_000)
    models.models["a"] = {"tpm": 600}
    models.grant(15, model="a")
    assert models.acquire(600, model="a", waiter="a") == "tokens"
    assert models.grants(500, model="b", waiter="b") == 2


def test_who_waited_for_the_engine_and_is_held_up_by_its_model_then_leaves_its_line(models):
    models.warm("a", "b", "c", max_in_flight=1)
    models.now += LEASE_S
    grant = models.grant(model="c")
    assert models.acquire(600, model="a", waiter="a") == "in_flight"
    models.now += 0.1
    assert models.acquire(1, model="b", waiter="b") == "turn"
    models.well(grant)
    models.models["a"] = {"tpm": 600}
    assert models.acquire(600, model="a", waiter="a") == "tokens"
    models.grant(model="b", waiter="b")


def test_who_waited_for_the_engine_and_is_paused_then_leaves_its_line(models):
    models.warm("a", "b", max_in_flight=2)
    models.now += LEASE_S
    first, second = models.grant(model="a"), models.grant(model="a")
    assert models.acquire(1, model="a", waiter="a") == "in_flight"
    assert models.acquire(1, model="b", waiter="b") == "turn"
    models.call("pause", **first, over_limit=False, wait_us=60_000_000)
    models.grant(model="b", waiter="b")
    models.well(second)
    assert models.acquire(1, model="a", waiter="a") == "pause"
    models.grant(model="b", waiter="b")


def test_who_waits_no_more_leaves_its_place_to_the_next(models):
    models.warm("a", "b", max_in_flight=1)
    models.now += LEASE_S
    grant = models.grant(model="a")
    assert models.acquire(1, model="a", waiter="gone") == "in_flight"
    models.call("leave", "a", waiter="gone")
    models.well(grant)
    models.grant(model="b")


def test_a_waiter_that_died_in_a_long_pause_is_passed_over_soon_after_its_end(bench):
    bench.warm(rpm=600)
    bench.call("pause", **bench.grant(1), over_limit=False, wait_us=86_400_000_000)
    assert bench.acquire(1, waiter="dead") == "pause"
    bench.call("lift")
    bench.now += 6.1  # longer than a waiter sleeps
    bench.grant(1, waiter="next")


# --- trouble -------------------------------------------------------------------------------------


def fail(bench: Bench, grant: dict[str, Any] | None = None, **values: Any) -> None:
    bench.call("trouble", **(grant or bench.grant()), **values)


def shut_for(bench: Bench, **who: str) -> float:
    """Seconds that a scope is still shut for, 0 when it is not."""
    return bench.retry_after if bench.acquire(1, **who) == "pause" else 0.0


def test_a_paused_model_lets_the_others_go(models):
    models.warm("a", "b", rpm=6_000)
    models.call("pause", **models.grant(model="a"), over_limit=False, wait_us=60_000_000)
    assert models.acquire(1, model="a", waiter="a") == "pause"
    assert models.grants(1, model="b", waiter="b") > 100


def test_trouble_without_a_good_answer_shuts_for_longer_each_time_by_how_long_it_has_lasted(bench):
    bench.warm(rpm=600)
    pauses, began = [], bench.now
    while bench.now < began + 900:
        fail(bench)
        pauses.append(shut_for(bench))
        bench.now += pauses[-1]
    assert pauses[:7] == [1, 2, 3, 3, 3, 3, 3]
    lasted = [sum(pauses[:n]) for n in range(len(pauses))]
    for pause, so_long in zip(pauses[7:], lasted[7:], strict=True):
        assert pause == pytest.approx(min(60, 0.18 * so_long), abs=0.02)
    assert pauses[-1] == 60
    bench.well(bench.grant())
    bench.now += 1
    fail(bench)
    assert shut_for(bench) == 1


def test_the_failures_of_one_storm_count_once(bench):
    bench.warm(rpm=600)
    grants = [bench.grant() for _ in range(10)]
    for grant in grants:
        fail(bench, grant)
    assert shut_for(bench) == 1
    bench.now += 1
    fail(bench)
    assert shut_for(bench) == 2


@pytest.mark.parametrize(
    ("outcomes", "shuts"),
    [
        ("x", True),
        ("." * 20 + "x", False),
        ("." * 20 + "xxxx", False),
        ("." * 20 + "xxxxx", True),
        ("." * 4 + "x", False),
        ("." * 3 + "x", True),
        ("x" + "." * 40 + "xxxx", False),
    ],
)
def test_a_scope_is_shut_when_more_than_a_fifth_of_its_last_twenty_calls_failed(
    bench, outcomes, shuts
):
    bench.warm()
    for outcome in outcomes:
        bench.now += 1.1
        if outcome == ".":
            bench.well(bench.grant())
        else:
            fail(bench)
    assert (shut_for(bench) > 0) is shuts


def test_when_the_pause_is_over_one_call_tries_and_the_others_wait_for_it(bench):
    bench.warm(rpm=600)
    fail(bench)
    bench.now += 1
    [probe] = bench.acquire_some([(1, 1)] * 3)
    assert bench.acquire(1, waiter="other") == "probe"
    bench.now += LEASE_S - 1
    bench.call("renew", leases=[(probe["id"], probe["granted_at"])])
    assert bench.acquire(1, waiter="other") == "probe"
    bench.well(probe)
    assert bench.grants(1, waiter="other") > 1


def test_what_failed_in_a_storm_is_forgotten_with_its_end(bench):
    bench.warm()
    for _ in range(4):
        fail(bench)
        bench.now += 60
    for _ in range(4):
        bench.well(bench.grant())
    fail(bench)
    assert shut_for(bench) == 0


def test_a_call_that_tried_and_failed_shuts_again_and_one_that_never_went_out_lets_the_next(bench):
    bench.warm(rpm=600)
    fail(bench)
    bench.now += 1
    bench.call("settle", **bench.grant(), unsent=True)
    fail(bench)
    assert shut_for(bench) == 2


def test_the_next_one_tries_when_the_worker_that_tried_was_killed(bench):
    bench.warm(rpm=600)
    fail(bench)
    bench.now += 1
    bench.grant()
    bench.now += LEASE_S - 0.01
    assert bench.acquire(1) == "probe"
    bench.now += 0.02
    bench.grant()


def test_answers_of_before_the_storm_do_not_end_it(bench):
    bench.warm(rpm=600)
    late = bench.grant()
    fail(bench)
    bench.well(late)
    bench.now += 1
    bench.grant()
    assert bench.acquire(1) == "probe"


def test_a_refusal_says_nothing_of_trouble_and_ends_none(bench):
    bench.warm(rpm=600)
    fail(bench)
    bench.now += 1
    bench.call("pause", **bench.grant(), over_limit=True, wait_us=2_000_000)
    bench.now += 2 * WINDOW_S
    bench.grant()
    assert bench.acquire(1) == "probe"


def test_trouble_of_one_model_leaves_the_others_alone(models):
    models.warm("a", "b", rpm=6_000)
    for _ in range(5):
        fail(models, models.grant(model="a", waiter="a"))
        assert models.acquire(1, model="a", waiter="a") == "pause"
        models.well(models.grant(model="b"))
        models.now += 61


def test_two_models_in_trouble_with_no_good_answer_in_between_are_the_engines(models):
    models.warm("a", "b", "c", rpm=6_000)
    for _ in range(3):
        fail(models, models.grant(model="a"))
        models.now += 61
    assert isinstance(models.acquire(1, model="c"), dict)
    fail(models, models.grant(model="b"))
    assert shut_for(models, model="c", waiter="c") == 1
    models.now += 1
    models.well(models.grant(model="c", waiter="c"))
    assert models.grants(1, model="c") > 1


def test_the_engine_takes_over_how_long_its_model_is_shut_by_now(models):
    """Else a storm that has lasted would be let in again with each model that joins it."""
    models.warm("a", "b", "c", rpm=6_000)
    for _ in range(4):
        fail(models, models.grant(model="a"))
        models.now += 60
        models.well(models.grant(model="c"))
    fail(models, models.grant(model="b"))
    models.now += 1
    fail(models, models.grant(model="a"))
    assert shut_for(models, model="c") == 16


def test_an_engine_that_was_lifted_is_shut_again_where_nothing_has_changed(models):
    models.warm("a", "b", "c", rpm=6_000)
    for _ in range(2):
        fail(models, models.grant(model="a"))
        fail(models, models.grant(model="b"))
        assert shut_for(models, model="c") > 0
        models.call("lift", None)
        models.now += 60
    models.grant(model="c")


def test_no_way_to_the_engine_shuts_all_models_and_one_call_of_any_opens_them(models):
    models.warm("a", "b", rpm=6_000)
    fail(models, models.grant(model="a"), whole=True)
    assert shut_for(models, model="a", waiter="a") == 1
    assert shut_for(models, model="b", waiter="b") == 1
    models.now += 1
    probe = models.grant(model="a", waiter="a")
    assert models.acquire(1, model="b", waiter="b") == "probe"
    models.well(probe)
    models.grant(model="b", waiter="b")


def test_a_wait_that_was_asked_for_is_kept_also_where_the_engine_is_well(bench):
    bench.warm()
    for _ in range(20):
        bench.well(bench.grant())
    fail(bench, wait_us=30_000_000)
    assert shut_for(bench) == 30
    bench.now += 30
    assert isinstance(bench.acquire_some([(1, 1)] * 3), list)


def test_trouble_told_twice_counts_once(bench):
    bench.warm()
    for _ in range(20):
        bench.well(bench.grant())
    grant = bench.grant()
    for _ in range(10):
        fail(bench, grant)
    bench.grant()


@pytest.mark.parametrize("whole", [False, True])
def test_a_lift_ends_pauses_and_breaker_at_once_and_what_came_before_is_forgotten(bench, whole):
    bench.warm(rpm=600)
    grant = bench.grant()
    for _ in range(4):
        fail(bench, whole=whole)
        bench.now += 60
    fail(bench, whole=whole, wait_us=86_400_000_000)
    assert shut_for(bench) == 86_400
    bench.call("lift", None if whole else "m")
    fail(bench, grant, whole=whole)  # it went out before
    assert bench.grants(1) > 1
    bench.now += 5
    fail(bench, whole=whole)
    assert shut_for(bench) == 1


def test_lifting_another_scope_changes_nothing(models):
    models.warm("a", "b", rpm=600)
    fail(models, models.grant(model="a"), wait_us=60_000_000)
    models.call("lift", None)
    models.call("lift", "b")
    assert shut_for(models, model="a") == 60


def test_what_is_shut_stands_there_with_its_reason_until_it_is_not(models, client):
    models.warm("a", "b", rpm=600)
    refused = models.grant(model="a")
    models.call("pause", **refused, over_limit=False)
    since = client.hget(key("state", "a"), "since")
    fail(models, models.grant(model="b"), whole=True)
    assert client.hgetall(SHUT) == {"a": "rate_limited", "": "trouble"}
    models.now += 0.5
    models.call("pause", **refused, over_limit=False, wait_us=400_000)
    assert client.hgetall(SHUT)["a"] == "rate_limited"  # for that is the longer one
    assert client.hget(key("state", "a"), "since") == since
    models.now += 0.5
    models.well(models.grant(model="b"))
    models.call("renew", "a", leases=[])
    assert client.hgetall(SHUT) == {}


def test_an_hour_of_errors_makes_two_calls_a_minute_at_most_and_the_first_answer_ends_it(models):
    """Three processes, three models, eight callers each: every call fails at once for an hour."""
    models.warm("a", "b", "c", rpm=6_000, max_in_flight=32)
    models.now += LEASE_S
    storm, began = [], models.now

    def ask() -> None:
        for process in "123":
            for model in "abc":
                found = models.acquire_some([(1, 1)] * 8, model=model, waiter=f"{process}{model}")
                if not isinstance(found, str):
                    under_way.extend(found)

    under_way: list[dict[str, Any]] = []
    while models.now < began + 3_600:
        ask()
        storm += [models.now] * len(under_way)
        models.now += 0.05
        for grant in under_way:
            fail(models, grant)
        under_way.clear()
        models.now += 0.45 if models.now < began + 300 else 4.95
    assert len(storm) <= 120
    minutes = [int((at - began) // 60) for at in storm if at >= began + 300]
    assert max(map(minutes.count, minutes)) <= 2
    assert len(minutes) > 45  # it goes on trying

    while not under_way:
        models.now += 5
        ask()
    [probe] = under_way
    models.well(probe)
    ended = models.now
    answered = {probe["model"]}
    while answered != {"a", "b", "c"}:
        assert models.now < ended + 61
        models.now += 1
        under_way.clear()
        ask()
        for grant in under_way:
            models.well(grant)
        answered |= {grant["model"] for grant in under_way}


# --- whole histories against a strict provider ----------------------------------------------------

RPM, TPM, PLACES = 20, 2_000, 4
REQUESTS = st.fixed_dictionaries(
    {
        "what": st.just("request"),
        "model": st.sampled_from("ab"),
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
        bench.warm("a", "b", rpm=RPM, tpm=TPM, max_in_flight=PLACES)

    def play(self, what: str, **values: Any) -> None:
        getattr(self, what)(**values)

    def request(
        self, model: str, tokens: list[int], delay: float, share: float, lasts: float
    ) -> None:
        for _ in range(200):
            found = self.bench.acquire_some([(amount, amount) for amount in tokens], model=model)
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
        for model in "ab":
            grants = [call.grant for call in self.calls if call.grant["model"] == model]
            leases = [(grant["id"], grant["granted_at"]) for grant in grants]
            self.bench.call("renew", model, leases=leases)


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(HISTORIES)
def test_no_history_of_two_models_breaks_a_strict_providers_limits_or_the_places(client, history):
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
        st.tuples(st.sampled_from("ab"), st.lists(st.integers(1, 900), min_size=1, max_size=4)),
        st.tuples(st.sampled_from("ab"), st.lists(st.integers(1, 90), min_size=1, max_size=4)),
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
@given(ANY_LIMITS, ANY_LIMITS, STEPS)
def test_a_request_is_charged_to_every_limit_of_both_scopes_or_to_none(
    client, limits, of_model_a, steps
):
    bench = Bench(client)
    bench.warm("a", "b", **limits)
    bench.models["a"] = of_model_a
    last = None
    for what, value in steps:
        if what == "sleep":
            bench.now += value
        elif what == "lose data":
            bench.lose_data()
        elif what == "pause" and last:
            bench.call("pause", **last, over_limit=False, wait_us=round(value * 1e6))
        elif what in "ab":
            bench.call("renew", what, leases=[])
            for scope in (what, None):
                client.zremrangebyscore(key("leases", scope), "-inf", (START_S + bench.now) * 1e6)
            before = bench.charges(what), bench.charges(None)
            found = bench.acquire_some([(tokens, tokens) for tokens in value], model=what)
            amounts = [] if isinstance(found, str) else value[: len(found)]
            assert_charged(before[0], bench.charges(what), amounts)
            assert_charged(before[1], bench.charges(None), amounts)
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
