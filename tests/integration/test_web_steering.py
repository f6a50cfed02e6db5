"""The page in front of a real database: its buttons, its links, and what it cannot use."""

import re
from collections.abc import Iterator
from urllib.parse import urljoin

import pytest

from tests.web_batches import (
    Connection,
    TestClient,
    answer,
    fail,
    make_batch,
    open_page,
    press,
    see,
)


@pytest.fixture
def client(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")  # nothing of the page needs it
    with open_page() as client:
        yield client


def test_buttons_steer_the_batch(client: TestClient, db: Connection) -> None:
    batch = make_batch(db, ["a.txt"])
    fail(db, batch, "summary", "bad_answer")
    assert press(client, batch, "pause") == 303
    assert "paused" in see(client, f"/batches/{batch}/live")
    assert press(client, batch, "pause") == 409
    assert press(client, batch, "resume", max_cost="7.5") == 303
    assert "Budget: $7.5" in see(client, f"/batches/{batch}")
    assert press(client, batch, "priority", priority="-3") == 303
    assert "priority -3" in see(client, f"/batches/{batch}")
    assert press(client, batch, "retry", reason="other") == 303
    assert "bad_answer" in see(client, f"/batches/{batch}/live")
    assert press(client, batch, "retry", reason="bad_answer") == 303
    assert "bad_answer" not in see(client, f"/batches/{batch}/live")
    assert press(client, batch, "cancel") == 303
    assert "cancelled" in see(client, f"/batches/{batch}/live", 286)


def test_every_link_on_the_pages_leads_somewhere(client: TestClient, db: Connection) -> None:
    batch = make_batch(db, [f"{number} & more.txt" for number in range(60)])
    answer(db, batch, "summary", {"summary": "s"})
    fail(db, batch, "extraction", "bad_answer")
    open_, seen = ["/", f"/batches/{batch}?document=1 %26 more.txt&ask=1"], set()
    while open_:
        here = open_.pop()
        response = client.get(here)
        assert response.status_code in (200, 286), here
        if "html" not in response.headers["content-type"]:
            continue
        for link in re.findall(r'(?:href|src|hx-get)="([^"]*)"', response.text):
            url = urljoin(here, link.replace("&amp;", "&")).partition("#")[0]
            if url not in seen:
                seen.add(url)
                open_.append(url)
    assert len(seen) > 120
    ids = re.findall(r'id="([^"]*)"', see(client, f"/batches/{batch}"))
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("number", ["7", "0", "x", "9" * 18, "9" * 5000, "-1", "%00", "²"])
def test_a_batch_that_is_not_there_is_a_404_page(client: TestClient, number: str) -> None:
    for path in ("", "/live", "/cancel", "/receipt", "/results.csv", "/jobs/1"):
        assert "there is no" in see(client, f"/batches/{number}{path}", 404)
    assert press(client, number, "pause") == 404


@pytest.mark.parametrize("query", ["state=odd", "after=x", "ask=101", "document=%00"])
def test_a_query_that_makes_no_sense_is_a_400_page(
    client: TestClient, db: Connection, query: str
) -> None:
    batch = make_batch(db, ["a.txt"])
    assert "must be" in see(client, f"/batches/{batch}?{query}", 400)


@pytest.mark.parametrize(
    "form",
    [{"priority": "2.5"}, {"priority": "1000001"}, {}, {"priority": "1" * 5000}],
)
def test_a_form_that_makes_no_sense_changes_nothing(
    client: TestClient, db: Connection, form: dict[str, str]
) -> None:
    batch = make_batch(db, ["a.txt"])
    assert press(client, batch, "priority", **form) in (400, 413)
    for budget in ("NaN", "-1", "much", "1e99"):
        assert press(client, batch, "resume", max_cost=budget) == 400
    assert db.execute("SELECT priority, max_cost_usd FROM batches").fetchone() == (0, None)
