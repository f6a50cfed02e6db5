"""Folders of a WebDAV server: those of WsgiDAV, and what a hostile one may list."""

import io
import logging
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cheroot import wsgi
from wsgidav.wsgidav_app import WsgiDAVApp

from models.config import SourcesConfig
from models.spec import make_spec
from producer.places import Refused
from producer.remote import dav
from producer.remote.access import Access
from producer.remote.place import place_at
from producer.sources import Source, gather
from producer.watch.look import Fate, Look, Watched
from tests.rows import column
from tests.stubs.pages import Pages

ALLOWED = SourcesConfig(private=True, download_mb=1, download_seconds=20)
SPEC = make_spec({"asks": [{"ask": "Sum up.", "task": "summary"}]}, "test")
PASSWORD = "sécret:word/1"


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """What the server has."""
    made = tmp_path / "shelf"
    made.mkdir()
    return made


@pytest.fixture
def server(shelf: Path) -> Iterator[str]:
    """`host:port` of a server that lets ann in, and nobody else."""
    logging.getLogger("wsgidav").setLevel(logging.CRITICAL)
    users = {"ann": {"password": PASSWORD}}
    app = WsgiDAVApp(
        {
            "provider_mapping": {"/": str(shelf)},
            "http_authenticator": {"accept_basic": True, "accept_digest": False},
            "simple_dc": {"user_mapping": {"*": users}},
            "logging": {"enable": False},
        }
    )
    made = wsgi.Server(("127.0.0.1", 0), app)
    made.prepare()
    thread = threading.Thread(target=made.serve)
    thread.start()
    yield f"127.0.0.1:{made.bind_addr[1]}"
    made.stop()
    thread.join(10)


@pytest.fixture
def pages() -> Iterator[Pages]:
    with Pages() as made:
        yield made


KNOWN = Access(ALLOWED, PASSWORD)


def found(address: str, access: Access = KNOWN) -> list[Source]:
    return list(gather([address], io.BytesIO(), 1, access))


def refused(address: str, access: Access = KNOWN) -> Refused:
    [source] = found(address, access)
    assert isinstance(source, Refused)
    return source


def test_all_below_a_folder_is_taken_by_name_and_one_file_by_its_address(server, shelf):
    (shelf / "in" / "b ü&#%20").mkdir(parents=True)
    (shelf / "in" / "empty").mkdir()
    for name in ("in/a.txt", "in/b ü&#%20/c;d?.txt", "in/d.txt", "in/.hidden", "inner.txt"):
        (shelf / name).write_text(f"this is {name}")
    taken = found(f"dav://ann@{server}/in")
    paths = [f"dav://{server}/in/{name}" for name in ("a.txt", "b ü&#%20/c;d?.txt", "d.txt")]
    assert [source.path for source in taken] == paths
    assert taken[1].data.decode() == "this is in/b ü&#%20/c;d?.txt"
    assert found(f"dav://ann@{server}/in/") == taken
    assert found(f"dav://ann@{server}/in/d.txt") == taken[2:]
    assert found(f"dav://ann:{PASSWORD.replace('/', '%2F')}@{server}/in", Access(ALLOWED)) == taken
    assert refused(f"dav://ann@{server}/in/empty").category == "not_found"


def test_who_may_not_ask_is_told_what_to_do(server, shelf):
    for user, password in (("ann@", ""), ("ann@", "wrong"), ("bob@", PASSWORD), ("", PASSWORD)):
        told = refused(f"dav://{user}{server}/", Access(ALLOWED, password))
        assert told.category == "not_allowed"
        assert "DOCMILL_SOURCE_PASSWORD" in told.message
        assert PASSWORD not in told.message
    assert refused(f"dav://ann@{server}/none").category == "not_found"
    assert PASSWORD not in repr(Access(ALLOWED, PASSWORD))


def test_private_addresses_and_open_text_are_refused(server, pages):
    strict = Access(SourcesConfig(), PASSWORD)
    assert refused(f"davs://ann@{server}/", strict).category == "private_address"
    assert refused(f"dav://ann@{server}/", strict).category == "unsupported_source"
    assert refused("davs://").category == "not_fetched"


