"""The page in front of a real database: what it shows, and what it gives to take away."""

import asyncio
import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any

import pytest

from producer.cli import look
from producer.cli.options import ByChoice, FormatChoice
from producer.web import files as web_files
from producer.web import pages
from tests.rows import add_batch
from tests.web_batches import (
    ASKS,
    EVIL,
    QUOTED,
    TEXT,
    Connection,
    TestClient,
    answer,
    fail,
    make_batch,
    open_page,
    rows_of,
    see,
)


@pytest.fixture
def client(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")  # nothing of the page needs it
    with open_page() as client:
        yield client


def test_an_empty_docmill_says_how_to_begin(client: TestClient) -> None:
    assert "docmill submit" in see(client, "/")


def test_the_list_shows_name_policy_progress_and_cost(client: TestClient, db: Connection) -> None:
    batch = make_batch(db, ["a.txt"], name="March", policy="local-only")
    answer(db, batch, "extraction", {"total": "42.50"}, cost_usd="0.25", cost_reason=None)
    answer(db, batch, "summary", {"summary": "s"})
    page = see(client, "/")
    for words in ("March", "local-only", "finished", "2 of 2 jobs", "$0.2500", "1 call of unknown"):
        assert words in page
    assert see(client, "/live").strip() in page


def test_a_batch_with_a_deadline_shows_it_on_the_page_and_in_its_status(
    client: TestClient, db: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "Deadline" not in see(client, f"/batches/{make_batch(db, ['a.txt'])}")
    batch = make_batch(db, ["a.txt"], deadline="2035-12-01T09:00Z")
    line = "2035-12-01 09:00:00 UTC, finish not known yet"
    assert f"<p>Deadline: {line}</p>" in see(client, f"/batches/{batch}")
    look.status(batch)
    assert re.search(r"^deadline:  2035-1\S+ \S+, finish not known yet$",
                     capsys.readouterr().out, re.MULTILINE)  # fmt: skip
    answer(db, batch, "extraction", {"total": "1"})
    look.status(batch, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["deadline"] > told["expected_finish"]


def test_the_list_is_paged(client: TestClient, db: Connection) -> None:
    for _ in range(60):
        add_batch(db)
    first = see(client, "/")
    older = re.search(r'href="(/\?before=\d+)"', first)
    assert older is not None
    second = see(client, older[1])
    assert len(re.findall('href="/batches/', first)) == 50
    assert len(re.findall('href="/batches/', second)) == 10


def test_hostile_text_is_shown_as_text_everywhere(client: TestClient, db: Connection) -> None:
    batch = make_batch(db, [f"{EVIL}.txt", f"{QUOTED}.txt"], name=EVIL + QUOTED)
    jobs = answer(db, batch, "summary", {EVIL: QUOTED}, cost_reason=EVIL, spans={EVIL: [100, 110]})
    fail(db, batch, "extraction", EVIL)
    here = f"/batches/{batch}"
    paths = [f"{here}/jobs/{job}" for job in jobs] + [f"{here}?document={QUOTED}", f"{here}/cancel"]
    for path in ["/", here, *paths]:
        page = see(client, path)
        assert "<script>alert" not in page
        assert "<img" not in page
        assert "alert(1)" in page


def test_a_job_shows_where_its_values_stand(client: TestClient, db: Connection) -> None:
    batch = make_batch(db, ["a.txt"])
    start = 100 + TEXT.index("42.50")
    spans = {"total": [start, start + 5]}
    [job] = answer(db, batch, "extraction", {"total": "42.50"}, spans=spans, grounded=True)
    page = see(client, f"/batches/{batch}/jobs/{job}")
    assert '<mark title="total">42.50</mark> &lt;b&gt;EUR' in page
    assert f"{start}–{start + 5}" in page
    assert "unknown" in page
    assert "[prices.&#34;phi4-mini&#34;] in docmill.toml" in page


def test_a_job_says_what_each_value_is_worth_and_why(client: TestClient, db: Connection) -> None:
    batch = make_batch(db, ["a.txt"])
    fields = {
        "total": {"outcome": "wrong", "code": "sign", "about": EVIL},
        "vendor": {"outcome": "check", "code": "unlabelled", "about": None},
    }
    value = {"total": "-42.50", "vendor": "Tea", "paid": True}
    [job] = answer(db, batch, "extraction", value, grounded=True, spans={}, fields=fields)
    page = see(client, f"/batches/{batch}/jobs/{job}")
    assert '<span class="check wrong" title="The text has the number with the other sign' in page
    assert "nothing beside it says that it is the one" in page
    assert "<script>alert" not in page
    assert '<span class="check wrong" title="the worst' in see(client, f"/batches/{batch}")


def test_answers_from_before_there_were_checks_show_none(
    client: TestClient, db: Connection
) -> None:
    batch = make_batch(db, ["a.txt"])
    [job] = answer(db, batch, "extraction", {"total": "42.50"}, grounded=True, spans={})
    assert "Checks</th>" not in see(client, f"/batches/{batch}/jobs/{job}")
    assert 'class="check' not in see(client, f"/batches/{batch}")


def test_a_job_on_a_whole_document_shows_the_chunks_that_hold_its_values(
    client: TestClient, db: Connection
) -> None:
    batch = make_batch(db, ["a.txt"])
    [job] = answer(db, batch, "extraction", {"n": "15"}, spans={"n": [2015, 2017]}, grounded=True)
    db.execute("UPDATE jobs SET chunk_id = NULL WHERE id = %s", (job,))
    db.execute(
        "INSERT INTO chunks (document_id, ordinal, page_from, page_to, char_start, char_end, "
        "tokens, sha256, text) SELECT id, n, n, n, n * 100, n * 100 + 99, 9, '', "
        "'chunk no. ' || n || ' of 30' "
        "FROM documents, generate_series(2, 30) AS n"
    )
    db.execute("UPDATE chunks SET text = 'here stands no 15 too' WHERE ordinal = 20")
    page = see(client, f"/batches/{batch}/jobs/{job}")
    assert 'no <mark title="n">15</mark> too' in page
    assert page.count("<h3>Chunk ") == 10
    assert "20 more chunks of this document not shown" in page


def test_a_job_of_another_batch_is_not_found(client: TestClient, db: Connection) -> None:
    first, second = make_batch(db, ["a.txt"]), make_batch(db, ["b.txt"])
    job = rows_of(see(client, f"/batches/{first}"))[0]
    assert f"no job {job} in batch {second}" in see(client, f"/batches/{second}/jobs/{job}", 404)


def test_results_come_a_hundred_a_page_and_none_twice(client: TestClient, db: Connection) -> None:
    batch = make_batch(db, [f"{number:03}.txt" for number in range(120)])
    seen, path = [], f"/batches/{batch}?tier=local"
    while path:
        page = see(client, path)
        seen.append(rows_of(page))
        following = re.search(r'rel="next" href="([^"#]+)', page)
        path = following[1].replace("&amp;", "&") if following else ""
    assert [len(jobs) for jobs in seen] == [100, 100, 40]
    assert len({job for jobs in seen for job in jobs}) == 240


@pytest.mark.parametrize(
    ("filters", "rows"),
    [
        ("document=a.txt", 4),
        ("document=in/a.txt", 2),
        ("document=.txt", 0),
        ("ask=2", 3),
        ("task=extraction", 3),
        ("tier=frontier", 0),
        ("state=done&ask=1", 3),
    ],
)
def test_filters_hold_on_the_page_and_in_the_download(
    client: TestClient, db: Connection, filters: str, rows: int
) -> None:
    batch = make_batch(db, ["in/a.txt", "out/a.txt", "b.txt"])
    answer(db, batch, "extraction", {"total": "42.50"})
    assert len(rows_of(see(client, f"/batches/{batch}?{filters}"))) == rows
    lines = see(client, f"/batches/{batch}/results.jsonl?{filters}").splitlines()
    assert len(lines) == rows
    assert len(see(client, f"/batches/{batch}/results.csv?{filters}").splitlines()) == rows + 1


def test_downloads_hold_every_row_once(client: TestClient, db: Connection) -> None:
    batch = make_batch(db, [f"{number}.txt" for number in range(600)])
    answer(db, batch, "extraction", {"total": "4\n2"})
    answered = client.get(f"/batches/{batch}/results.csv")
    assert f'filename="batch-{batch}.csv"' in answered.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answered.text, newline="")))
    text = see(client, f"/batches/{batch}/results.jsonl")
    lines = [json.loads(line) for line in text.rstrip("\n").split("\n")]
    documents = sorted(f"{number}.txt" for number in range(600) for _ in ASKS)
    assert sorted(row["document"] for row in rows) == documents
    assert sorted(line["document"] for line in lines) == documents
    assert {row["value.total"] for row in rows} == {"4\n2", ""}


