"""Sure rules: what they speak of, and what they keep out of."""

import pytest

from models.words import TaskType
from worker.classify.rules import RULES, sure_rule

CHOICE = {"type": "object", "properties": {"label": {"enum": ["a", "b", None]}}}
TWO = {"type": "object", "properties": {"label": {"enum": ["a"]}, "why": {"type": "string"}}}
FIELD = {"type": "object", "properties": {"name": {"type": ["string", "null"]}}}


@pytest.mark.parametrize(
    ("ask", "schema", "task"),
    [
        ("Summarise the report.", None, TaskType.SUMMARY),
        ("please SUM UP in two lines", None, TaskType.SUMMARY),
        ("TL;DR", None, TaskType.SUMMARY),
        ("Classify each mail as spam or not.", None, TaskType.CLASSIFICATION),
        ("Categorize these: a, b", None, TaskType.CLASSIFICATION),
        ("Extract the parties.", None, TaskType.EXTRACTION),
        ("Write a Python function that adds.", None, TaskType.SIMPLE_CODE),
        ("Generate an SQL query for it", None, TaskType.SIMPLE_CODE),
        ("mail type", CHOICE, TaskType.CLASSIFICATION),
        ("Is it signed?", {"properties": {"signed": {"type": "boolean"}}}, TaskType.CLASSIFICATION),
        # what asks for reasons, or says nothing of itself, is nobody's
        ("Summarise both offers and recommend one.", None, None),
        ("Extract the clause and explain why it binds.", None, None),
        ("Should we sign?", CHOICE, None),
        ("mail type", TWO, None),
        ("the name", FIELD, None),
        ("What is the total?", None, None),
        ("Do not summarise.", None, None),
        ("extractor manual", None, None),
        ("Write a letter.", None, None),
        ("", None, None),
    ],
)
def test_what_a_rule_says_of_an_ask(ask, schema, task):
    found = sure_rule(ask, schema)
    assert (found.task if found else None) == task


@pytest.mark.parametrize(
    "fields", [None, [], "x", {}, {"a": True}, {"a": None}, {"a": {"type": 3}}]
)
def test_a_schema_of_any_form_is_read(fields):
    assert sure_rule("the name", {"properties": fields}) is None


def test_rules_are_named_and_nearly_always_right():
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(0.95 <= rule.right < 1 for rule in RULES)
