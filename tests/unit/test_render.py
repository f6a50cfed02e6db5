import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.render import brief


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("text", "text"),
        (None, "-"),
        (True, "true"),
        (3, "3"),
        (2.5, "2.5"),
        ({"summary": "It began."}, "It began."),
        ({"label": None}, "-"),
        ({"total": "75.00", "date": None}, "total: 75.00, date: -"),
        ({"facts": [{"name": "a", "value": "b"}]}, "name: a, value: b"),
        ({"items": ["a", "b"]}, "a; b"),
        (["a", ["b", "c"]], "a; b; c"),
        ({"outer": {"inner": {"x": 1}}}, "1"),
        ({}, ""),
        ([], ""),
        ({"city": "पुणे"}, "पुणे"),
    ],
)
def test_an_answer_is_jotted_down(value, shown):
    assert brief(value) == shown


JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=10,
)


@given(JSON_VALUES)
def test_any_answer_can_be_jotted_down(value):
    assert isinstance(brief(value), str)
