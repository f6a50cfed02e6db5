import datetime
import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator

from models.errors import ConfigError
from models.spec import Spec, check_schema, fields_schema, load_schema, load_spec, make_spec
from models.words import Policy, Scope, TaskType

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
SAMPLE = Path(__file__).parents[3] / "samples" / "spec.yaml"


def made(*asks: dict, **more: object) -> Spec:
    return make_spec({"asks": list(asks) or [{"ask": "what is it?"}], **more}, "the spec")


def refused(raw: dict) -> str:
    with pytest.raises(ConfigError) as caught:
        make_spec(raw, "the spec")
    assert all(line.startswith("the spec: ") for line in str(caught.value).splitlines())
    return str(caught.value)


def test_the_smallest_spec_is_one_ask():
    spec = made()
    (ask,) = spec.asks
    assert (ask.text, ask.label, ask.answer_schema) == ("what is it?", "what is it?", None)
    assert (ask.task, ask.scope, ask.documents) == (None, Scope.CHUNK, ())
    assert (spec.policy, spec.priority, spec.max_cost) == (Policy.ALLOW_FRONTIER, 0, None)


def test_everything_that_a_spec_can_say():
    spec = made(
        {
            "ask": "find it",
            "name": "n",
            "fields": ["a", "b"],
            "task": "extraction",
            "scope": "document",
            "documents": ["*.pdf"],
            "model": "gpu2/a/b:7b",
        },
        {"ask": "judge it", "schema": SCHEMA, "task": "auto"},
        name="batch",
        policy="local-only",
        priority=-5,
        max_cost="1.25",
    )
    first, second = spec.asks
    assert (first.label, first.task, first.scope) == ("n", TaskType.EXTRACTION, Scope.DOCUMENT)
    assert (first.place, second.place) == ("gpu2/a/b:7b", None)
    assert first.answer_schema == fields_schema(("a", "b"))
    assert second.answer_schema == SCHEMA
    assert second.task is None
    assert (spec.name, spec.policy, spec.priority) == ("batch", Policy.LOCAL_ONLY, -5)
    assert spec.max_cost == Decimal("1.25")


def test_a_deadline_in_a_file_may_be_a_time_of_day_as_it_is(tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_text("asks: [{ask: x}]\npriority: 1_0\ndeadline: 23:59:59\n")
    with pytest.raises(ConfigError, match=r"deadline: must be 18:00 .*; found '23:59:59'"):
        load_spec(path)
    for said in ("6h", "2030-01-01T09:00", "2030-01-01T09:00:00Z", "2030-01-01 09:00:00"):
        path.write_text(f"asks: [{{ask: x}}]\npriority: 1_0\ndeadline: {said}\n")
        spec = load_spec(path)
        assert spec.priority == 10
        assert spec.deadline > datetime.datetime.now(datetime.UTC)


def test_the_sample_spec_has_an_ask_for_every_kind_of_document():
    assert len(load_spec(SAMPLE).asks) >= 5


@given(st.lists(st.from_regex(r"[a-z_]{1,10}", fullmatch=True), min_size=1, unique=True))
def test_fields_become_a_schema_that_takes_strings_and_nulls(fields):
    schema = fields_schema(tuple(fields))
    check_schema(schema)
    validator = Draft202012Validator(schema)
    assert validator.is_valid(dict.fromkeys(fields))
    assert validator.is_valid(dict.fromkeys(fields, "x"))
    assert not validator.is_valid({})
    assert not validator.is_valid(dict.fromkeys([*fields, "more one"]))
    assert not validator.is_valid(dict.fromkeys(fields, 1))


ONE = [{"ask": "x"}]


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({}, ["asks", "required"]),
        ({"asks": []}, ["asks"]),
        ({"asks": [{}]}, ["asks.0.ask", "required"]),
        ({"asks": [{"ask": ""}]}, ["asks.0.ask"]),
        ({"asks": [{"ask": "x" * 20_001}]}, ["asks.0.ask", "20000"]),
        ({"asks": ONE * 101}, ["asks", "100"]),
        ({"asks": ONE * 2}, ["'x'", "its own name"]),
        ({"asks": [{"ask": "x", "name": "n"}, {"ask": "n"}]}, ["'n'", "its own name"]),
        ({"asks": ONE, "policy": "secret"}, ["policy", "'allow-frontier' or 'local-only'"]),
        ({"asks": ONE, "priority": 10**7}, ["priority"]),
        ({"asks": ONE, "max_cost": -1}, ["max_cost", "-1"]),
        ({"asks": ONE, "max_cost": "nan"}, ["max_cost"]),
        ({"asks": [{"ask": "x", "task": "poetry"}]}, ["asks.0.task", "'extraction'"]),
        ({"asks": [{"ask": "x", "model": "phi4-mini"}]}, ["asks.0.model", "'phi4-mini'"]),
        ({"asks": [{"ask": "x", "scope": "page"}]}, ["asks.0.scope", "'chunk' or 'document'"]),
        ({"asks": [{"ask": "x", "fields": ["a b"]}]}, ["asks.0.fields.0", "'a b'"]),
        ({"asks": [{"ask": "x", "fields": ["a"], "schema": SCHEMA}]}, ["fields or a schema"]),
        ({"asks": [{"ask": "x", "schema": {"type": "array"}}]}, ["object", "'array'"]),
        ({"asks": [{"ask": "x", "schema": {}}]}, ["object", "None"]),
        ({"asks": [{"ask": "x", "schema": {"type": "thing"}}]}, ["not a JSON Schema"]),
        ({"asks": "x"}, ["asks", "'x'"]),
    ],
)
def test_what_is_wrong_is_named(raw, said):
    message = refused(raw)
    assert all(words in message for words in said), message


