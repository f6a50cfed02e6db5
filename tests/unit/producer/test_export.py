import csv
import importlib.util
import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import ConfigError
from producer.export import csv_cell, unguarded, write_csv, write_json, write_jsonl, write_parquet
from producer.query import RESULT_KEYS, AnswerKeys

CONTRACT = [
    "batch",
    "document",
    "chunk",
    "pages",
    "ask",
    "task",
    "tier",
    "model",
    "state",
    "value",
    "grounded",
    "spans",
    "escalated_from",
    "escalation_reason",
    "attempts",
    "cost_usd",
    "input_tokens",
    "output_tokens",
    "latency_ms",
    "error",
    "engine",
    "chain",
    "fields",
    "job",
    "corrected",
    "answered",
    "accepted",
    "scored_by",
]

ROW = {
    "batch": 1,
    "document": "docs/a.pdf",
    "chunk": 2,
    "pages": [1, 3],
    "ask": "find it",
    "task": "extraction",
    "tier": "local",
    "model": "phi4-mini",
    "state": "done",
    "value": {"total": "75.00", "vendor": 'क्षेत्र, "Ltd"\nPune', "items": [1, None]},
    "grounded": True,
    "spans": {"total": [5, 10]},
    "escalated_from": None,
    "escalation_reason": None,
    "attempts": 1,
    "cost_usd": "0.0001",
    "input_tokens": 100,
    "output_tokens": 9,
    "latency_ms": 250,
    "error": None,
    "engine": "gpu2",
    "chain": ["local/phi4-mini", "gpu2/llama3.3:70b"],
    "fields": {"total": {"outcome": "sure", "code": "labelled", "about": "=total"}},
    "job": 12,
    "corrected": {"total": {"ruling": "corrected", "by": "=Asha", "at": "2026-11-28T09:00:00Z"}},
    "answered": {"total": "=75"},
    "accepted": False,
    "scored_by": "6b2aee5b",
    "reason": "not of the contract",
    "stand_in": False,
}
KEYS = ["vendor", "total", "items"]
ALL = AnswerKeys(KEYS)


def csv_rows(rows: list[dict], keys: list[str]) -> list[dict[str, str]]:
    out = io.StringIO(newline="")
    write_csv(rows, out, AnswerKeys(keys))
    assert out.getvalue().startswith("\ufeff")
    out.seek(1)
    return list(csv.DictReader(out))


def with_value(**value: object) -> dict:
    return {**ROW, "value": value}


def test_the_keys_are_those_of_the_contract_in_its_order():
    assert list(RESULT_KEYS) == CONTRACT


def test_each_line_holds_exactly_the_keys_of_the_contract():
    out = io.StringIO()
    write_jsonl([ROW, ROW], out)
    first, second = map(json.loads, out.getvalue().splitlines())
    assert list(first) == CONTRACT
    assert first == second == {key: ROW[key] for key in CONTRACT}
    assert "क्षेत्र" in out.getvalue()


@pytest.mark.parametrize("number", [0, 1, 3])
def test_json_is_one_array(number):
    out = io.StringIO()
    write_json([ROW] * number, out)
    assert json.loads(out.getvalue()) == [{key: ROW[key] for key in CONTRACT}] * number


def test_no_rows_are_no_lines():
    out = io.StringIO()
    write_jsonl([], out)
    assert out.getvalue() == ""


def test_a_csv_has_a_column_per_key_of_the_answers_after_those_of_the_contract():
    (row,) = csv_rows([ROW], KEYS)
    assert list(row) == [*CONTRACT, "value.vendor", "value.total", "value.items"]
    assert row["value.vendor"] == ROW["value"]["vendor"]
    assert row["value.items"] == "[1, null]"
    assert json.loads(row["value"]) == ROW["value"]
    assert row["pages"] == "[1, 3]"
    assert row["escalated_from"] == ""


def test_an_answer_without_a_key_leaves_its_cell_empty():
    rows = csv_rows([with_value(total="1"), {**ROW, "value": None, "state": "failed"}], KEYS)
    assert [(row["value.total"], row["value.vendor"]) for row in rows] == [("1", ""), ("", "")]


def test_a_field_with_a_format_has_a_column_for_it_but_beside_what_a_person_changed():
    check = {"date": {"normalised": "2024-05-03"}}
    keys = AnswerKeys(["date"], ["date", "seller.since"])
    rulings = [None, {"date": {"ruling": "confirmed"}}, {"date": {"ruling": "corrected"}}]
    fields = [*[check] * 3, {"date": {"code": "labelled"}}, None]
    rows = [
        {**ROW, "value": {"date": "3 May 2024"}, "fields": each, "corrected": ruling}
        for each, ruling in zip(fields, [*rulings, None, None], strict=True)
    ]
    out = io.StringIO(newline="")
    write_csv(rows, out, keys)
    out.seek(1)
    found = list(csv.DictReader(out))
    assert list(found[0])[-3:] == ["value.date", "normalised.date", "normalised.seller.since"]
    assert [row["normalised.date"] for row in found] == ["2024-05-03", "2024-05-03", "", "", ""]


