"""The user's own checks, from the spec to the row, the view, the exports and the page."""

import csv
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from tests.commands import Docmill
from tests.rows import Connection, rows
from tests.stubs.process import stub_process

SCHEMA = {
    "type": "object",
    "properties": {
        "total": {"type": ["string", "null"]},
        "date": {"type": ["string", "null"]},
        "iban": {"type": ["string", "null"]},
        "items": {
            "type": "array",
            "items": {"type": "object", "properties": {"amount": {"type": "string"}}},
        },
    },
    "required": ["total", "date", "iban", "items"],
}
SUM = "total == sum(items.amount)"
LATER = date.today() + timedelta(days=2)
ASK: dict[str, Any] = {
    "ask": "Find total, date, IBAN and the items.",
    "name": "bill",
    "task": "extraction",
    "schema": SCHEMA,
    "checks": [SUM, "date <= today", "iban valid"],
    "formats": {"total": "currency", "date": "date"},
}
GOOD = {
    "total": "Rs 1,23,456.00",
    "date": "3 May 2024",
    "iban": "GB82 WEST 1234 5698 7654 32",
    "items": [{"amount": "1,23,000.00"}, {"amount": "456.00"}],
}
BAD = {
    "total": "Rs 1,23,465.00",
    "date": LATER.isoformat(),
    "iban": "GB82 WEST 1234 5698 7654 33",
    "items": [{"amount": "1,23,000.00"}, {"amount": "456.00"}],
}
LACKING = {**GOOD, "date": None, "items": []}


def bill(name: str, answer: dict[str, Any]) -> str:
    lines = [f"Amount: {item['amount']}" for item in answer["items"]]
    day = f"Date: {answer['date']}" if answer["date"] else "Undated."
    return "\n".join(
        [f"Bill {name}", day, *lines, f"Total: {answer['total']}", f"IBAN: {answer['iban']}"]
    )


ANSWERS = {"good": GOOD, "bad": BAD, "lacking": LACKING}


def test_what_a_user_checks_reaches_every_door(
    tmp_path: Path, database_url: str, redis_url: str, db: Connection
) -> None:
    answers = json.dumps({f"Bill {name}": answer for name, answer in ANSWERS.items()})
    with stub_process("ollama", "--models", "phi4-mini", "--answers", answers) as ollama:
        urls = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "OLLAMA_HOST": ollama.url}
        docmill = Docmill(tmp_path, urls)
        for name, answer in ANSWERS.items():
            (tmp_path / f"{name}.txt").write_text(bill(name, answer))
        (tmp_path / "spec.yaml").write_text(json.dumps({"asks": [ASK]}))
        names = [f"{name}.txt" for name in ANSWERS]
        batch = docmill.json("submit", *names, "--spec", "spec.yaml")["batch"]
        with docmill.worker("ingest"), docmill.worker("local"):
            docmill.until_over(batch)
    found = {
        row["document"].removesuffix(".txt"): row["fields"] for row in docmill.rows(str(batch))
    }
    assert {path: each["outcome"] for path, each in found["good"].items()} == dict.fromkeys(
        ("total", "date", "iban", "items.0.amount", "items.1.amount"), "sure"
    )
    assert found["good"]["total"]["normalised"] == "INR 123456.00"
    assert found["good"]["date"]["normalised"] == "2024-05-03"
    assert {path: (each["code"], each["about"]) for path, each in found["bad"].items()} == {
        **dict.fromkeys(("total", "items.0.amount", "items.1.amount"), ("own_check", SUM)),
        "date": ("own_check", "date <= today"),
        "iban": ("own_check", "iban valid"),
    }
    assert (found["lacking"]["date"]["code"], found["lacking"]["date"]["outcome"]) == (
        "uncheckable",
        "check",
    )
    assert found["lacking"]["total"]["code"] == "own_check"
    wrong = "SELECT document FROM results WHERE fields->'iban'->>'code' = 'own_check'"
    assert rows(db, wrong) == [("bad.txt",)]
    docmill.run("results", str(batch), "--format", "csv", "--out", "rows.csv")
    with (tmp_path / "rows.csv").open(encoding="utf-8-sig", newline="") as file:
        cells = {row["document"]: row for row in csv.DictReader(file)}
    assert cells["good.txt"]["value.total"] == "Rs 1,23,456.00"
    assert cells["good.txt"]["normalised.total"] == "INR 123456.00"
    assert cells["lacking.txt"]["normalised.date"] == ""
    line = [json.loads(each) for each in docmill.run("review", str(batch), "--json").splitlines()]
    assert {row["document"] for row in line} == {"bad.txt", "lacking.txt"}


def test_a_check_that_is_none_is_refused_before_anything_is_stored(
    tmp_path: Path, database_url: str, redis_url: str, db: Connection
) -> None:
    docmill = Docmill(tmp_path, {"DATABASE_URL": database_url, "REDIS_URL": redis_url})
    (tmp_path / "a.txt").write_text("a")
    for checks, said in (
        (["totl > 0"], "check 1, 'totl > 0': names 'totl', which is no field of this ask; its"),
        ([SUM, "total = 5"], "check 2, 'total = 5': cannot be read; a check is a condition such"),
    ):
        (tmp_path / "spec.yaml").write_text(json.dumps({"asks": [{**ASK, "checks": checks}]}))
        printed = docmill.run("submit", "a.txt", "--spec", "spec.yaml", code=1)
        assert "spec.yaml: asks.0" in printed
        assert said in printed.replace("\n", " ")
    assert rows(db, "SELECT count(*) FROM batches") == [(0,)]