@pytest.mark.parametrize(
    ("raw", "key", "allowed"),
    [
        ({"asks": ONE, "prority": 1}, "prority", {"asks", "policy", "priority", "max_cost"}),
        (
            {"asks": [{"ask": "x", "shema": 1}]},
            "asks.0.shema",
            {"ask", "schema", "fields"},
        ),
    ],
)
def test_an_unknown_key_is_named_with_those_that_are_allowed(raw, key, allowed):
    message = refused(raw)
    assert f"unknown key '{key}'" in message
    names = set(message.partition("allowed here: ")[2].split(", "))
    assert allowed <= names
    assert not {"text", "json_schema"} & names


def test_a_field_that_is_named_twice_is_refused_or_counts_once():
    try:
        spec = made({"ask": "x", "fields": ["total", "date", "total"]})
    except ConfigError:
        return
    check_schema(spec.asks[0].answer_schema)


def test_a_schema_that_json_cannot_hold_is_refused_or_made_to_fit():
    day = {"type": "object", "properties": {"day": {"enum": [datetime.date(2026, 1, 1)]}}}
    try:
        spec = made({"ask": "x", "schema": day})
    except ConfigError:
        return
    json.dumps(spec.asks[0].answer_schema)


def test_a_schema_that_points_nowhere_is_refused():
    nowhere = {"type": "object", "properties": {"a": {"$ref": "#/$defs/missing"}}}
    with pytest.raises(ConfigError):
        made({"ask": "x", "schema": nowhere})


@pytest.mark.parametrize("place", ["http://127.0.0.1:9/leaf.json", "file:///etc/hostname"])
def test_a_schema_that_points_outside_of_itself_is_refused_and_nothing_is_fetched(place):
    with pytest.raises(ConfigError, match=f"{place} is outside of the schema"):
        made({"ask": "x", "schema": {"type": "object", "$ref": place}})


def test_an_ask_of_white_space_is_refused():
    with pytest.raises(ConfigError):
        made({"ask": "  \n "})


def test_a_schema_may_point_into_itself():
    tree = {
        "type": "object",
        "properties": {"left": {"$ref": "#/$defs/leaf"}},
        "$defs": {"leaf": {"type": "string"}},
    }
    assert made({"ask": "x", "schema": tree}).asks[0].answer_schema == tree


@pytest.mark.parametrize(
    ("key", "raw"),
    [
        ("asks.0.ask", {"asks": [{"ask": "a\0b"}]}),
        ("asks.0.name", {"asks": [{"ask": "x", "name": "a\0b"}]}),
        ("asks.0.fields.0", {"asks": [{"ask": "x", "fields": ["a\0b"]}]}),
        ("asks.0.documents.0", {"asks": [{"ask": "x", "documents": ["a\0b"]}]}),
        ("asks.0.schema", {"asks": [{"ask": "x", "schema": {"type": "object", "title": "a\0b"}}]}),
        (
            "asks.0.schema",
            {"asks": [{"ask": "x", "schema": {"type": "object", "properties": {"a\0b": {}}}}]},
        ),
        (
            "asks.0.schema",
            {"asks": [{"ask": "x", "schema": {"type": "object", "examples": [["a\0b"]]}}]},
        ),
        ("name", {"asks": [{"ask": "x"}], "name": "a\0b"}),
    ],
)
def test_what_postgres_cannot_store_is_refused_in_one_line_that_names_the_key(key, raw):
    (line,) = refused(raw).splitlines()
    assert line.startswith(f"the spec: {key}: holds '\\x00', which cannot be stored")


