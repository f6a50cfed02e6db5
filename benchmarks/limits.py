"""How much of a provider's limit three processes use, and how often they step over it.

A strict server counts every request of the last `window_s` and answers 429 to any that is over.
Ten minutes are compressed to one: its minute has 6 s, and so has the limiter's. Printed per case:
the share of the binding limit that was used, with what the server held reserved besides for the
calls under way, and its 429s, both after a warm-up in which the limiter may still learn how the
server counts.

    python -m benchmarks.limits [--seconds 60] [--case requests|corrected|reserved]
"""

import argparse
import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from models.embedded import attach_valkey
from tests.stubs.process import StubProcess, stub_process
from worker.llm.engine import EngineError, Message, Request
from worker.llm.grant import Amount, Limits, Timing
from worker.llm.limits import Limiter
from worker.llm.openai import OpenAIEngine
from worker.llm.reserve import OutputReserve
from worker.tokens import estimate

PROCESSES = 3
IN_FLIGHT = 32
"""Calls in flight, all processes together."""

WINDOW_S = 6.0
SPREAD_S = 0.1
"""Twice what production allows for, in proportion: this machine's jitter is not compressed."""

WARM_UP_WINDOWS = 3
LATENCY = "0.1:0.5"
MAX_TOKENS = 128
WORDS = ("rent", "of", "the", "lease", "shall", "be", "paid", "monthly", "by", "tenant")


@dataclass(frozen=True)
class Case:
    """One way in which a server limits. Limits are per window."""

    rpm: int
    tpm: int
    corrects: bool
    """Whether it counts used tokens once a call is over, instead of prompt + max_tokens."""

    @property
    def knobs(self) -> dict[str, str]:
        """For the stub's command line."""
        return {
            "rpm": str(self.rpm),
            "tpm": str(self.tpm),
            "tpm-corrects": str(self.corrects).lower(),
            "window-s": str(WINDOW_S),
            "latency": LATENCY,
        }

    def counted(self, stats: dict[str, Any]) -> dict[str, float]:
        """What the server counted, per limit."""
        output = stats["billed_output"] if self.corrects else stats["answered"] * MAX_TOKENS
        return {"rpm": stats["answered"], "tpm": stats["billed_input"] + output}

    def reserved(self, stats: dict[str, Any]) -> float:
        """Tokens that the server counts for a call under way and will give back."""
        return MAX_TOKENS - stats["billed_output"] / stats["answered"] if self.corrects else 0.0


CASES = {
    "requests": Case(rpm=500, tpm=2_000_000, corrects=True),
    "corrected": Case(rpm=5_000, tpm=200_000, corrects=True),
    "reserved": Case(rpm=5_000, tpm=200_000, corrects=False),
}


def main() -> None:
    """Run the cases and print a line for each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--case", choices=CASES)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        asyncio.run(_worker(**json.loads(options.worker)))
        return
    with tempfile.TemporaryDirectory() as home:
        url = attach_valkey(Path(home))
        for name in [options.case] if options.case else CASES:
            _run(name, url, options.seconds)


def _run(name: str, redis_url: str, seconds: float) -> None:
    case = CASES[name]
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    args = [text for knob, value in case.knobs.items() for text in (f"--{knob}", value)]
    with stub_process("openai", *args) as stub:
        told = {"base_url": stub.url + "/v1", "redis_url": redis_url, "case": name}
        command = [sys.executable, "-m", "benchmarks.limits", "--worker"]
        workers = [
            subprocess.Popen([*command, json.dumps({**told, "seed": seed})])
            for seed in range(PROCESSES)
        ]
        try:
            _measure(name, case, stub, seconds)
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()


def _measure(name: str, case: Case, stub: StubProcess, seconds: float) -> None:
    time.sleep(WARM_UP_WINDOWS * WINDOW_S + 3)  # the limiter's own start, then whole windows
    before, started = stub.stats(), time.monotonic()
    in_flight = []
    while time.monotonic() - started < seconds:
        time.sleep(0.5)
        in_flight.append(stub.stats()["in_flight"])
    after, elapsed = stub.stats(), time.monotonic() - started
    was, now = case.counted(before), case.counted(after)
    limits = {"rpm": case.rpm, "tpm": case.tpm}
    used = {what: (now[what] - was[what]) / (limits[what] * elapsed / WINDOW_S) for what in limits}
    binding = max(used, key=lambda what: used[what])
    reserved = case.reserved(after) * sum(in_flight) / len(in_flight) / case.tpm
    under_way = f" (and {reserved:.1%} reserved)" if binding == "tpm" and reserved else ""
    print(
        f"{name:10} {used[binding]:6.1%} of {binding} {limits[binding]:,}{under_way}"
        f"  429s: {after['over_limit'] - before['over_limit']} in {elapsed:.0f} s,"
        f" {before['over_limit']} while learning"
        f"  ({(after['answered'] - before['answered']) / elapsed:.0f} calls/s,"
        f" most in flight {after['max_in_flight']})",
        flush=True,
    )


async def _worker(base_url: str, redis_url: str, case: str, seed: int) -> None:
    limits = Limits(CASES[case].rpm, CASES[case].tpm, IN_FLIGHT)
    timing = Timing(window_s=WINDOW_S, spread_s=SPREAD_S)
    caller = Caller(OpenAIEngine(base_url, None), Limiter(redis_url, "bench", limits, timing), seed)
    await asyncio.gather(*(caller.run() for _ in range(IN_FLIGHT)))


class Caller:
    """Asks for ever, as a worker does."""

    def __init__(self, engine: OpenAIEngine, limiter: Limiter, seed: int) -> None:
        self._engine = engine
        self._limiter = limiter
        self._reserve = OutputReserve()
        self._random = random.Random(seed)

    async def run(self) -> None:
        """One call after the other."""
        while True:
            await self._call(self._request())

    def _request(self) -> Request:
        text = " ".join(self._random.choices(WORDS, k=self._random.randint(50, 1_500)))
        return Request("m", (Message("user", text),), MAX_TOKENS, 8192)

    async def _call(self, request: Request) -> None:
        prompt = estimate(request.messages[0].content)
        output = self._reserve.tokens(0, MAX_TOKENS)
        grant = await self._limiter.acquire("m", Amount(prompt, output, MAX_TOKENS))
        try:
            answer = await self._engine.complete(request)
        except EngineError as error:
            over_limit = error.status == 429
            self._limiter.pause(grant, error.retry_after_s, over_limit=over_limit)
            self._limiter.settle(grant)
            return
        self._reserve.learn(0, answer.usage.output_tokens or 0)
        self._limiter.settle(grant, answer.usage, answer.rate_limits)


if __name__ == "__main__":
    main()
