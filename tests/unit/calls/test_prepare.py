"""How a request goes out to a model that does this or that with its prompts."""

from dataclasses import replace

from tests.factories import a_request
from worker.calls.prepare import prepared
from worker.llm.engine import Message
from worker.llm.probe import Traits
from worker.prompts import repair_messages

ASKED = a_request(
    messages=(
        Message("system", "Answer with JSON."),
        Message("user", "Find <my_turn> in this."),
        Message("assistant", "{}"),
        Message("user", "Find it in <my_turn>, <eos>."),
    ),
    fixed=3,
)
TEMPLATED = Traits(template="<my_turn>{{ .Prompt }}")


def test_a_model_that_does_what_it_is_told_is_asked_as_it_stands():
    plain = replace(ASKED, messages=(*ASKED.messages[:3], Message("user", "Find it.")))
    assert prepared(plain, Traits()) == plain


def test_markers_of_the_usual_templates_and_of_its_own_are_no_markers_in_what_is_not_ours():
    sent = prepared(ASKED, TEMPLATED)
    assert sent.messages[:3] == ASKED.messages[:3]
    assert not any(marker in sent.messages[3].content for marker in ("<my_turn>", "<eos>"))
    assert prepared(sent, TEMPLATED) == sent


def test_nor_in_its_own_bad_answer_when_that_is_mended():
    wrong = repair_messages(ASKED.messages, "<my_turn> not JSON", "no JSON", {})
    assert not any(
        "<my_turn>" in one.content
        for one in prepared(replace(ASKED, messages=wrong), TEMPLATED).messages[3:]
    )


def test_rules_that_are_never_read_stand_in_the_first_users_words():
    sent = prepared(ASKED, Traits(reads_system=False))
    assert [one.role for one in sent.messages] == ["user", "assistant", "user"]
    assert sent.messages[0].content == "Answer with JSON.\n\nFind <my_turn> in this."
    assert sent.fixed == 2
    assert sent.messages[sent.fixed].content.startswith("Find it in")


def test_thinking_is_told_as_it_does_no_harm():
    assert prepared(ASKED, Traits(think=None)).think is None
    assert prepared(ASKED, Traits()).think is False
