"""Documents that lie at an address, fetched from a real server."""

import asyncio
import gzip
import io
import re
from collections.abc import Iterator

import pytest
from aiohttp import web

from models.config import SourcesConfig
from producer.places import File, Refused
from producer.remote.access import Access
from producer.remote.place import place_at
from producer.sources import Accepted, gather
from tests import office
from tests.stubs.pages import Served

TEXT = b"The rent is 7,700 rupees."
ALLOWED = SourcesConfig(private=True, download_mb=1, download_seconds=5)


class Server(Served):
    """A server of documents."""

    async def answer(self, name: str, request: web.Request) -> web.StreamResponse:
        if name == "loop":
            raise web.HTTPFound("/loop")
        if name == "to":
            raise web.HTTPFound(request.query["where"])
        if name == "slow":
            await asyncio.sleep(30)
        bodies = {
            "a.txt": TEXT,
            "a.md": TEXT,
            "a.jsonl.gz": gzip.compress(b'{"text": "a"}'),
            "b.csv.gz": gzip.compress(b"a,b\n1,2\n"),
            "all.zip": office.zipped({"in/a.txt": TEXT}),
            "big": b"x" * 2**21,
        }
        if name not in bodies:
            raise web.HTTPNotFound
        return web.Response(body=bodies[name])


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        yield made


def found(address: str, config: SourcesConfig = ALLOWED) -> list[Accepted | Refused]:
    return list(gather([address], io.BytesIO(), 1, Access(config)))


def category(address: str, config: SourcesConfig = ALLOWED) -> str:
    [source] = found(address, config)
    assert isinstance(source, Refused)
    return source.category


def test_a_file_and_the_files_in_an_archive_are_documents(server):
    [text] = found(f"{server.url}/a.txt")
    assert text == Accepted(f"{server.url}/a.txt", "text/plain", TEXT)
    [packed] = found(f"{server.url}/all.zip")
    assert (packed.path, packed.data) == (f"{server.url}/all.zip/in/a.txt", TEXT)
    assert found(f"{server.url}/to?where=/a.txt")[0].data == TEXT


def test_a_query_is_no_part_of_the_name_and_kind_of_a_file_but_tells_it_from_others(server):
    names = {source.path for n in (1, 2) for source in found(f"{server.url}/a.md?n={n}&sig=secret")}
    assert len(names) == 2
    assert all(re.fullmatch(rf"{server.url}/a.md\?[0-9a-f]{{8}}", name) for name in names)
    [text] = found(f"{server.url}/a.md?sig=secret")
    assert text.media_type == "text/markdown"


def test_what_is_compressed_is_opened(server):
    for query in ("", "?sig=secret"):
        [line] = found(f"{server.url}/a.jsonl.gz{query}")
        assert (line.media_type, line.data) == ("text/plain", b"a")
        [table] = found(f"{server.url}/b.csv.gz{query}")
        assert table.path.endswith("/b.csv")
        assert table.media_type == "text/csv"


def test_what_cannot_be_had_is_refused_with_why(server):
    assert category(f"{server.url}/none") == "not_found"
    assert category(f"{server.url}/loop") == "not_fetched"
    assert category(f"{server.url}/big") == "too_large"
    assert category("ftp://host.example/a.pdf") == "unsupported_source"
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
    with place_at(f"{server.url}/to?where={other}/a.txt", Access(ALLOWED, may_reach=once)) as place:
        [refused] = place.contents(place.files())
    assert isinstance(refused, Refused)
    assert refused.category == "private_address"
    assert reached == ["127.0.0.1", "127.0.0.2"]
    assert server.asked == ["to"]


def test_what_comes_of_a_file_ends_with_whoever_wanted_it(server):
    with place_at(f"{server.url}/slow", Access(ALLOWED)) as place:
        coming = place.contents([File(number, f"{server.url}/slow") for number in "abc"])
        place._web._start(asyncio.sleep(0)).result()
        coming.close()


def test_a_redirect_never_leads_to_another_protocol(server):
    assert category(f"{server.url}/to?where=file:///etc/passwd") == "unsupported_source"
