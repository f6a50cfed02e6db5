"""The spec that the options of `docmill submit` come to."""

import json

import pytest

from models.config import SourcesConfig
from models.errors import ConfigError
from models.spec import make_spec
from producer.cli.submit import _Documents, _store, spec_from_asks
from producer.places import BROKE_OFF, Refused
from producer.remote.access import Access
from producer.submit import Submitted

ASKS = ["Find the total and the IBAN."]


def spec(fields: str | None = "total, iban", asks: list[str] = ASKS, **more):
    shape = {"schema": None, "task": None, "scope": None, **more}
    return spec_from_asks(asks, fields, options={}, **shape)


def test_checks_and_important_fields_come_to_what_a_spec_file_says():
    found = spec(checks=["iban valid", "total == 5"], important="total, iban")
    assert found == make_spec(
        {
            "asks": [
                {
                    "ask": ASKS[0],
                    "fields": ["total", "iban"],
                    "checks": ["iban valid", "total == 5"],
                    "important": ["total", "iban"],
                }
            ]
        },
        "a file",
    )


def test_they_count_for_each_ask_and_a_schema_does_for_fields(tmp_path):
    schema = tmp_path / "schema.json"
    schema.write_text(json.dumps({"type": "object", "properties": {"total": {"type": "string"}}}))
    found = spec(None, ["Which total?", "Which sum?"], schema=schema, checks=["total > 0"])
    assert [ask.checks for ask in found.asks] == [("total > 0",)] * 2
    assert [ask.important for ask in found.asks] == [()] * 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"checks": ["totl > 0"]}, "check 1, 'totl > 0': names 'totl', which is no field"),
        ({"checks": ["iban valid", "total = 5"]}, "check 2, 'total = 5': cannot be read"),
        ({"checks": ["total > 0"], "fields": None}, "checks are about fields: give fields or a"),
        ({"important": "totl"}, "important: there is no field 'totl'; there are: total, iban"),
        ({"important": "total", "fields": None}, "none, give the ask fields or a schema"),
    ],
)
def test_what_cannot_be_is_said_with_what_can(given, said):
    with pytest.raises(ConfigError, match=r"options: asks\.0") as refused:
        spec(**given)
    assert said in str(refused.value)


def test_a_submit_whose_list_broke_off_says_so_and_what_goes_on_with_it(capsys):
    refused = [Refused(f"{n}", "empty", f"{n}: empty") for n in range(30)]
    broke = Refused("s3://b/in", BROKE_OFF, "s3://b/in: the list broke off: nobody answers")
    documents = _Documents(["s3://b/in"], (), Access(SourcesConfig()))
    for many in ([], refused):
        result = Submitted(7, 512, [*many, broke])
        assert _store(lambda *_, made=result: made, documents, False, watch=True) == 1
        said = capsys.readouterr().err
        assert said.count("s3://b/in: the list broke off: nobody answers") == 1
        assert "`docmill submit --resume 7 s3://b/in` goes on" in said
