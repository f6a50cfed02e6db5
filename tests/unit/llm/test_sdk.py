"""What every SDK's client has in common: one limit, one kind of error, no key in what is shown."""

import asyncio
from collections.abc import Mapping

import httpx2
import pytest

from worker.llm.engine import EngineError, Trouble
from worker.llm.sdk import SdkClient

KEY = "sk-0123456789abcdef"


class Sdk:
    closed = False

    def is_closed(self) -> bool:
        return self.closed

    async def close(self) -> None:
        self.closed = True


class Refused(Exception):
    """As the SDK raises it."""


class Client(SdkClient[Sdk]):
    KEY_NAME = "SOME_KEY"
    POOLED = ONE_BY_ONE = httpx2.AsyncClient

    def _made(
        self, key: str, address: httpx2.URL, headers: Mapping[str, str], http: httpx2.AsyncClient
    ) -> Sdk:
        self.given = key, str(address), dict(headers)
        return Sdk()

    def _refused(self, exc: Exception) -> EngineError | None:
        return EngineError(Trouble.AUTH, "wrong key") if isinstance(exc, Refused) else None


def client(url: str = "http://host/v1", key: str | None = KEY, *, once: bool = False) -> Client:
    return Client(url, key, timeout_s=0.01, max_connections=1, proxied=False, once=once)


async def trouble_of(rig: Client, exc: Exception) -> EngineError:
    async def call() -> None:
        raise exc

    with pytest.raises(EngineError) as caught:
        await rig.send(call())
    return caught.value


def test_an_account_in_the_address_goes_into_a_header_and_is_not_shown():
    rig = client("http://me:secret@host/v1", once=True)
    assert rig.where == "http://host/v1"
    assert rig.given == (
        KEY,
        "http://host/v1",
        {"Authorization": "Basic bWU6c2VjcmV0", "Connection": "close"},
    )
    assert client(key=None).given == ("none", "http://host/v1", {})


async def test_whatever_is_raised_is_one_kind_of_error_and_its_cause_never_shows_the_key():
    rig = client()
    assert (await trouble_of(rig, Refused("no"))).trouble is Trouble.AUTH
    broken = await trouble_of(rig, httpx2.ConnectError("nobody there"))
    assert (broken.trouble, str(broken.__cause__)) == (Trouble.UNAVAILABLE, "nobody there")
    assert (await trouble_of(rig, Refused(f"your key {KEY}"))).__cause__ is None


async def test_a_call_ends_at_its_limit():
    with pytest.raises(EngineError) as caught:
        await client().send(asyncio.Event().wait())
    assert caught.value.trouble is Trouble.TIMEOUT


async def test_what_is_asked_after_the_end_says_that_it_has_ended():
    rig = client()
    await rig.close()
    assert "has been closed" in str(await trouble_of(rig, RuntimeError("closed")))


async def test_a_body_is_waited_for_no_longer_than_its_limit_in_all():
    async def body():
        while True:
            await asyncio.sleep(0.004)
            yield b"piece"

    with pytest.raises(EngineError) as caught:
        async for _ in client()._pieces(body()):
            pass
    assert caught.value.trouble is Trouble.TIMEOUT
