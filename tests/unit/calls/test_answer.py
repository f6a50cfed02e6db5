import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.calls.answer import Invalid, Valid, check
from worker.llm.engine import Completion, Finish

TOTAL = {
    "type": "object",
    "properties": {"total": {"type": ["string", "null"]}},
    "required": ["total"],
    "additionalProperties": False,
}
ANYTHING = {"type": "object", "properties": {"a": {}}}


def answered(text: str, finish: Finish = Finish.STOP) -> Completion:
    return Completion(text, finish, latency_ms=1)


def checked(text: str, schema: dict = TOTAL, finish: Finish = Finish.STOP) -> Valid | Invalid:
    return check(answered(text, finish), schema)


@pytest.mark.parametrize(
    "text",
    [
        '{"total": "75.00"}',
        '  {"total": "75.00"}\n',
        '```json\n{"total": "75.00"}\n```',
        '```\n{"total": "75.00"}```',
        ' \n```json  \n{\n  "total": "75.00"\n}\n ```\n\n',
    ],
)
def test_json_is_read_also_out_of_a_fence(text):
    assert checked(text) == Valid({"total": "75.00"})


GOOD = '{"total": "75"}'


@pytest.mark.parametrize(
    "text",
    [
        f"\ufeff{GOOD}",
        f"Sure! {GOOD}",
        f"Here is the JSON you asked for:\n\n{GOOD}\n\nI hope that it helps.",
        f"```json\n{GOOD}\n```\nNote: the total is in {{EUR}}.",
        f"~~~\n{GOOD}\n~~~",
        f"{GOOD}\n{GOOD}",
        f'{GOOD} {{ "total":"75" }}',
        f"{GOOD}{GOOD[:-3]}",  # said again, and cut off
        f"[{GOOD}]",
        f"<think>\nLet me see.\n</think>\n\n{GOOD}",
        f'<think>Maybe {{"total": "7"}}? No.</think>{GOOD}',
        f"I add it all up.</think>\n{GOOD}",  # where the template itself opens the thinking
        f"<Thinking>a</Thinking>{GOOD}<reasoning>b</reasoning>{GOOD}",
        f'{{"$schema": "x", "type": "object"}}\n{GOOD}',  # the schema, and then the answer
        f'{{"total": 75}} No, as a string: {GOOD}',
        f'The template {{name}} and a {{5" pipe}} do not matter: {GOOD}',
        f"if (x) {{\n do it\n{GOOD}",
        f'C:\\{{x}} \\"{GOOD}',
    ],
)
def test_the_one_object_that_stands_in_an_answer_is_taken(text):
    assert checked(text) == Valid({"total": "75"})


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ('{"total": "one\ntwo\tend"}', "one\ntwo\tend"),
        ('```\n{"total": "a\r\nb"}\n```', "a\r\nb"),
        ('{"total": "not </think> the end"}', "not </think> the end"),
        ('Look: {"total": "a { or } and \\" too"}', 'a { or } and " too'),
    ],
)
def test_what_stands_in_a_string_is_text(written, read):
    assert checked(written) == Valid({"total": read})


@pytest.mark.parametrize(
    ("text", "category"),
    [
        (f'{GOOD} or {{"total": "76"}}', "invalid_json"),
        (f'[{GOOD}, {{"total": "76"}}]', "invalid_json"),
        (f"<think>{GOOD}", "empty"),  # nothing has been said yet
        (f'{{"answer": {GOOD}, ', "invalid_json"),  # a part of something that was cut off
        (f'{{"answer": {GOOD}, ...}}', "invalid_json"),
        ("".join(f'{{"total": "{n}"}}' for n in range(200)), "invalid_json"),
        ("".join(f'{{"n": {n}}}' for n in range(200)) + GOOD, "invalid_json"),
        ('Sure! {"total": 75}', "schema_mismatch"),
        ('Sure! {"total": "\\u0000"}', "invalid_json"),
    ],
)
def test_what_could_be_read_in_two_ways_is_no_answer(text, category):
    found = checked(text)
    assert isinstance(found, Invalid)
    assert found.category == category


def test_an_answer_that_is_cut_off_in_the_middle_of_thinking_or_of_a_list_is_truncated():
    for text in (f"<think>{GOOD}", f'{{"answer": [{GOOD}, {{"to', f"Sure: {GOOD[:-2]}"):
        assert checked(text, finish=Finish.LENGTH).category == "truncated"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 1 1 1 1 1", Invalid("loop", "the answer says the same again and again")),
        ('{"total": "1 1 1', Invalid("loop", "the answer says the same again and again")),
        (f"{GOOD}          ", Valid({"total": "75"})),
        (GOOD * 30, Valid({"total": "75"})),
    ],
)
def test_a_loop_is_a_bad_answer_unless_the_answer_stands_before_it(text, expected):
    assert checked(text, finish=Finish.LOOP) == expected


