"""Requests as a bulk keeps them come back as they were."""

import json
from uuid import UUID

from worker.bulk.requests import ENVELOPE_BYTES, Handed, kept, size
from worker.jsonb import dumps
from worker.llm.engine import Message, Request

REQUEST = Request(
    "m",
    (Message("system", "Answer."), Message("user", "Miete: 900 €")),
    max_tokens=50,
    context_tokens=8_192,
    schema={"type": "object", "properties": {"b": {}, "a": {}}},
    seed=2,
    fixed=1,
)


def test_a_request_is_kept_whole_with_its_schema_in_the_users_order() -> None:
    handed = Handed(7, UUID(int=1), REQUEST, UUID(int=2), size(REQUEST))
    row = json.loads(dumps(handed))
    row |= {"call_id": UUID(row["call_id"]), "request_key": UUID(row["request_key"])}
    found = kept(row)
    assert found.request == REQUEST
    assert list((found.request.schema or {})["properties"]) == ["b", "a"]
    assert (found.item.name, found.item.request) == (str(UUID(int=1)), REQUEST)


def test_its_size_is_that_of_its_json_and_what_stands_around_it() -> None:
    assert size(REQUEST) == len(dumps(REQUEST)) + ENVELOPE_BYTES