def test_a_csv_without_rows_has_its_header():
    out = io.StringIO(newline="")
    write_csv([], out, AnswerKeys(["a"]))
    assert out.getvalue() == f"\ufeff{','.join([*CONTRACT, 'value.a'])}\r\n"


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        '=HYPERLINK("http://evil","x")',
        "+1+cmd|' /C calc'!A0",
        "-1+1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "-",
        "=",
        "\n=1+1",
        "\r\n=1+1",
        "\n",
        "\n-5",
        "  =1+1",
        "\xa0=1+1",
        "\ufeff=1+1",
        "＝1+1",
        "＋1",
        "－1+1",
        "＠SUM(A1)",
        "﹦1+1",
        "-1-1",
        "-" + "1" * 50_000 + "x",
        "-inf",
        "+1_000",
    ],
)
def test_a_formula_out_of_a_document_becomes_text(text):
    (row,) = csv_rows([with_value(total=text)], ["total"])
    assert row["value.total"] == "'" + text


@pytest.mark.parametrize(
    "text",
    [
        "-5",
        "-1,234.50",
        "+91",
        "-.5",
        "-5.",
        "-2e-3",
        "75.00",
        "1=1",
        "a@b.c",
        "x-y",
        "a\n=1",
        "",
        " a",
    ],
)
def test_numbers_and_harmless_texts_stay_as_they_are(text):
    (row,) = csv_rows([with_value(total=text)], ["total"])
    assert row["value.total"] == text


def test_a_formula_in_a_cell_of_json_is_written_so_that_it_begins_nothing_and_is_still_the_same():
    value = {"=k": ["=1+1", "＝1", '"=2', "a=1", -5]}
    (row,) = csv_rows([with_value(**value)], ["=k"])
    assert json.loads(row["value"]) == value
    assert json.loads(row["value.=k"]) == value["=k"]
    assert not re.search('"[=＝]', row["value"] + row["value.=k"])


@given(st.text(st.characters(codec="utf-8"), max_size=20))
def test_a_cell_without_its_guard_is_the_text_again(text):
    assert unguarded(str(csv_cell(text))) == text or text.startswith("'")


def test_a_formula_in_a_file_name_becomes_text():
    (row,) = csv_rows([{**ROW, "document": '=HYPERLINK("http://evil","x").txt'}], [])
    assert not row["document"].startswith("=")


VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)


@given(st.lists(VALUES, max_size=5))
def test_every_text_survives_a_csv_but_for_the_guard(values):
    rows = csv_rows([with_value(a=value) for value in values], ["a"])
    for row, value in zip(rows, values, strict=True):
        assert row["value.a"] in (value, "'" + value)
        assert row["value.a"].strip()[:1] not in ("=", "@", "＝", "＠")
        assert row["value.a"][:1] not in ("\t", "\r", "\n")
        assert json.loads(row["value"]) == {"a": value}


@given(st.lists(VALUES, max_size=5))
def test_every_line_is_one_line_whatever_the_text(values):
    out = io.StringIO()
    write_jsonl((with_value(a=value) for value in values), out)
    read = [json.loads(line)["value"]["a"] for line in out.getvalue().split("\n")[:-1]]
    assert read == values


HAS_ARROW = importlib.util.find_spec("pyarrow") is not None


@pytest.mark.skipif(HAS_ARROW, reason="pyarrow is installed")
def test_parquet_without_pyarrow_says_what_to_install(tmp_path):
    with pytest.raises(ConfigError, match=r"docmill\[parquet\]"):
        write_parquet([ROW], tmp_path / "x.parquet", ALL)
    assert list(tmp_path.iterdir()) == []


def test_parquet_keeps_numbers_numbers_and_texts_as_they_were(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "x.parquet"
    write_parquet([ROW, {**ROW, "value": None}], path, ALL)
    first, second = parquet.read_table(path).to_pylist()
    assert list(first) == [*CONTRACT, *(f"value.{key}" for key in KEYS)]
    assert (first["batch"], first["grounded"], first["cost_usd"]) == (1, True, "0.0001")
    assert first["value.vendor"] == ROW["value"]["vendor"]
    assert second["value.total"] is None


def test_parquet_does_not_guard_against_formulas(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "x.parquet"
    write_parquet([with_value(total="=1+1")], path, AnswerKeys(["total"]))
    assert parquet.read_table(path).to_pylist()[0]["value.total"] == "=1+1"