HOSTILE = {
    "braces": "{",
    "opened": '{"',
    "objects": "{}",
    "broken objects": '{"a": x}',
    "nested": '{"a":',
    "escapes": '\\"',
    "brackets": "[",
    "thoughts": "<think>",
    "ends of thoughts": "</think>",
    "fences": "```",
    "blanks": " ",
}


@pytest.mark.parametrize("unit", HOSTILE.values(), ids=HOSTILE)
def test_the_time_for_an_answer_is_linear_in_its_length(unit):
    def seconds(size: int) -> float:
        text = '{"' + unit * (size // len(unit))
        started = time.process_time()
        assert isinstance(checked(text), Invalid)
        return time.process_time() - started

    short, long = min(seconds(100_000) for _ in range(3)), seconds(1_000_000)
    assert long < 40 * short + 0.1  # ten times the length; a square would be a hundred times


@pytest.mark.parametrize(
    ("text", "finish", "category"),
    [
        ("the total is 75", Finish.STOP, "invalid_json"),
        ("", Finish.STOP, "empty"),
        ('{"total": "75', Finish.STOP, "invalid_json"),
        ('{"total": "75', Finish.LENGTH, "truncated"),
        ("", Finish.LENGTH, "truncated"),
        ("", Finish.LOOP, "loop"),
        ('{"total": 75}', Finish.STOP, "schema_mismatch"),
        ("{}", Finish.STOP, "schema_mismatch"),
        ('{"total": null, "more": 1}', Finish.STOP, "schema_mismatch"),
        ("[]", Finish.STOP, "schema_mismatch"),
        ("null", Finish.STOP, "schema_mismatch"),
        ('{"total": "75"}', Finish.CONTENT_FILTER, "content_filter"),
        ("I cannot help with that", Finish.CONTENT_FILTER, "content_filter"),
    ],
)
def test_what_is_wrong_with_an_answer(text, finish, category):
    found = checked(text, finish=finish)
    assert isinstance(found, Invalid)
    assert found.category == category
    assert found.problem


def test_an_answer_that_is_whole_although_it_reached_the_limit_counts():
    assert checked('{"total": null}', finish=Finish.LENGTH) == Valid({"total": None})


def test_the_problem_names_the_place():
    schema = {"type": "object", "properties": {"a": {"items": {"type": "integer"}}}}
    found = checked('{"a": [1, "two"]}', schema)
    assert found == Invalid("schema_mismatch", 'a/1: "two" is not of type "integer"')


def test_the_problem_is_short_however_long_the_answer():
    found = checked(json.dumps({"total": ["x" * 10_000]}))
    assert isinstance(found, Invalid)
    assert len(found.problem) < 400


STORABLE = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
JSON_VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        STORABLE,
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text("abc"), inner)),
    max_leaves=8,
)


@given(
    st.dictionaries(STORABLE, JSON_VALUES),
    st.booleans(),
)
def test_every_object_comes_through_as_it_was_written(value, fenced):
    text = json.dumps(value, ensure_ascii=False)
    text = f"```json\n{text}\n```" if fenced else text
    assert checked(text, {"type": "object"}) == Valid(value)


@given(st.text(max_size=200), st.sampled_from(Finish))
def test_no_text_at_all_makes_it_stumble(text, finish):
    assert isinstance(checked(text, finish=finish), Valid | Invalid)


UNSTORABLE = {
    "not a number": '{"a": NaN}',
    "infinity": '{"a": -Infinity}',
    "a number too large for a float": '{"a": 1e999}',
    "a NUL character": r'{"a": "\u0000"}',
    "a NUL character in a key": r'{"a": {"\u0000": 1}}',
    "half of a surrogate pair": r'{"a": "\ud800"}',
}


@pytest.mark.parametrize("text", UNSTORABLE.values(), ids=UNSTORABLE)
def test_a_valid_answer_can_be_stored(text):
    found = checked(text, ANYTHING)
    if isinstance(found, Valid):
        written = json.dumps(found.value, ensure_ascii=False, allow_nan=False)
        assert "\\u0000" not in written
        written.encode()


def test_an_answer_nested_too_deeply_is_not_json():
    found = checked("[" * 5_000)
    assert isinstance(found, Invalid)


def test_a_schema_that_points_nowhere_does_not_make_it_stumble():
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/missing"}}}
    assert isinstance(checked('{"a": 1}', schema), Invalid)


@pytest.mark.parametrize("pattern", ["^(a+)+$", r"^(a|a)+(?!a)$", r"(?=a)(a+)+\1c"])
def test_a_pattern_that_can_be_matched_in_countless_ways_is_checked_at_once(pattern):
    lost = {"type": "object", "properties": {"a": {"pattern": pattern}}}
    started = time.process_time()
    assert isinstance(checked(json.dumps({"a": "a" * 2_000 + "b"}), lost), Invalid)
    assert time.process_time() - started < 0.5


def test_a_model_that_writes_nothing_but_line_ends_is_checked_at_once():
    started = time.process_time()
    assert isinstance(checked("```json" + "\n" * 1_500), Invalid)
    assert time.process_time() - started < 0.5
