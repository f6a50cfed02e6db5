"""Reviewing on the page, in front of a real database."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pytest

from producer import query, review
from tests.rows import rows, value
from tests.web_batches import (
    EVIL,
    OWN,
    TEXT,
    Connection,
    TestClient,
    answer,
    make_batch,
    open_page,
    see,
)

WRONG = {"outcome": "wrong", "code": "not_in_text", "about": None, "span": None, "page": None}
START = 100 + TEXT.index("42.50")
CHECK = {**WRONG, "outcome": "check", "code": "unlabelled", "span": [START, START + 5]}


@pytest.fixture
def client(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    with open_page() as client:
        yield client


def answered(db: Connection, documents: int = 1, check: Any = CHECK) -> tuple[int, list[int]]:
    batch = make_batch(db, [f"{number}.txt" for number in range(documents)])
    return batch, answer(db, batch, "extraction", {"total": "42.50"}, fields={"total": check})


def begin(client: TestClient, batch: int, by: str = "Asha") -> str:
    """Begin to review; where that leads."""
    return send(client, f"/batches/{batch}/review/next", by=by)


def send(client: TestClient, path: str, status: int = 303, **form: Any) -> str:
    sent = client.post(path, data=form, headers=OWN, follow_redirects=False)
    assert sent.status_code == status, sent.text
    return sent.headers.get("location", sent.text)


def seen(page: str) -> str:
    found = re.search(r'name="seen" value="(\d+)"', page)
    assert found
    return found[1]


def press(client: TestClient, here: str, do: str, status: int = 303, **form: Any) -> str:
    """Press a button of the review page at `here`; where that leads."""
    here = here.partition("#")[0]
    form = {"field": "total", "seen": seen(see(client, here)), **form}
    return send(client, here, status, do=do, **form)


def test_the_worst_answer_comes_first_with_its_text_beside_its_values(
    client: TestClient, db: Connection
) -> None:
    batch, [_, job] = answered(db, 2)
    db.execute("UPDATE reviews SET harm = 9 WHERE job_id = %s", (job,))
    assert f'href="/batches/{batch}/review"' in see(client, f"/batches/{batch}")
    assert "2 answers" in see(client, f"/batches/{batch}/review")
    here = begin(client, batch)
    assert here == f"/batches/{batch}/review/{job}#here"
    page = see(client, here)
    assert '<mark class="here" id="here" title="total">42.50</mark>' in page
    assert "nothing beside it says that it is the one" in page
    assert value(db, "SELECT reviewer FROM reviews WHERE job_id = %s", job) == "Asha"


def test_what_a_check_quotes_from_the_text_is_marked_in_whatever_form_it_stands(
    client: TestClient, db: Connection
) -> None:
    batch, _ = answered(db, check={**WRONG, "code": "sign", "about": "total: 42.50 b"})
    page = see(client, begin(client, batch))
    quoted = 'id="here" title="quoted by the check">Total: 42.50 &lt;b</mark>'
    assert f'<mark class="quoted" {quoted}' in page


def test_each_button_rules_and_leads_to_the_next_answer(client: TestClient, db: Connection) -> None:
    batch, jobs = answered(db, 5)
    here = begin(client, batch)
    for do, form in (
        ("accept", {}),
        ("fix", {"value": "43.00\r\nEUR"}),
        ("absent", {}),
        ("skip", {}),
        ("confirm", {}),
    ):
        here = press(client, here, do, **form)
    assert here == f"/batches/{batch}/review/{jobs[3]}#here"  # what was skipped comes back
    made = rows(db, "SELECT job_id, ruling, new, reviewer FROM corrections ORDER BY id")
    assert made == [
        (jobs[0], "confirmed", "42.50", "Asha"),
        (jobs[1], "corrected", "43.00\nEUR", "Asha"),
        (jobs[2], "absent", None, "Asha"),
        (jobs[4], "confirmed", "42.50", "Asha"),
    ]
    assert press(client, here, "accept") == f"/batches/{batch}/review"
    assert "Nothing is left to review" in see(client, f"/batches/{batch}/review")


def test_two_reviewers_never_get_the_same_answer_and_one_who_comes_too_late_is_told(
    client: TestClient, db: Connection
) -> None:
    batch, jobs = answered(db, 2)
    mine = begin(client, batch, "Asha")
    with open_page() as other:
        assert begin(other, batch, "Ravi") == f"/batches/{batch}/review/{jobs[1]}#here"
        assert "Asha is at this answer" in see(other, mine)
        assert "is being reviewed by Asha" in press(other, mine, "accept", 409)
        assert send(other, mine, 409, do="stay") == ""
    assert send(client, mine, 204, do="stay") == ""
    old = seen(see(client, mine))
    review.correct(jobs[0], {"total": "1"}, "Asha")
    assert "meanwhile" in press(client, mine, "accept", 409, seen=old)


def test_a_corrected_value_is_shown_as_such_on_every_page_with_its_history(
    client: TestClient, db: Connection
) -> None:
    batch, [job] = answered(db, check=WRONG)
    press(client, begin(client, batch), "fix", value="43.00")
    page = see(client, f"/batches/{batch}")
    assert "43.00" in page
    assert '<span class="ruling">corrected</span> <span class="note">by Asha</span>' in page
    page = see(client, f"/batches/{batch}/jobs/{job}")
    for words in ("43.00", "42.50", "As it was answered", "by Asha"):
        assert words in page
    assert next(query.results(batch, task="extraction"))["value"] == {"total": "43.00"}


def test_an_answer_that_waits_for_nobody_is_reviewed_from_its_own_page(
    client: TestClient, db: Connection
) -> None:
    batch = make_batch(db, ["a.txt"])
    [job] = answer(db, batch, "summary", {"summary": "s"})
    begin(client, batch)
    here = f"/batches/{batch}/review/{job}"
    assert f'href="{here}#here"' in see(client, f"/batches/{batch}/jobs/{job}")
    where = press(client, here, "fix", field="summary", value="better")
    assert where == f"/batches/{batch}/jobs/{job}"


def test_who_has_not_said_a_name_is_asked_for_it(client: TestClient, db: Connection) -> None:
    batch, [job] = answered(db)
    here = f"/batches/{batch}/review/{job}"
    assert press(client, here, "accept") == f"/batches/{batch}/review"
    assert rows(db, "SELECT FROM corrections") == []
    for name in ("", " ", "x" * 81):
        assert "needs a name" in send(client, f"/batches/{batch}/review/next", 400, by=name)
    begin(client, batch, "आशा; a=b")
    assert unquote(client.cookies["reviewer"]) == "आशा; a=b"
    press(client, here, "accept")
    assert value(db, "SELECT reviewer FROM corrections") == "आशा; a=b"


def test_what_a_review_cannot_use_changes_nothing(client: TestClient, db: Connection) -> None:
    batch, [job] = answered(db)
    here = begin(client, batch)
    assert "accepts, fixes" in press(client, here, "burn", 400)
    assert "write the right value" in press(client, here, "fix", 400)
    assert "lacks what its reviewer" in press(client, here, "accept", 400, seen="x")
    assert "no field" in press(client, here, "accept", 409, field="colour")
    assert "no field" in see(client, f"/batches/{batch}/review/{job}?field=colour", 409)
    assert "too long" in press(client, here, "fix", 413, value="x" * 1_000_001)
    assert "there is no job" in see(client, f"/batches/{batch}/review/424242", 404)
    assert "there is no batch" in see(client, "/batches/424242/review", 404)
    assert rows(db, "SELECT FROM corrections") == []


def test_a_foreign_site_can_neither_take_an_answer_nor_rule_on_it(
    client: TestClient, db: Connection
) -> None:
    batch, [job] = answered(db)
    begin(client, batch)
    foreign = {"origin": "http://evil.example", "sec-fetch-site": "cross-site"}
    for path in (f"/batches/{batch}/review/next", f"/batches/{batch}/review/{job}"):
        form = {"by": "x", "do": "accept", "field": "total", "seen": "0"}
        assert client.post(path, data=form, headers=foreign).status_code == 403
    assert rows(db, "SELECT FROM corrections") == []


def test_hostile_values_and_names_are_shown_as_text(client: TestClient, db: Connection) -> None:
    batch = make_batch(db, [f"{EVIL}.txt"])
    db.execute("UPDATE asks SET json_schema = NULL")
    check = {**WRONG, "code": "conflict", "about": EVIL}
    [job] = answer(db, batch, "extraction", {EVIL: EVIL}, fields={EVIL: check})
    begin(client, batch, EVIL)
    here = f"/batches/{batch}/review/{job}"
    pages = [see(client, here), see(client, f"/batches/{batch}/review")]
    press(client, here, "fix", field=EVIL, value=f"</textarea>{EVIL}")
    pages += [
        see(client, path) for path in (here, f"/batches/{batch}", f"/batches/{batch}/jobs/{job}")
    ]
    for page in pages:
        assert "<script>alert" not in page
        assert "alert(1)" in page
