"""Slots that adapt, with real calls."""

import asyncio

from tests.factories import a_deployment, an_access
from tests.stubs.ollama import OllamaStub
from tests.waiting import until
from worker.flow.slots import AutoSlots
from worker.llm.engine import Message, Request
from worker.llm.ollama.engine import OllamaEngine

REQUEST = Request("m", (Message("user", "Sum up what is new."),), 50, 4096)


async def test_a_server_with_places_for_twelve_is_given_about_as_many():
    async with OllamaStub(slots=12, latency=(0.02, 0.04)) as stub:
        slots = AutoSlots(64)
        access = an_access(OllamaEngine(stub.url), a_deployment(slots="auto"))
        access.ended = slots.ended
        sizes: list[int] = []

        async def ask() -> None:
            while True:
                async with slots:
                    await access.complete(REQUEST)
                    sizes.append(slots.size)

        asking = [asyncio.create_task(ask()) for _ in range(80)]
        await until(lambda: len(sizes) > 2_000, "a number is found", timeout=30.0)
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        await access.close()
        held = sorted(sizes[500:])[len(sizes[500:]) // 2]
        assert 8 <= held <= 20
