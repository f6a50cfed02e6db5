"""Engines in virtual time, told apart by what becomes of their latency with more calls in flight.

`python -m tests.latency_shapes` prints the throughput of slots that adapt on each, as a share of
that of the best fixed number.
"""

import asyncio
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass

from tests.clock import VirtualLoop, now
from worker.flow.adapt import Ended
from worker.flow.slots import AutoSlots, Slots
from worker.llm.engine import Trouble

MOST = 64
FOUND_S = 60.0
"""By when the number is to be found."""
WATCHED_S = 120.0
"""For how long it is watched from then on."""
FIXED = (1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 64)
"""Numbers among which the best is looked for."""
SEEDS = range(1, 6)

REFUSAL_S = 0.02
PAUSE_S = 5.0
"""Like a gate's pauses after a refusal."""

Slowness = Callable[[int], float]
"""How many times longer a call takes with so many in flight than alone."""


@dataclass(frozen=True)
class Shape:
    """How an engine takes calls in flight; `places`: more than these it lets wait."""

    slowness: Slowness = lambda in_flight: 1.0
    places: int = MOST
    most: int = MOST
    """More than these it refuses."""
    seconds: float = 1.0
    """What an average call takes alone."""


def like_vllm(in_flight: int) -> float:
    """A step of the batch takes longer with each call in it. What exceeds the memory is thrown out
    and worked on again."""
    return (1 + in_flight / 32) * (1 + max(0, in_flight - 24) / 12) ** 2


SHAPES = {
    "a: 4 slots, the rest queues": Shape(places=4),
    "b: grows to 24, then falls off": Shape(slowness=like_vllm),
    "c: 503 above 12": Shape(most=12),
}


@dataclass
class SimulatedEngine:
    """An engine of some shape, which may change. Times and tokens of its calls are drawn."""

    shape: Shape
    seed: int
    in_flight: int = 0
    done: float = 0.0
    """What was answered, in seconds that it takes alone."""

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._places = Slots(self.shape.places)

    def become(self, shape: Shape) -> None:
        """Take calls as this shape says from now on."""
        self.shape = shape
        self._places.resize(shape.places)

    async def call(self) -> Ended:
        """One call, from beginning to end."""
        shape, began = self.shape, now()
        if self.in_flight >= shape.most:
            await asyncio.sleep(REFUSAL_S)
            return Ended(began, now(), trouble=Trouble.UNAVAILABLE)
        self.in_flight += 1
        tokens = 1 + int(self._random.expovariate(1 / 120))
        share = 0.4 + 0.6 * tokens / 120  # reading the prompt takes its time, too
        chance = self._random.lognormvariate(-0.02, 0.2)
        async with self._places:
            await asyncio.sleep(shape.seconds * share * chance * shape.slowness(self.in_flight))
        self.in_flight -= 1
        self.done += shape.seconds * share
        return Ended(began, now(), tokens)

    async def ask(self, slots: Slots) -> None:
        """A job after the other."""
        while True:
            async with slots:
                ended = await self.call()
                slots.ended(ended)
            if ended.trouble is not None:
                await asyncio.sleep(PAUSE_S)


@dataclass(frozen=True)
class Run:
    """What came of a run: throughput, as a multiple of that of one call at a time, and the numbers
    of slots, one for each second."""

    throughput: float
    sizes: tuple[int, ...]


async def _watch(make: Callable[[], Slots], shapes: list[Shape], seed: int) -> list[Run]:
    slots, engine, runs = make(), SimulatedEngine(shapes[0], seed), []
    async with asyncio.TaskGroup() as asking:
        tasks = [asking.create_task(engine.ask(slots)) for _ in range(2 * MOST)]
        for shape in shapes:
            engine.become(shape)
            await asyncio.sleep(FOUND_S)
            sizes, began, before = [], now(), engine.done
            for _ in range(int(WATCHED_S)):
                await asyncio.sleep(1.0)
                sizes.append(slots.size)
            runs.append(Run((engine.done - before) / (now() - began), tuple(sizes)))
        for task in tasks:
            task.cancel()
    return runs


def watched(make: Callable[[], Slots], *shapes: Shape, seed: int = 1) -> list[Run]:
    """Runs through these shapes, one after the other, each watched once there was time to adapt."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_watch(make, list(shapes), seed))


def best_fixed(shape: Shape) -> int:
    """The fixed number with the highest throughput."""
    return max(FIXED, key=lambda size: watched(lambda: Slots(size), shape)[0].throughput)


def main() -> None:
    for name, shape in SHAPES.items():
        size = best_fixed(shape)
        sys.stdout.write(f"{name}: the best fixed number is {size}\n")
        for seed in SEEDS:
            [best] = watched(lambda size=size: Slots(size), shape, seed=seed)
            [run] = watched(lambda: AutoSlots(MOST), shape, seed=seed)
            share, mean = run.throughput / best.throughput, sum(run.sizes) / len(run.sizes)
            sys.stdout.write(
                f"  seed {seed}: {share:.3f} of its throughput with "
                f"{min(run.sizes)} to {max(run.sizes)} slots, {mean:.1f} on average\n"
            )


if __name__ == "__main__":
    main()