def listed(*entries: str) -> tuple[int, str]:
    return (
        207,
        f'<?xml version="1.0"?><d:multistatus xmlns:d="DAV:">{"".join(entries)}</d:multistatus>',
    )


def entry(href: str, *, folder: bool = False, more: str = "") -> str:
    kind = "<d:collection/>" if folder else ""
    return (
        f"<d:response><d:href>{href}</d:href><d:propstat><d:prop><d:resourcetype>{kind}"
        f"</d:resourcetype>{more}</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat>"
        "</d:response>"
    )


def test_a_server_can_lead_nowhere_else(pages):
    strangers = ("/other/a.txt", "http://host.example/in/b.txt", "/in/deep/c.txt", "/in/../d.txt")
    folders = ("/", "/in/", "/in", "//host.example/in/", "/other/")
    pages.answers["in"] = [
        listed(*map(entry, strangers), *(entry(path, folder=True) for path in folders))
    ]
    pages.answers["in/b.txt"] = [(200, "text of our server")]
    [taken] = found(f"{pages.url.replace('http', 'dav')}/in")
    assert taken.data == b"text of our server"
    assert pages.asked == ["in", "in/b.txt"]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((200, "<html>Welcome"), "does not answer as WebDAV does"),
        (
            (207, "<d:x xmlns:d='DAV:'><d:response><d:href>http://[</d:href></d:response></d:x>"),
            "as",
        ),
        ((405, ""), "does not speak WebDAV there"),
        ((500, ""), "answers 500"),
    ],
)
def test_a_server_that_answers_otherwise_is_told(pages, monkeypatch, answer, says):
    monkeypatch.setattr("producer.remote.web.WAITS_S", (0.01,))
    pages.answers["in"] = [answer]
    told = refused(f"{pages.url.replace('http', 'dav')}/in")
    assert told.category == "not_fetched"
    assert says in told.message


def test_a_folder_that_cannot_be_entered_is_named_and_the_rest_goes_on(pages):
    pages.answers["in"] = [listed(entry("/in/a/", folder=True), entry("/in/b.txt"))]
    pages.answers["in/a/"] = [(403, "")]
    pages.answers["in/b.txt"] = [(200, "two")]
    shut, text = found(f"{pages.url.replace('http', 'dav')}/in")
    assert (shut.category, text.data) == ("not_entered", b"two")
    assert shut.path.endswith("/in/a/")


def test_a_share_that_was_moved_is_read_where_it_lies_now(pages):
    address = pages.url.replace("http", "dav")
    for status in (301, 302, 307, 308):
        pages.answers = {
            "in": [(status, "", {"Location": "/old"})],
            "old": [(status, "", {"Location": f"{pages.url}/new/in/?from=in"})],
            "new/in/": [listed(entry("/new/in/", folder=True), entry("/new/in/a.txt"))],
            "new/in/a.txt": [(200, "one")],
        }
        [taken] = found(f"{address}/in")
        assert (taken.path, taken.data) == (f"{address}/new/in/a.txt", b"one")
    pages.answers["old"] = [(301, "", {"Location": "/in"})]
    assert "more than 5 redirects" in refused(f"{address}/in").message


def test_a_share_that_was_moved_to_another_server_says_where_and_tells_it_nothing(pages):
    with Pages() as other:
        moved_to = other.url.replace("http://", "http://bob:secret@") + "/b/?sig=secret"
        pages.answers["in"] = [(301, "", {"Location": moved_to})]
        told = refused(f"{pages.url.replace('http://', 'dav://ann@')}/in")
        assert told.category == "not_fetched"
        new = other.url.replace("http", "dav")
        assert told.message.endswith(f"it was moved to {new}/b/; name that address")
        assert other.asked == []


