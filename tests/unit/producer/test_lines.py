import io
import json
from pathlib import Path

import pytest

from producer import lines
from producer.corrections import Answer, Edit, Text, rule
from producer.lines import MOST_LEVELS, Problems, json_lines, read_json


def nested(levels: int) -> str:
    return '{"a":' * levels + "1" + "}" * levels


def test_json_is_read_to_a_depth_that_whoever_walks_it_can_bear():
    for text in ("5", "[]", "null", nested(MOST_LEVELS)):
        assert read_json(text) == json.loads(text)
    for levels in (MOST_LEVELS + 1, 900, 100_000):
        with pytest.raises(ValueError, match="nested more than 100 levels deep"):
            read_json(nested(levels))
    with pytest.raises(ValueError, match="not JSON"):
        read_json("{")


def test_a_line_that_is_too_deep_is_named_like_any_other_that_cannot_be_used():
    problems = Problems(Path("a.jsonl"))
    file = io.StringIO("\n".join(['{"a": 1}', nested(900), "{", "[1]", '{"a": 2}']))
    assert [number for number, _ in json_lines(file, problems)] == [1, 5]
    assert problems.found[0] == "line 2: nested more than 100 levels deep"
    assert problems.found[1].startswith("line 3: not JSON")


def test_a_line_that_is_too_long_counts_as_one_whatever_its_length(monkeypatch):
    monkeypatch.setattr(lines, "MOST_LINE", 40)
    for length in (41, 80, 81, 82, 123, 200):
        problems = Problems(Path("a.jsonl"))
        file = io.StringIO("\n".join(['{"a": 1}', "x" * length, "{", '{"a": 2}', "x" * length]))
        assert [number for number, _ in json_lines(file, problems)] == [1, 4]
        first, second, third = problems.found
        assert first == "line 2: longer than 40 characters"
        assert second.startswith("line 3: not JSON")
        assert third == "line 5: longer than 40 characters"


def test_what_somebody_types_too_deep_stays_the_text_that_it_is():
    typed = "[" * 900 + "]" * 900
    [made] = rule(Answer(1, 1, {"a": "x"}, None, "call"), [Edit(("a",), Text(typed))])
    assert made.new == typed
