"""Folders of a WebDAV server: those of WsgiDAV, and what a hostile one may list."""

import io
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cheroot import wsgi
from wsgidav.wsgidav_app import WsgiDAVApp

from models.config import SourcesConfig
from models.spec import make_spec
from producer.folder import Fate, Look, Watched
from producer.places import Refused
from producer.remote.access import Access
from producer.remote.place import place_at
from producer.sources import Source, gather
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


def entry(href: str, *, folder: bool = False) -> str:
    kind = "<d:collection/>" if folder else ""
    return (
        f"<d:response><d:href>{href}</d:href><d:propstat><d:prop><d:resourcetype>{kind}"
        "</d:resourcetype></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
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
