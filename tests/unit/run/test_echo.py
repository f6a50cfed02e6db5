"""Answers that fit their schema and say nothing: the schema's own words, an example's answer."""

import pytest

from models.words import TaskType
from worker.prompts import usual
from worker.run.echo import COPIED_EXAMPLE, SCHEMA_ECHO, echo

TEXT = "Asha Traders, Pune. Rent: 18,500 rupees."


def an_object(**fields: object) -> dict:
    return {"type": "object", "properties": fields}


STRING, NUMBER = {"type": ["string", "null"]}, {"type": "number"}
CLAUSE = {"type": "string", "description": "The clause in full"}


@pytest.mark.parametrize(
    ("value", "schema", "found"),
    [
        ({"total": "string"}, an_object(total=STRING), SCHEMA_ECHO),
        ({"total": "String or null"}, an_object(total=STRING), SCHEMA_ECHO),
        ({"clause": "clause"}, an_object(clause=STRING), SCHEMA_ECHO),
        ({"clause": "the clause in full"}, an_object(clause=CLAUSE), SCHEMA_ECHO),
        ({"a": "string", "b": None}, an_object(a=STRING, b=STRING), SCHEMA_ECHO),
        (
            {"rows": [{"name": "name"}, {"name": "string"}]},
            an_object(rows={"type": "array", "items": an_object(name=STRING)}),
            SCHEMA_ECHO,
        ),
        ({"a": "string", "b": "Pune"}, an_object(a=STRING, b=STRING), SCHEMA_ECHO),
        ({"a": "string", "n": 0}, an_object(a=STRING, n=NUMBER), SCHEMA_ECHO),
        ({"city": "city", "b": "Pune"}, an_object(city=STRING, b=STRING), None),
        ({"unit": "rupees"}, an_object(unit={"type": "string", "description": "rupees"}), None),
        ({"n": 4}, an_object(n=NUMBER), None),
        ({"kind": "object"}, an_object(kind={"enum": ["object", "person"]}), None),
        ({"a": None}, an_object(a=STRING), None),
        ({}, an_object(a=STRING), None),
    ],
)
def test_the_forms_own_words_are_no_answer(value, schema, found):
    wrong = echo(usual(TaskType.EXTRACTION), value, schema, TEXT)
    assert (wrong and wrong.category) == found


def test_a_word_of_the_form_that_stands_in_the_text_is_an_answer():
    code = "def f(x: string) -> boolean"
    schema = an_object(argument=STRING, returns=STRING)
    value = {"argument": "string", "returns": "boolean"}
    assert echo(usual(TaskType.EXTRACTION), value, schema, code) is None


@pytest.mark.parametrize(
    ("task", "value", "text", "found"),
    [
        (TaskType.EXTRACTION, {"seller": "Blue Leaf Cafe"}, TEXT, COPIED_EXAMPLE),
        (TaskType.EXTRACTION, {"seller": "Blue Leaf Cafe", "total": "75.00"}, TEXT, COPIED_EXAMPLE),
        (TaskType.EXTRACTION, {"seller": "BLUE\u200b LEAF CAFE"}, TEXT, COPIED_EXAMPLE),
        (TaskType.EXTRACTION, {"seller": "Blue Leaf Cafe"}, "At Blu\u00ade\nLeaf Cafe.", None),
        (TaskType.EXTRACTION, {"seller": "Blue Leaf Cafe"}, "Dinner at Blue Leaf Cafe.", None),
        (TaskType.EXTRACTION, {"seller": "Blue Leaf Cafe", "city": "Pune"}, TEXT, None),
        (TaskType.CLASSIFICATION, {"label": "sport"}, TEXT, None),
        (TaskType.SUMMARY, {"summary": "The library is closed."}, TEXT, None),
        (
            TaskType.REASONING,
            {"reasoning": "The rent is due.", "conclusion": "The landlord has to pay."},
            TEXT,
            COPIED_EXAMPLE,
        ),
        (
            TaskType.REASONING,
            {"reasoning": "It says so.", "conclusion": "The landlord has to pay."},
            "Clause 4: the landlord has to pay. The tenant may wait.",
            None,
        ),
    ],
)
def test_an_examples_answer_is_no_answer(task, value, text, found):
    wrong = echo(usual(task), value, an_object(), text)
    assert (wrong and wrong.category) == found