def test_downloads_wait_for_each_other_and_leave_the_pages_alone(
    client: TestClient, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = make_batch(db, ["a.txt"])
    turns = BoundedSemaphore(1)
    monkeypatch.setattr(web_files, "_turns", turns)
    with turns:
        assert "try again" in see(client, f"/batches/{batch}/results.csv", 503)
        assert see(client, "/")
    assert see(client, f"/batches/{batch}/results.csv")


async def test_a_browser_that_goes_away_gives_its_turn_back(
    client: TestClient, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = make_batch(db, [f"{number}.txt" for number in range(1500)])
    monkeypatch.setattr(web_files, "_turns", BoundedSemaphore(1))
    for _ in range(3):
        assert 0 < await glance(client.app, f"/batches/{batch}/results.jsonl") < 6
    assert db.execute("SELECT FROM pg_stat_activity WHERE state LIKE 'idle in%'").fetchall() == []


async def glance(app: Any, path: str) -> int:
    """Ask for a page and go away as soon as it begins to come; how many parts came."""
    began, parts = asyncio.Event(), 0

    async def receive() -> dict[str, Any]:
        await began.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        nonlocal parts
        parts += bool(message.get("body"))
        if parts:
            assert message.get("status", 200) == 200
            began.set()

    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "root_path": ""}
    await app({**scope, "headers": [(b"host", b"localhost")]}, receive, send)
    return parts


def test_costs_say_what_is_unknown_and_who_stood_in(client: TestClient, db: Connection) -> None:
    batch = make_batch(db, ["a.txt"])
    answer(db, batch, "summary", {}, stand_in=True)
    for by in ("model", "task", "batch", "day"):
        page = see(client, f"/costs?by={by}&batch={batch}")
        assert "[prices.&#34;phi4-mini&#34;] in docmill.toml" in page
        assert ">stand-in<" in page
        assert "$" not in page  # nothing is known, so nothing may look free
    assert "must be one of model, task" in see(client, "/costs?by=colour", 400)
    assert "there is no batch 9" in see(client, "/costs?batch=9", 404)


def test_costs_end_with_what_second_readings_brought(client: TestClient, db: Connection) -> None:
    batch, other = make_batch(db, ["a.txt"]), make_batch(db, ["b.txt"])
    db.execute(
        "INSERT INTO escalations (batch_id, jobs, fields, mended, usd, unknown) "
        "VALUES (%s, 1, 2, 2, 0.0140, 0)",
        (batch,),
    )
    said = f"batch {batch}: fields of 1 of 2 jobs were read a second time; 2 of 2 in question"
    assert said in see(client, "/costs")
    assert "USD 0.0140, 0.0070 for each" in see(client, f"/costs?batch={batch}")
    assert "second time" not in see(client, f"/costs?batch={other}")


DISPLAY = '[display]\ncurrency = "INR"\nusd_rate = "88.70"\nas_of = 2026-11-01\n'


def test_costs_are_shown_in_the_display_currency_with_usd_beside_it(
    client: TestClient, db: Connection, tmp_path: Path
) -> None:
    batch = make_batch(db, ["a.txt"], max_cost="2")
    [job] = answer(db, batch, "extraction", {"total": "1"}, cost_usd="0.25", cost_reason=None)
    paths = ["/", "/live", f"/batches/{batch}", f"/batches/{batch}/live", "/costs"]
    both = '₹22.18 <span class="note">=&nbsp;$0.2500</span>'
    for path in [*paths, f"/batches/{batch}/jobs/{job}"]:
        assert "₹" not in see(client, path)
    (tmp_path / "docmill.toml").write_text(DISPLAY, "utf-8")
    for path in paths:
        assert both in see(client, path)
    assert see(client, f"/batches/{batch}/jobs/{job}").count(both) == 2
    assert "Budget: $2 (₹177.40)." in see(client, f"/batches/{batch}")
    assert "1 USD = ₹88.70 (docmill.toml, 2026-11-01)" in see(client, "/costs")


def test_programs_get_usd_alone_whatever_is_displayed(
    client: TestClient, db: Connection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "docmill.toml").write_text(DISPLAY, "utf-8")
    batch = make_batch(db, ["a.txt"])
    answer(db, batch, "extraction", {"total": "1"}, cost_usd="0.25", cost_reason=None)
    [first, _] = see(client, f"/batches/{batch}/results.jsonl").splitlines()
    assert json.loads(first)["cost_usd"] == "0.25"
    for form in ("json", "jsonl", "csv"):
        look.results(batch, format=FormatChoice(form))
        printed = capsys.readouterr().out
        assert "0.25" in printed
        assert not re.search(r"₹|INR|22\.18", printed)
    look.costs(batch, ByChoice.MODEL, as_json=True)
    assert json.loads(capsys.readouterr().out)[0]["cost_usd"] == "0.25"
    look.status(batch, as_json=True)
    assert json.loads(capsys.readouterr().out)["cost_usd"] == "0.25"


def test_a_display_currency_that_is_wrong_is_said_with_its_key(
    client: TestClient, tmp_path: Path
) -> None:
    (tmp_path / "docmill.toml").write_text('[display]\ncurrency = "INR"', "utf-8")
    assert "docmill.toml: display.usd_rate: Field required" in see(client, "/", 503)


def test_the_commands_show_both_and_say_how_to_price_what_has_no_price(
    db: Connection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "docmill.toml").write_text(DISPLAY, "utf-8")
    batch = make_batch(db, ["a.txt"])
    answer(db, batch, "extraction", {"total": "1"}, cost_usd="0.25", cost_reason=None)
    answer(db, batch, "summary", {})
    advice = 'no price is known for phi4-mini: [prices."phi4-mini"] in docmill.toml'
    look.status(batch)
    said = " ".join(capsys.readouterr().out.split())
    assert "cost: $0.2500 (₹22.18)" in said
    assert f"unknown: 1 call, not in the cost: {advice}" in said
    look.costs(batch)
    said = " ".join(capsys.readouterr().out.split())
    assert "0.2500 22.18 unknown" in said
    assert "1 USD = ₹88.70 (docmill.toml, 2026-11-01)" in said
    assert f"1 call of unknown cost, not in USD: {advice}" in said


def test_the_receipt_names_every_host(client: TestClient, db: Connection) -> None:
    batch = make_batch(db, ["a.txt"], policy="local-only")
    answer(db, batch, "summary", {})
    page = see(client, f"/batches/{batch}/receipt")
    assert "Policy local-only: no call left gpu:11434." in page


def test_what_became_of_each_document_is_told_page_by_page(
    client: TestClient, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = make_batch(db, ["a.txt", f"b{EVIL}.pdf", "c.pdf"])
    db.execute(
        "UPDATE documents SET state = 'needs_ocr', jobs_total = 0, "
        'error = \'{"category": "needs_ocr", "message": "its page shows pictures"}\' '
        "WHERE path LIKE 'b%'"
    )
    db.execute(
        'UPDATE documents SET missing = \'[{"why": "needs_ocr", "pages": "2-3"}]\' '
        "WHERE path = 'c.pdf'"
    )
    page = see(client, f"/batches/{batch}/documents")
    for words in ("a.txt", "its page shows pictures", "missing: pages 2-3 (needs_ocr)", "partly"):
        assert words in page
    assert EVIL not in page
    page = see(client, f"/batches/{batch}/documents?state=partly")
    assert "c.pdf" in page
    assert "a.txt" not in page
    monkeypatch.setattr(pages, "RESULTS", 2)
    first = see(client, f"/batches/{batch}/documents")
    assert "c.pdf" not in first
    following = re.search(r'href="([^"]+after=[^"]+)"', first)
    assert following
    assert "c.pdf" in see(client, following[1].replace("&amp;", "&"))
    of_batch = see(client, f"/batches/{batch}")
    assert f"docmill documents {batch} --state needs_ocr" in of_batch
    assert f"/batches/{batch}/documents" in of_batch
