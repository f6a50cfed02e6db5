"""What a model on Replicate is given, by its own schema and by what it refused."""

import json

import pytest

from worker.llm.engine import Message, Request
from worker.llm.replicate.inputs import USUAL, Takes, takes_in

SYSTEM = Message("system", "Answer from the text.")
SHOT = (Message("user", "2 teas"), Message("assistant", '{"n": 2}'))
LAST = Message("user", "3 teas")


def given(takes, *messages, temperature=0.0):
    request = Request("a/b", messages, 77, 4096, temperature=temperature, seed=5)
    return takes.input(request)


def takes(*names, **more):
    return Takes(frozenset(names), **more)


def described(*names, least=None, whole=True, messages="array"):
    fields = {name: {"type": "string"} for name in names}
    if "messages" in fields:
        fields["messages"] = {"type": messages}
    if least is not None:
        fields["temperature"] = {"type": "number", "minimum": least}
    schema = {"components": {"schemas": {"Input": {"properties": fields}}}}
    version = {"id": "1", "openapi_schema": schema}
    return json.dumps({"latest_version": version} if whole else version).encode()


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (
            USUAL.names,
            {
                "prompt": "3 teas",
                "system_prompt": "Answer from the text.",
                "max_tokens": 77,
                "temperature": 0.0,
            },
        ),
        (["prompt"], {"prompt": "Answer from the text.\n\n3 teas"}),
        (
            ["prompt", "max_new_tokens"],
            {"prompt": "Answer from the text.\n\n3 teas", "max_new_tokens": 77},
        ),
        (
            ["prompt", "messages", "max_completion_tokens"],
            {
                "messages": [
                    {"role": "system", "content": "Answer from the text."},
                    {"role": "user", "content": "3 teas"},
                ],
                "max_completion_tokens": 77,
            },
        ),
        (
            ["prompt", "max_tokens", "max_new_tokens"],
            {"prompt": "Answer from the text.\n\n3 teas", "max_tokens": 77},
        ),
        (["prompt", "seed"], {"prompt": "Answer from the text.\n\n3 teas", "seed": 5}),
    ],
)
def test_a_prompt_is_put_in_the_words_that_the_model_knows(names, wanted):
    assert given(takes(*names), SYSTEM, LAST) == wanted


def test_examples_stand_in_one_text_as_a_conversation():
    assert given(takes("prompt", "system_prompt"), SYSTEM, *SHOT, LAST) == {
        "prompt": 'User: 2 teas\n\nAssistant: {"n": 2}\n\nUser: 3 teas\n\nAssistant:',
        "system_prompt": "Answer from the text.",
    }
    assert given(takes("prompt"), SYSTEM, *SHOT, LAST)["prompt"].startswith(
        "System: Answer from the text.\n\nUser: 2 teas"
    )


def test_a_prompt_without_a_system_message_sends_none():
    assert "system_prompt" not in given(USUAL, LAST)


@pytest.mark.parametrize(("asked", "least", "sent"), [(0.0, 0.01, 0.01), (0.4, 0.01, 0.4)])
def test_a_model_that_takes_no_temperature_of_zero_gets_its_least(asked, least, sent):
    found = given(takes("prompt", "temperature", least_temperature=least), LAST, temperature=asked)
    assert found["temperature"] == sent


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (described("prompt", "top_k", "max_tokens"), takes("prompt", "max_tokens")),
        (described("prompt", whole=False), takes("prompt")),
        (described("prompt", least=0.01), takes("prompt", "temperature", least_temperature=0.01)),
        (described("messages", "prompt"), takes("messages", "prompt")),
        (described("messages", "prompt", messages="string"), takes("prompt")),
        (described("image", "seed"), takes("seed")),
        (b"{}", USUAL),
        (b"[]", USUAL),
        (b"<html>", USUAL),
        (b'{"latest_version": null}', USUAL),
        (b'{"openapi_schema": {"components": {"schemas": 3}}}', USUAL),
    ],
)
def test_a_models_own_schema_says_what_it_takes(content, wanted):
    assert takes_in(content) == wanted


def test_what_reads_no_text_is_told_apart():
    assert not takes_in(described("image", "seed")).reads_text
    assert USUAL.reads_text
    assert takes("messages").reads_text


@pytest.mark.parametrize(
    ("before", "said", "names"),
    [
        (
            USUAL,
            "- input: Additional property system_prompt is not allowed\n",
            ["prompt", "max_tokens", "temperature"],
        ),
        (
            USUAL,
            "- input: Additional property max_tokens is not allowed\n"
            "- input: Additional property temperature is not allowed\n",
            ["prompt", "system_prompt", "max_new_tokens"],
        ),
        (
            USUAL,
            '[{"loc": ["body", "input", "prompt"], "msg": "Unexpected field \'prompt\'"}]',
            ["messages", "system_prompt", "max_tokens", "temperature"],
        ),
        (USUAL, "- input: messages is required\n", [*USUAL.names, "messages"]),
        (takes("messages"), "- input: prompt is required\n", ["messages", "prompt"]),
    ],
)
def test_a_refusal_that_names_an_input_teaches_what_the_model_takes(before, said, names):
    assert before.corrected(said).names == set(names)


def test_a_refusal_teaches_the_least_temperature():
    said = "- input.temperature: Must be greater than or equal to 0.01\n"
    assert USUAL.corrected(said).least_temperature == 0.01


@pytest.mark.parametrize(
    "said",
    [
        "",
        "- input: image is required\n",
        "- version is required\n",
        "- input.max_tokens: Must be less than or equal to 4096\n",
        "- input: Additional property top_k is not allowed\n",
    ],
)
def test_any_other_refusal_teaches_nothing(said):
    assert USUAL.corrected(said) is None


def test_a_model_that_contradicts_itself_is_not_asked_for_ever():
    known, rounds = USUAL, 0
    refuses = [
        "Additional property prompt is not allowed",
        "Additional property messages is not allowed",
        "prompt is required",
        "messages is required",
    ]
    while (better := next(filter(None, map(known.corrected, refuses)), None)) is not None:
        known, rounds = better, rounds + 1
        assert rounds < 10
