"""Every reply that two real Ollamas gave, byte for byte, and what is made of it."""

import json
from pathlib import Path

import pytest

from worker.calls.answer import Valid, check
from worker.llm.engine import EngineError, Finish, Message, Request, Trouble
from worker.llm.ollama.replies import completion, refusal

RECORDED = Path(__file__).parents[4] / "shared/data/ollama_wire.jsonl"
OLD, NEW = "ollama 0.24.0", "ollama 0.33.0"

pytestmark = pytest.mark.skipif(not RECORDED.exists(), reason="the recorded replies are not here")

REFUSED = {
    ("schema, maxLength 2000", NEW): Trouble.BAD_REQUEST,
    ("schema, maxLength 100000", OLD): Trouble.BAD_REQUEST,
    ("schema, array maxItems 5000", OLD): Trouble.BAD_REQUEST,
    ("schema, $ref to nowhere", None): Trouble.BAD_REQUEST,
    ("schema that is no schema", None): Trouble.BAD_REQUEST,
    ("format garbage", None): Trouble.BAD_REQUEST,
    ("wrong type of option", None): Trouble.BAD_REQUEST,
    ("empty model", None): Trouble.BAD_REQUEST,
    ("no body", None): Trouble.BAD_REQUEST,
    ("not JSON", None): Trouble.BAD_REQUEST,
    ("think true", None): Trouble.MODEL_UNFIT,
    ("unknown model", None): Trouble.MODEL_NOT_FOUND,
    ("keep_alive garbage", None): Trouble.MISCONFIGURED,
    ("no such path", None): Trouble.MISCONFIGURED,
    ("messages empty", None): Trouble.SERVER_ERROR,
    ("100,000 spaces", None): Trouble.CONTEXT_EXCEEDED,
    ("too long, truncate false", None): Trouble.CONTEXT_EXCEEDED,
    ("too long, truncate unset", None): Trouble.CONTEXT_EXCEEDED,  # 0.24 cuts it in silence
    ("too long, truncate and shift false", None): Trouble.CONTEXT_EXCEEDED,
    ("too long in the system message", None): Trouble.CONTEXT_EXCEEDED,
}
LOOPS = {("num_predict 0", OLD)}
STOPPED = {
    ("schema", None),
    ("schema, bounded strings", None),
    ("schema, maxLength 2000", OLD),
    ("schema, maxLength 100000", NEW),
    ("schema, enum of 500", OLD),
    ("schema, pattern", OLD),
    ("schema, pattern with look-ahead", NEW),
    ("schema, format date", OLD),
    ("schema, type array with null", OLD),
    ("schema, anyOf with null", OLD),
    ("schema, $defs and $ref", OLD),
    ("schema, recursive $ref", None),
    ("schema, non-ASCII key", OLD),
    ("schema, integer bounds", None),
    ("format json", OLD),
    ("format empty object", OLD),
}
"""Any other answer ran into its limit."""

WHOLE_AT_THE_LIMIT = {
    ("schema, enum of 500", NEW),
    ("schema, pattern", NEW),
    ("schema, format date", NEW),
    ("schema, $defs and $ref", NEW),
}


def replies():
    for line in RECORDED.read_text("utf-8").splitlines():
        row = json.loads(line)
        if row["status"] is not None:  # None: the look-ahead brought the whole server down
            yield (row["case"], row["server"]), row


def request_of(row) -> Request:
    sent = row["request"] if "messages" in row["request"] else json.loads("{}")
    messages = tuple(Message(m["role"], m["content"]) for m in sent.get("messages", ()))
    window = sent.get("options", {}).get("num_ctx", 4096)
    return Request("gemma270", messages, 48, window)


def made_of(row):
    if row["status"] != 200:
        return refusal(row["status"], row["reply"], {}, "Ollama")
    try:
        return completion(row["reply"].encode(), request_of(row), 1, "Ollama")
    except EngineError as error:
        return error


def expected(table, key):
    return table.get(key, table.get((key[0], None)))


def test_both_servers_were_asked_about_everything():
    keys = [key for key, _ in replies()]
    assert len(keys) == len(set(keys)) == 113
    known = {*REFUSED, *LOOPS, *STOPPED, *WHOLE_AT_THE_LIMIT}
    assert {case for case, _ in known} <= {case for case, _ in keys}


def test_every_refusal_is_the_trouble_that_it_is():
    for key, row in replies():
        trouble, found = expected(REFUSED, key), made_of(row)
        if trouble is None:
            assert not isinstance(found, EngineError), (key, found)
        else:
            assert isinstance(found, EngineError), key
            assert found.trouble is trouble, (key, found)


def test_every_answer_says_how_it_ended():
    for key, row in replies():
        found = made_of(row)
        if isinstance(found, EngineError):
            continue
        stopped = key in STOPPED or (key[0], None) in STOPPED
        finish = Finish.STOP if stopped else Finish.LENGTH
        assert found.finish is (Finish.LOOP if key in LOOPS else finish), key
        assert (found.usage.output_tokens is None) is (key in LOOPS), key


def test_every_answer_to_a_schema_that_is_whole_counts_wherever_it_ended():
    for key, row in replies():
        found, schema = made_of(row), row["request"].get("format")
        if isinstance(found, EngineError) or not key[0].startswith("schema"):
            continue
        whole = found.finish is Finish.STOP or key in WHOLE_AT_THE_LIMIT
        assert isinstance(check(found, schema), Valid) is whole, (key, found.text)
