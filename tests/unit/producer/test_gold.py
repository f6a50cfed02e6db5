import hashlib

import pytest

from models.errors import InputError
from models.words import Split, split_of
from producer.gold import Defaults, Gold, as_json, read_row, set_name

DEFAULTS = Defaults(ask="Which total?", source="here", licence="CC0-1.0")
ROW = {"text": "Total: 42.50", "fields": {"total": "42.50"}}


def digest(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def test_a_third_of_all_documents_is_held_and_each_of_them_for_ever():
    held = [number for number in range(3_000) if split_of(digest(number)) is Split.HELD]
    assert 900 < len(held) < 1_100
    assert held[:8] == [0, 6, 8, 9, 10, 12, 17, 20]  # what is held stays so in every version


def test_rows_of_one_document_are_in_one_split_whatever_is_asked_of_it():
    asked = [{**ROW, "ask": f"ask {number}", "fields": {"a": str(number)}} for number in range(20)]
    assert len({read_row(row, DEFAULTS).split for row in asked}) == 1
    chunks = [{**ROW, "text": f"page {number}", "document": digest(0)} for number in range(20)]
    assert {read_row(row, DEFAULTS).split for row in chunks} == {Split.HELD}


def test_a_labelled_line_says_what_was_asked_of_what_and_what_is_right():
    row = read_row({**ROW, "licence": "MIT", "id": "ignored"}, DEFAULTS)
    assert (row.task, row.ask, row.source, row.licence) == (
        "extraction", "Which total?", "here", "MIT")  # fmt: skip
    assert row.schema["properties"] == {"total": {"type": ["string", "null"]}}
    assert row.document == hashlib.sha256(b"Total: 42.50").hexdigest()
    label = read_row({"text": "Where is it?", "ask": "Kind?", "label": "complaint"}, DEFAULTS)
    assert (label.task, label.value, label.schema) == (
        "classification", {"label": "complaint"}, None)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"text": None}, 'needs "text"'),
        ({"text": " "}, '"text" must be text'),
        ({"text": "a\0b"}, "can be stored"),
        ({"fields": {}}, "an object with the right values"),
        ({"fields": {"a": "\ud800"}}, "cannot be stored"),
        ({"label": "x"}, "one of the two"),
        ({"task": "guess"}, '"task" must be one of'),
        ({"task": ["summary"]}, '"task" must be one of'),
        ({"document": "abc"}, "SHA-256"),
        ({"document": digest(0), "split": "train"}, "held by its hash, once and for ever"),
        ({"schema": {"type": "array"}}, '"schema": '),
        ({"schema": "object"}, '"schema": must be an object'),
        ({"schema": {"type": "object", "required": ["vendor"]}}, "vendor"),
        ({"language": 5}, '"language" must be text'),
        ({"local_only": "true"}, "\"local_only\" must be true or false, found 'true'"),
        ({"local_only": 1}, "\"local_only\" must be true or false, found '1'"),
    ],
)
def test_a_line_that_cannot_be_used_says_why(change, said):
    with pytest.raises(InputError, match=said):
        read_row({**ROW, **change}, DEFAULTS)


def test_what_a_line_and_the_options_leave_out_is_asked_for():
    with pytest.raises(InputError, match='needs "licence", in the line or as --licence'):
        read_row(ROW, Defaults(ask="a", source="b"))


@pytest.mark.parametrize(
    "row",
    [
        {**ROW, "local_only": True, "language": "en", "model": "local/m"},
        {"text": "t", "ask": "k", "label": "x"},
        {"text": "t", "ask": "k", "fields": {"n": 5, "items": [{"a": None}]}},
        {"text": "t", "ask": "k", "task": "summary", "fields": {"summary": "s"}},
    ],
)
def test_what_is_exported_is_read_as_it_was(row):
    gold = read_row(row, DEFAULTS)
    stored = {key: getattr(gold, key) for key in Gold.__slots__ if key != "job"}
    assert read_row(as_json({**stored, "split": gold.split}), Defaults()) == gold


def test_fields_are_exported_in_the_order_of_the_schema():
    gold = read_row({**ROW, "fields": {"total": "1", "date": "2"}}, DEFAULTS)
    stored = {key: getattr(gold, key) for key in Gold.__slots__}
    stored["value"] = {"date": "2", "total": "1"}  # as jsonb gives it back
    assert list(as_json(stored)["fields"]) == ["total", "date"]


@pytest.mark.parametrize("name", ["", "a b", "../x", "x" * 81, "a/b", "-x", "a\0"])
def test_a_set_has_a_plain_name(name):
    with pytest.raises(InputError, match="a gold set's name"):
        set_name(name)


def test_a_set_is_named_in_any_script():
    assert set_name("रसीद-2.v1") == "रसीद-2.v1"
