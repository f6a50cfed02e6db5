"""How a request goes out to a model that does this or that with its prompts."""

from dataclasses import replace

from tests.factories import FIELDS, a_request
from worker.calls.prepare import THOUGHT_TOKENS, added, prepared, room
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
    assert sent.messages[0] == ASKED.messages[0]
    said = "".join(one.content for one in sent.messages)
    assert not any(marker in said for marker in ("<my_turn>", "<eos>"))
    assert prepared(sent, TEMPLATED) == sent


def test_nor_in_the_text_that_an_engine_is_told_apart():
    told = replace(ASKED, text="in <my_turn>, <eos>.")
    sent = prepared(told, TEMPLATED)
    assert sent.messages[-1].content.endswith(sent.text)
    assert "<eos>" not in sent.text


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


def test_a_schema_that_is_not_kept_to_stands_in_words_and_is_not_sent():
    asked = replace(ASKED, schema=FIELDS)
    assert prepared(asked, Traits()).schema == FIELDS
    sent = prepared(asked, Traits(holds_schema=False))
    assert sent.schema is None
    assert sent.messages[3].content.endswith(
        'valid by this JSON Schema:\n{"type":"object","properties":{"total":{"type":["string",'
        '"null"]}},"required":["total"],"additionalProperties":false}'
    )
    mended = repair_messages(ASKED.messages, "no JSON", "no JSON", FIELDS)
    again = prepared(replace(asked, messages=mended), Traits(holds_schema=False))
    assert again.messages[:4] == sent.messages


def test_a_model_that_thinks_aloud_has_room_for_it_where_no_grammar_keeps_it_from_that():
    asked, aloud = replace(ASKED, schema=FIELDS), Traits(thinks_aloud=True)
    assert prepared(asked, aloud).max_tokens == asked.max_tokens
    sent = prepared(asked, replace(aloud, holds_schema=False))
    assert sent.max_tokens == asked.max_tokens + THOUGHT_TOKENS


def test_the_smaller_window_counts():
    for has, counts in ((None, 4096), (2048, 2048), (32_768, 4096)):
        assert prepared(ASKED, Traits(context_tokens=has)).context_tokens == counts
        assert room(4096, Traits(context_tokens=has)) == counts


def test_what_is_added_for_a_model_that_holds_no_schema_is_counted():
    words = added(FIELDS, Traits(holds_schema=False))
    assert 0 < words < 196
    aloud = Traits(holds_schema=False, thinks_aloud=True)
    assert added(FIELDS, aloud) == words + THOUGHT_TOKENS


def test_less_of_a_window_is_used_where_a_cut_prompt_would_not_be_seen():
    assert room(4096, Traits(reports_tokens=False)) == 3072
