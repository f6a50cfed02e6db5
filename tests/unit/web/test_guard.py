"""Who may talk to the page, what it tells browsers, and how it begins and ends. No database."""

import hashlib
import re
import signal
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.errors import DocmillError
from producer.web import pages as web_pages
from producer.web.guard import is_loopback, is_own_name
from tests.commands import Docmill
from tests.web_batches import TestClient, open_page

PASSWORD = "s3cret-word"
NOBODY = f"postgresql://docmill:{PASSWORD}@127.0.0.1:1/docmill"


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """The page, with no database behind it."""
    monkeypatch.setenv("DATABASE_URL", NOBODY)
    with open_page("docs.example") as client:
        yield client


@pytest.mark.parametrize(
    ("header", "listening", "own"),
    [
        ("localhost:8400", "127.0.0.1", True),
        ("LOCALHOST", "127.0.0.1", True),
        ("127.0.0.1:8400", "127.0.0.1", True),
        ("[::1]:8400", "127.0.0.1", True),
        ("docs.example:8400", "docs.example", True),
        ("evil.example:8400", "127.0.0.1", False),
        ("localhost.evil.example", "127.0.0.1", False),
        ("192.168.0.7", "127.0.0.1", False),
        ("192.168.0.7:8400", "0.0.0.0", True),
        ("evil.example", "0.0.0.0", False),
        ("evil.example", "", False),
        ("", "0.0.0.0", False),
        ("[::1", "127.0.0.1", False),
        (socket.gethostname(), "::", True),
    ],
)
def test_only_its_own_names_reach_the_page(header: str, listening: str, own: bool) -> None:
    assert is_own_name(header, listening) is own


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("localhost", True), ("[::1]", True), ("0.0.0.0", False), ("x", False)],
)
def test_only_loopback_needs_no_warning(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_a_foreign_name_is_refused_before_anything_else(client: TestClient) -> None:
    for path in ("/", "/static/docmill.css", "/batches/1"):
        assert client.get(path, headers={"host": "evil.example"}).status_code == 400


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "none"}, 403),
        ({"sec-fetch-site": "cross-site", "origin": "http://localhost:8400"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://localhost:9999"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "same-origin"}, 503),
        ({"origin": "http://localhost:8400"}, 503),
    ],
)
def test_only_its_own_forms_get_as_far_as_the_database(
    client: TestClient, headers: dict[str, str], status: int
) -> None:
    assert client.post("/batches/1/actions/cancel", headers=headers).status_code == status


def test_postgres_away_is_a_503_page_that_says_so_and_tells_no_secret(client: TestClient) -> None:
    for path in ("/", "/live", "/batches/1", "/costs", "/batches/1/results.csv"):
        response = client.get(path)
        assert response.status_code == 503
        assert "Postgres does not answer" in response.text
        assert PASSWORD not in response.text
        assert "127.0.0.1:1" not in response.text


def test_what_htmx_asks_for_is_answered_with_a_line_not_a_page(client: TestClient) -> None:
    assert client.get("/live", headers={"hx-request": "true"}).text.startswith('<p class="error"')


def test_a_defect_is_a_500_page_without_the_exception(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError(PASSWORD)

    monkeypatch.setattr(web_pages.page_query, "page_batches", broken)
    response = client.get("/")
    assert response.status_code == 500
    assert "Something went wrong" in response.text
    assert PASSWORD not in response.text
    assert "default-src 'self'" in response.headers["content-security-policy"]


def test_an_old_schema_is_said_with_what_to_do(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def old(*_: object) -> None:
        raise DocmillError("run `docmill db upgrade`")

    monkeypatch.setattr(web_pages.page_query, "page_batches", old)
    assert "docmill db upgrade" in client.get("/").text


@pytest.mark.parametrize("path", ["/", "/nothing", "/static/htmx.min.js", "/static/nothing.js"])
def test_every_answer_carries_the_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'self';")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == ("no-cache" if "static" in path else "no-store")


def test_templates_hold_no_inline_script_or_style() -> None:
    for template in Path(web_pages.__file__).parent.glob("templates/*.html"):
        text = template.read_text()
        assert "<script>" not in text
        assert "style=" not in text
        assert not re.search(r"<[^>]*\son\w+=", text)
        assert "| safe" not in text
        assert "https://" not in text


def test_htmx_is_the_one_that_its_readme_names() -> None:
    folder = Path(web_pages.__file__).parent / "static"
    found = hashlib.sha256((folder / "htmx.min.js").read_bytes()).hexdigest()
    assert found in (folder / "README.md").read_text()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_page_serves_and_stops_with_0(tmp_path: Path, number: signal.Signals) -> None:
    port = free_port()
    docmill = Docmill(tmp_path, {"DATABASE_URL": NOBODY})
    running = docmill.start("web", "--host", "0.0.0.0", "--port", str(port))
    running.until_says("no log-in")
    with pytest.raises(urllib.error.HTTPError, match="503") as caught:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10)
    caught.value.close()
    assert running.end(number) == 0
    assert PASSWORD not in running.said()
    assert "GET /" not in running.said()


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = Docmill(tmp_path, {"DATABASE_URL": NOBODY}).run("web", "--port", port, code=1)
    assert "cannot listen" in said
    assert "--port" in said
