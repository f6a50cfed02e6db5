import json
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator

from models.spec import check_schema, fields_schema
from models.words import TaskType
from worker.prompts import (
    CLASSIFY_SCHEMA,
    classify_messages,
    form,
    reading_messages,
    repair_messages,
    task_messages,
)
from worker.prompts.files import SECOND_READING, prompt

NAMES = [*map(str, TaskType), "classify", SECOND_READING]
SCHEMA = {"type": "object", "properties": {"total": {"type": ["string", "null"]}}}
LABEL = {"type": "object", "properties": {"label": {"enum": ["a", "b"]}}}
TEXTS = st.text(max_size=200)


@pytest.mark.parametrize(
    ("schema", "sketch"),
    [
        (fields_schema(("a", "b")), '{"a": string or null, "b": string or null}'),
        ({"type": "string"}, "string"),
        ({"type": ["integer", "null"]}, "integer or null"),
        ({"enum": ["x", 1, None]}, '"x" or 1 or null'),
        ({"type": "string", "enum": ["ja", "जी"]}, '"ja" or "जी"'),
        ({"type": "array", "items": {"type": "number"}}, "[number, ...]"),
        ({"type": "array"}, "array"),
        ({"type": "object"}, "object"),
        ({"type": "object", "properties": {}}, "{}"),
        ({}, "any value"),
        ({"type": ["object", "null"], "properties": {"a": {}}}, '{"a": any value} or null'),
        ({"properties": {"a": {"const": "x"}}}, '{"a": "x"}'),
        ({"items": {"const": None}}, "[null, ...]"),
        ({"prefixItems": [{"type": "string"}, {"type": "number"}]}, "[string, number]"),
        ({"additionalProperties": {"type": "number"}}, "{any name: number, ...}"),
        (
            {"type": "object", "additionalProperties": {"type": "number"}},
            "{any name: number, ...}",
        ),
        ({"anyOf": [{"type": "number"}, {"type": "null"}]}, "number or null"),
        ({"oneOf": [{"type": "string"}, {"type": "string", "maxLength": 3}]}, "string"),
        ({"allOf": [{"type": "string"}], "description": "a name"}, "string (a name)"),
        ({"type": "string", "description": " ISO date\n of issue "}, "string (ISO date of issue)"),
        ({"type": "string", "description": ""}, "string"),
        ({"enum": ["a", "b"], "description": "which"}, '"a" or "b" (which)'),
        ({"type": "object", "properties": {'a"b': {}}}, '{"a\\"b": any value}'),
        (
            {
                "type": "object",
                "properties": {
                    "facts": {
                        "type": "array",
                        "items": {"type": "object", "properties": {"name": {"type": "string"}}},
                    }
                },
            },
            '{"facts": [{"name": string}, ...]}',
        ),
    ],
)
def test_a_schema_is_sketched_as_a_person_would(schema, sketch):
    assert form(schema) == sketch


@pytest.mark.parametrize("anything", [True, False])
def test_a_schema_that_is_true_or_false_can_be_sketched(anything):
    assert "a" in form({"type": "object", "properties": {"a": anything}})


PYDANTIC = {
    "$defs": {
        "Party": {
            "type": "object",
            "properties": {
                "name": {"type": "string", "description": "legal name"},
                "vat_id": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                "parent": {"anyOf": [{"$ref": "#/$defs/Party"}, {"type": "null"}]},
            },
        },
        "of/all ~kinds": {"enum": ["open", None]},
    },
    "type": "object",
    "properties": {
        "seller": {"$ref": "#/$defs/Party", "description": "who is paid"},
        "status": {"$ref": "#/$defs/of~1all%20~0kinds"},
        "self": {"$ref": "#"},
        "nowhere": {"$ref": "#/$defs/missing"},
        "outside": {"$ref": "http://host/schema.json"},
    },
}


def test_references_are_followed_as_pydantic_writes_them():
    party = (
        '{"name": string (legal name), "vat_id": string or null, '
        '"parent": Party as before or null} (who is paid)'
    )
    found = form(PYDANTIC)
    assert f'"seller": {party}' in found
    assert '"status": "open" or null' in found
    assert '"self": {"seller": ' in found
    assert '"nowhere": any value, "outside": any value' in found


def test_references_that_double_at_each_step_do_not_fill_the_prompt():
    names = [f"d{number}" for number in range(60)]
    defs = {
        name: {
            "type": "object",
            "properties": {each: {"$ref": f"#/$defs/{after}"} for each in "ab"},
        }
        for name, after in pairwise(names)
    }
    for width in (1, 20):
        top = {f"f{number}": {"$ref": "#/$defs/d0"} for number in range(width)}
        assert len(form({"type": "object", "properties": top, "$defs": defs})) < 50_000


@pytest.mark.parametrize("value", [3, None, "x", [], {"a": 1}])
def test_no_schema_at_all_makes_a_sketch_stumble(value):
    words = ("type", "enum", "anyOf", "allOf", "$ref", "properties", "items", "description")
    for word in words:
        assert form({"type": "object", "properties": {"a": {word: value}}})