def test_half_of_a_surrogate_pair_is_refused_as_well():
    assert "asks.0.ask: " in refused({"asks": [{"ask": "a\udce9b"}]})
    said = refused({"asks": [{"ask": "x", "documents": ["\udce9"]}]})
    assert r"asks.0.documents.0: holds '\udce9', which cannot be stored" in said


def test_what_is_wrong_is_not_repeated_at_length():
    assert len(refused({"asks": [{"ask": "x" * 20_001}]})) < 400


# --- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["- just\n- a list", "text", "", "a: [", "a: !!python/object:os.system x", "3"]
)
def test_a_spec_file_that_is_no_mapping_is_refused_by_name(tmp_path, text):
    path = tmp_path / "spec.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"spec\.yaml"):
        load_spec(path)


@pytest.mark.parametrize("load", [load_spec, load_schema])
def test_a_file_that_is_missing_or_no_text_is_refused_by_name(tmp_path, load):
    with pytest.raises(ConfigError, match=r"missing\.file"):
        load(tmp_path / "missing.file")
    path = tmp_path / "binary.file"
    path.write_bytes(b"\xff\xfe\x00\xd8")
    with pytest.raises(ConfigError, match=r"binary\.file"):
        load(path)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"type": "array"}', '{"type": 3}'])
def test_a_schema_file_that_is_no_schema_of_an_object_is_refused_by_name(tmp_path, text):
    path = tmp_path / "schema.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"schema\.json"):
        load_schema(path)


def test_a_schema_file_is_read(tmp_path):
    path = tmp_path / "schema.json"
    path.write_text(json.dumps(SCHEMA))
    assert load_schema(path) == SCHEMA


def test_what_stays_in_the_building_is_handed_in_at_no_provider():
    asks = [{"ask": "Sum up."}]
    assert make_spec({"asks": asks, "allow_provider_batch": True}, "spec").allow_provider_batch
    stays = {"asks": asks, "policy": "local-only", "allow_provider_batch": True}
    with pytest.raises(ConfigError, match="nothing of a local-only batch leaves the building"):
        make_spec(stays, "spec")


def test_checks_and_formats_of_an_ask_name_its_fields():
    (ask,) = made(
        {"ask": "x", "fields": ["a"], "checks": ["a > 0"], "formats": {"a": "currency"}}
    ).asks
    own = ask.own_checks(datetime.date(2026, 11, 28))
    assert own is not None
    assert (own.checks, own.formats) == (("a > 0",), (("a", "currency"),))
    assert made({"ask": "x", "fields": ["a"]}).asks[0].own_checks(own.today) is None


def test_a_check_or_format_that_cannot_be_kept_is_refused_with_its_place():
    for more, said in (
        ({"checks": ["b > 0"]}, "asks.0: check 1, 'b > 0': names 'b', which is no field of this"),
        ({"checks": ["a > 0", "a = 1"]}, "asks.0: check 2, 'a = 1': cannot be read"),
        ({"checks": ["a > 0"] * 51}, "asks.0.checks"),
        ({"checks": ["a > '\x00'"]}, "cannot be stored"),
        ({"formats": {"b": "date"}}, "asks.0: formats: names 'b', which is no field of this ask"),
        ({"formats": {"a": "money"}}, "'date', 'number' or 'currency'"),
    ):
        assert said in refused({"asks": [{"ask": "x", "fields": ["a"], **more}]}), more
    for key, value in (("checks", ["a > 0"]), ("formats", {"a": "date"})):
        said = refused({"asks": [{"ask": "x", key: value}]})
        assert f"asks.0: {key} are about fields: give fields or a schema too" in said


def test_an_error_that_is_accepted_is_a_share_between_none_and_all():
    raw = {"asks": [{"ask": "What?"}]}
    found = make_spec({**raw, "accept": {"error": 0.02}}, "spec").accept
    assert found is not None
    assert found.error == 0.02
    assert make_spec(raw, "spec").accept is None
    for wrong, said in (
        ({"error": 0}, "accept.error"),
        ({"error": 1}, "accept.error"),
        ({"error": "much"}, "accept.error"),
        ({}, "accept.error"),
        ({"error": 0.1, "share": 1}, "unknown key 'accept.share'; allowed here: error"),
    ):
        with pytest.raises(ConfigError, match=said):
            make_spec({**raw, "accept": wrong}, "spec")


def test_what_is_important_is_a_field_that_is_asked_for():
    for shape in ({"fields": ["a", "b"]}, {"schema": SCHEMA}):
        assert made({"ask": "x", **shape, "important": ["a"]}).asks[0].important == ("a",)
    said = refused({"asks": [{"ask": "x", "fields": ["a", "b"], "important": ["c"]}]})
    assert "important: there is no field 'c'; there are: a, b" in said
    assert "give the ask fields" in refused({"asks": [{"ask": "x", "important": ["c"]}]})
