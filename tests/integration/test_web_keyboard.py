"""Reviewing in a real browser, with the keyboard alone."""

import re
from pathlib import Path

import pytest

from tests.browser import CHROMIUM, open_browser
from tests.commands import Docmill
from tests.rows import rows, value
from tests.web_batches import TEXT, Connection, answer, make_batch

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no browser here")

START = 100 + TEXT.index("42.50")
CHECK = {"outcome": "check", "code": "unlabelled", "about": None, "span": [START, START + 5]}


async def test_a_hundred_answers_are_reviewed_by_keyboard_alone(
    database_url: str, db: Connection, tmp_path: Path
) -> None:
    batch = make_batch(db, [f"{number:03}.txt" for number in range(100)])
    answer(db, batch, "extraction", {"total": "42.50"}, fields={"total": CHECK})
    docmill = Docmill(tmp_path, {"DATABASE_URL": database_url, "REDIS_URL": "redis://127.0.0.1:1"})
    page = docmill.start("web", "--port", "0")
    try:
        page.until_says("the page is at")
        [address] = re.findall(r"http://\S+", page.said())
        async with open_browser(tmp_path) as browser:
            await browser.open(f"{address}batches/{batch}/review")
            await browser.write("Asha")
            await browser.go("Enter")
            for number in range(100):
                if number == 0:
                    await browser.go("s")  # it comes back as the last
                match number % 4:
                    case 0 | 1:
                        await browser.go("a")
                    case 2:
                        await browser.press("f")
                        await browser.write(f"{number}.00")
                        await browser.go("Enter")
                    case 3:
                        await browser.go("n")
            assert await browser.ask("document.querySelector('main').innerText.includes('Nothing')")
    finally:
        page.end()
    made = dict(rows(db, "SELECT ruling, count(*) FROM corrections GROUP BY 1"))
    assert made == {"confirmed": 50, "corrected": 25, "absent": 25}
    assert value(db, "SELECT count(DISTINCT job_id) FROM corrections") == 100
    assert value(db, "SELECT new FROM corrections WHERE ruling = 'corrected' LIMIT 1") == "2.00"