TASKS = list(TaskType)


def schema_of(sketch: str) -> dict:
    """The schema that a few-shot's form stands for."""
    properties = {}
    for key, kind in re.findall(r'"(\w+)": ([^,}]+)', sketch):
        words = kind.split(" or ")
        quoted = words[0].startswith('"')
        properties[key] = {"enum": [json.loads(w) for w in words]} if quoted else {"type": words}
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


@pytest.mark.parametrize("task", TASKS)
def test_the_few_shots_answer_in_the_form_that_they_were_asked_for(task):
    assert prompt(task).shots
    for shot in prompt(task).shots:
        schema = schema_of(shot["form"])
        assert form(schema) == shot["form"]
        Draft202012Validator(schema).validate(shot["answer"])


@pytest.mark.parametrize("task", [each for each in TASKS if each is not TaskType.EXTRACTION])
def test_the_first_few_shot_shows_the_tasks_own_schema(task):
    chosen = prompt(task)
    assert chosen.shots[0]["form"] == form(chosen.schema)
    Draft202012Validator(chosen.schema).validate(chosen.shots[0]["answer"])


def test_what_the_extraction_shots_extract_stands_in_their_texts():
    for shot in prompt("extraction").shots:
        for value in shot["answer"].values():
            assert value is None or value in shot["text"]


@pytest.mark.parametrize("task", TaskType)
def test_each_tasks_own_schema_is_a_schema_of_an_object(task):
    check_schema(prompt(task).schema)


def test_the_classify_shots_show_every_task_type_and_nothing_else():
    answers = [shot["answer"] for shot in prompt("classify").shots]
    assert {answer["task"] for answer in answers} == set(TaskType)
    for answer in answers:
        Draft202012Validator(CLASSIFY_SCHEMA).validate(answer)


@pytest.mark.parametrize("task", TaskType)
def test_the_classify_prompt_names_every_task_type(task):
    assert task in prompt("classify").system


@pytest.mark.parametrize("name", NAMES)
def test_a_prompt_has_a_version_of_its_own(name):
    assert len({prompt(other).version for other in NAMES}) == len(NAMES)
    assert re.fullmatch("[0-9a-f]{12}", prompt(name).version)


@given(st.sampled_from(TaskType), TEXTS, TEXTS)
def test_the_fixed_part_comes_first_and_is_the_same_for_every_text(task, text, other):
    one = task_messages(task, "the ask", text, SCHEMA)
    two = task_messages(task, "another ask", other, LABEL)
    assert one[:-1] == two[:-1]
    assert [message.role for message in one[:3]] == ["system", "user", "assistant"]
    assert one[-1].role == "user"


@given(st.sampled_from(TaskType), TEXTS, TEXTS)
def test_the_last_message_is_the_same_up_to_the_text(task, text, other):
    one = task_messages(task, "the ask", text, SCHEMA)[-1].content
    two = task_messages(task, "the ask", other, SCHEMA)[-1].content
    head = f"Task: the ask\nAnswer as: {form(SCHEMA)}\nText:\n"
    assert one == head + text.strip()
    assert two == head + other.strip()


@pytest.mark.parametrize("hostile", ["{ask}", "{0}", "{", "}", "{text!r:>100000}", "%s %(x)s"])
def test_braces_in_asks_and_texts_are_text(hostile):
    assert hostile in task_messages(TaskType.SUMMARY, hostile, "x", SCHEMA)[-1].content
    assert hostile in task_messages(TaskType.SUMMARY, "x", hostile, SCHEMA)[-1].content
    assert hostile in classify_messages(hostile)[-1].content


@given(TEXTS)
def test_to_classify_takes_the_ask_alone_and_a_long_ones_beginning(ask):
    fixed, last = classify_messages(ask)[:-1], classify_messages(ask)[-1].content
    assert len(fixed) == 1 + 2 * len(prompt("classify").shots)
    assert fixed == classify_messages("x")[:-1]
    assert last == "Request: " + " ".join(ask.split())[:600]


def test_a_repair_shows_the_bad_answer_what_is_wrong_with_it_and_the_form():
    before = task_messages(TaskType.EXTRACTION, "find it", "the text", SCHEMA)
    mended = repair_messages(before, "bad" * 5000, "not JSON", SCHEMA)
    assert mended[: len(before)] == before
    assert [message.role for message in mended[len(before) :]] == ["assistant", "user"]
    assert mended[-2].content == ("bad" * 5000)[:2000]
    assert "not JSON" in mended[-1].content
    assert form(SCHEMA) in mended[-1].content


def test_a_second_reading_names_its_fields_and_is_asked_in_other_words_than_the_first():
    messages = reading_messages("Find all of it.", "Total: 5", SCHEMA, ["total", "date"])
    first = task_messages(TaskType.EXTRACTION, "Find all of it.", "Total: 5", SCHEMA)
    assert messages[0] != first[0]
    asked = messages[-1].content
    assert asked.startswith("Fields: total, date\n")
    assert "Find all of it." in asked
    assert form(SCHEMA) in asked
    assert asked.endswith("Total: 5")
