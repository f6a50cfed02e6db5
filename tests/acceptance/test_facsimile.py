"""A value is shown where it stands on its page: from the file to the page, and gone by a purge."""

import json
import re
from pathlib import Path

import pytest

from tests.commands import Docmill
from tests.pdfs import made
from tests.rows import Connection, rows, value
from tests.stubs.process import stub_process
from tests.web_batches import EVIL, open_page, see

BILL = f"Invoice of {EVIL} Ltd\nTotal: 42.50 EUR"
ASK = ("--ask", "What is the total?", "--task", "extraction", "--fields", "total")
SVG = re.compile(r"<svg.*?</svg>", re.DOTALL)


def test_a_value_is_marked_on_its_page_as_it_is_drawn_and_a_purge_takes_the_boxes(
    tmp_path: Path,
    database_url: str,
    redis_url: str,
    db: Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "bill.pdf").write_bytes(made("A letter before it.", BILL))
    (tmp_path / "bill.txt").write_text(BILL)
    answers = json.dumps({"total": json.dumps({"total": "42.50"})})
    with stub_process("ollama", "--models", "phi4-mini", "--answers", answers) as ollama:
        command = Docmill.in_the_building(tmp_path, database_url, redis_url, ollama.url)
        with command.worker("all"):
            batch = command.json("submit", "bill.pdf", "bill.txt", *ASK)["batch"]
            command.until_over(batch)
    kept = rows(db, "SELECT path, page FROM page_boxes JOIN documents d ON d.id = document_id")
    assert kept == [("bill.pdf", 1), ("bill.pdf", 2)]

    monkeypatch.setenv("REDIS_URL", redis_url)
    jobs = dict(rows(db, "SELECT path, j.id FROM jobs j JOIN documents d ON d.id = document_id"))
    with open_page() as client:
        page = see(client, f"/batches/{batch}/review/{jobs['bill.pdf']}")
        plain = see(client, f"/batches/{batch}/review/{jobs['bill.txt']}")
    part, whole = SVG.findall(page)
    assert "facsimile" not in plain
    assert re.search(r'<g class="here"><title>total</title><rect [^<]*<text [^<]*>42.50<', part)
    assert part.count('<g class="here">') == 1
    assert "&lt;script&gt;" in part
    assert EVIL not in page
    assert "letter" not in part
    assert '<mark class="here">total</mark> on page 2' in page
    assert '<use href="#words"/>' in whole

    command.run("purge", str(batch))
    assert value(db, "SELECT count(*) FROM page_boxes") == 0