def test_a_folder_below_that_leads_elsewhere_is_named_and_not_gone_round_in(pages):
    pages.answers["in"] = [listed(entry("/in/a", folder=True), entry("/in/b", folder=True))]
    pages.answers["in/a"] = [(301, "", {"Location": "/in/a/"})]
    pages.answers["in/a/"] = [listed(entry("/in/a/c.txt"))]
    pages.answers["in/a/c.txt"] = [(200, "three")]
    pages.answers["in/b"] = [(301, "", {"Location": "/in"})]
    taken, elsewhere = found(f"{pages.url.replace('http', 'dav')}/in")
    assert (taken.data, elsewhere.category) == (b"three", "not_entered")
    assert "it was moved to dav://" in elsewhere.message


def test_a_file_whose_time_or_size_cannot_be_read_is_one_of_unknown_time_and_size(pages):
    odd = (
        "<d:getlastmodified>yesterday</d:getlastmodified>",
        "<d:getlastmodified>Fri, 31 Dec 9999 23:59:59 GMT</d:getlastmodified>",
        "<d:getcontentlength>many</d:getcontentlength>",
        "<d:getlastmodified>Sun, 29 Nov 2026 10:00:00 GMT</d:getlastmodified>"
        "<d:getcontentlength>4</d:getcontentlength>",
    )
    pages.answers["in"] = [listed(*(entry(f"/in/{n}.txt", more=m) for n, m in enumerate(odd)))]
    with place_at(f"{pages.url.replace('http', 'dav')}/in", KNOWN) as place:
        files = list(place.files())
    known = 1_795_946_400 * 10**9
    assert [(file.size, file.changed_ns) for file in files] == [(0, 0)] * 3 + [(4, known)]


def test_a_list_is_read_entry_by_entry_within_bounds(pages, monkeypatch):
    monkeypatch.setattr(dav, "MOST_LISTED", 3)
    address = f"{pages.url.replace('http', 'dav')}/in"
    pages.answers["in"] = [listed(*(entry(f"/in/{n}.txt") for n in range(4)))]
    told = refused(address)
    assert (told.category, "name a folder below it" in told.message) == ("too_large", True)
    folders = [entry(f"/in/{n}/", folder=True) for n in range(3)]
    pages.answers["in"] = [listed(*folders)]
    pages.answers["in/0/"] = [listed(*(entry(f"/in/0/{n}/", folder=True) for n in range(2)))]
    assert [one.category for one in found(address)] == ["not_entered"] * 3
    pages.answers["in"] = [listed(entry("/in/a.txt", more="<d:x/>" * dav.MOST_PARTS))]
    assert "does not answer as WebDAV does" in refused(address).message


def test_a_long_list_takes_the_memory_of_an_entry():
    long = listed(*(entry(f"/in/{n}.txt") for n in range(5_000)), "<d:x/>" * 50_000)[1].encode()
    tracemalloc.start()
    try:
        assert sum(1 for _ in dav._entries(io.BytesIO(long))) == 5_000
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_folders_without_end_come_to_one(pages, monkeypatch):
    monkeypatch.setattr("producer.remote.dav.LONGEST_PATH", 20)
    for depth in range(1, 20):
        path = "in/" + "x/" * (depth - 1)
        pages.answers[path] = [listed(entry(f"/{path}x/", folder=True))]
    assert refused(f"{pages.url.replace('http', 'dav')}/in/").category == "not_entered"


@pytest.fixture
def look(database_url: str, server: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Look]:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    place = place_at(f"dav://ann@{server}/", Access(ALLOWED, PASSWORD))
    return lambda: Watched(place, "dav with s", 50, age_s=0).look(SPEC)


def test_a_watched_folder_gives_what_is_new_or_changed_and_keeps_what_it_has(db, look, shelf):
    assert look().batch is None
    (shelf / "a.txt").write_text("one")
    assert look().fates == {Fate.NEW: 1}
    (shelf / "a.txt").write_text("one, changed")
    (shelf / "b.txt").write_text("two")
    assert look().fates == {Fate.CHANGED: 1, Fate.NEW: 1}
    assert look().fates == {Fate.SAME: 2}
    names = [Path(path).name for path in column(db, "SELECT path FROM documents ORDER BY id")]
    assert names == ["a.txt", "a.txt", "b.txt"]
    assert (shelf / "b.txt").read_text() == "two"
