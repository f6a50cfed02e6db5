"""Documents that lie at an address, fetched from a real server."""

import asyncio
import io
import threading
from collections.abc import Iterator

import pytest
from aiohttp import web

from models.config import SourcesConfig
from producer.remote import NotFetched, fetch
from producer.sources import Accepted, Refused, gather
from tests import office

TEXT = b"The rent is 7,700 rupees."
ALLOWED = SourcesConfig(private=True, download_mb=1, download_seconds=5)


class Server:
    """A server of documents on a thread of its own; `asked` counts requests by path."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.url = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)

    async def _start(self) -> str:
        app = web.Application()
        app.router.add_get("/{name:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        self.asked.append(name)
        if name == "loop":
            raise web.HTTPFound("/loop")
        if name == "to":
            raise web.HTTPFound(request.query["where"])
        if name == "slow":
            await asyncio.sleep(30)
        bodies = {"a.txt": TEXT, "all.zip": office.zipped({"in/a.txt": TEXT}), "big": b"x" * 2**21}
        if name not in bodies:
            raise web.HTTPNotFound
        return web.Response(body=bodies[name])

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


def found(address: str, config: SourcesConfig = ALLOWED) -> list[Accepted | Refused]:
    return list(gather([address], io.BytesIO(), 1, config))


def category(address: str, config: SourcesConfig = ALLOWED) -> str:
    [source] = found(address, config)
    assert isinstance(source, Refused)
    return source.category


def test_a_file_and_the_files_in_an_archive_are_documents(server):
    [text] = found(f"{server.url}/a.txt?token=secret")
    assert text == Accepted(f"{server.url}/a.txt", "text/plain", TEXT)
    [packed] = found(f"{server.url}/all.zip")
    assert (packed.path, packed.data) == (f"{server.url}/all.zip/in/a.txt", TEXT)
    assert found(f"{server.url}/to?where=/a.txt")[0].data == TEXT


def test_what_cannot_be_had_is_refused_with_why(server):
    assert category(f"{server.url}/none") == "not_found"
    assert category(f"{server.url}/loop") == "not_fetched"
    assert category(f"{server.url}/big") == "too_large"
    assert category("s3://bucket/a.pdf") == "unsupported_source"
    assert category("https://[bad") == "not_fetched"
    in_a_hurry = SourcesConfig(private=True, download_seconds=0.2)
    assert category(f"{server.url}/slow", in_a_hurry) == "not_fetched"
    assert category("http://127.0.0.1:1/a.txt") == "not_fetched"


def test_private_addresses_are_not_even_connected_to(server, monkeypatch):
    strict = SourcesConfig()
    assert category("http://example.invalid/a.txt", strict) == "unsupported_source"
    port = server.url.rpartition(":")[2]
    for host in ("127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"):
        assert category(f"https://{host}:{port}/a.txt", strict) == "private_address"
    assert server.asked == []


def test_a_redirect_into_the_building_ends_at_the_socket(server):
    reached: list[str] = []

    def once(address: str) -> bool:
        reached.append(address)
        return len(reached) == 1

    other = server.url.replace("127.0.0.1", "127.0.0.2")
    with pytest.raises(NotFetched) as refused:
        fetch(f"{server.url}/to?where={other}/a.txt", io.BytesIO(), ALLOWED, once)
    assert refused.value.category == "private_address"
    assert reached == ["127.0.0.1", "127.0.0.2"]
    assert server.asked == ["to"]


def test_a_redirect_never_leads_to_another_protocol(server):
    assert category(f"{server.url}/to?where=file:///etc/passwd") == "unsupported_source"
