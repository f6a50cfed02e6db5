"""How a model is asked: its family, the examples of an ask, and what follows from them."""

import json
from dataclasses import replace

import pytest

from models.errors import ConfigError
from models.examples import Example, Nearest, Own
from models.spec import fields_schema
from models.words import TaskType
from worker.ingest.language import language
from worker.prompts import (
    classify_messages,
    fixed_tokens,
    form,
    manner,
    prompt_tokens,
    prompt_units,
    reading_messages,
    task_messages,
    usual,
)
from worker.prompts.choose import GOLD_TOKENS
from worker.prompts.files import SECOND_READING, current, numbers, prompt, task_schema, words_of
from worker.prompts.manner import Shown, narrowed
from worker.prompts.profiles import profile_of
from worker.tokens import estimate

NAMES = [*map(str, TaskType), "classify", SECOND_READING]
SCHEMA = fields_schema(("total", "date"))
OWN = Example("Sum 12", {"total": "12", "date": None})
EXTRACTION = TaskType.EXTRACTION


def shown(*examples: Example, **more: object) -> Shown:
    numbers = tuple(range(1, len(examples) + 1))
    return Shown(examples, numbers, **more)  # type: ignore[arg-type]


def asked(how, schema=SCHEMA, ask="Find it."):
    return task_messages(EXTRACTION, ask, "the text", schema, how)


def test_an_asks_own_examples_stand_where_the_prompts_own_stood_with_its_ask_and_form():
    how = replace(usual(EXTRACTION), shown=shown(OWN))
    system, question, answer, request = asked(how)
    assert system.content == prompt(EXTRACTION).system
    assert question.content == f"Task: Find it.\nAnswer as: {form(SCHEMA)}\nText:\nSum 12"
    assert (question.role, answer.role) == ("user", "assistant")
    assert json.loads(answer.content) == OWN.answer
    assert request == asked(usual(EXTRACTION))[-1]


def test_no_examples_at_all_is_none_and_such_that_could_not_be_shown_are_the_prompts_own():
    assert len(asked(replace(usual(EXTRACTION), shown=Shown()))) == 2
    usual_ones = asked(usual(EXTRACTION))
    for left_out in (Shown(gold="g"), Shown(leaks=(1,)), Shown(no_room=(1,))):
        assert asked(replace(usual(EXTRACTION), shown=left_out)) == usual_ones


def test_an_example_answers_what_is_asked_for_alone():
    how = replace(usual(EXTRACTION), shown=shown(OWN))
    assert json.loads(asked(how, fields_schema(("date",)))[2].content) == {"date": None}
    how = replace(usual(SECOND_READING), shown=shown(OWN))
    messages = reading_messages("Find it.", "the text", fields_schema(("total",)), ["total"], how)
    assert messages[1].content.startswith("Fields: total\n")
    assert json.loads(messages[2].content) == {"total": "12"}


@pytest.mark.parametrize(
    ("answer", "schema", "found"),
    [
        ({"b": 1, "a": 2}, {"properties": {"a": {}, "b": {}}}, {"a": 2, "b": 1}),
        (
            {"a": {"x": 1, "y": 2}},
            {"properties": {"a": {"properties": {"y": {}}}}},
            {"a": {"y": 2}},
        ),
        ({"a": [1]}, {"properties": {"a": {"items": {}}}}, {"a": [1]}),
        ({"a": 1}, {"additionalProperties": {}}, {"a": 1}),
        ({"a": {"x": 1}}, {"properties": {"a": True}}, {"a": {"x": 1}}),
    ],
)
def test_the_part_of_an_answer_that_a_schema_asks_for(answer, schema, found):
    assert narrowed(answer, schema) == found
    assert list(narrowed(answer, schema)) == list(found)


def test_braces_in_examples_are_text():
    text = "{ask} {0} {text!r}"
    how = replace(usual(EXTRACTION), shown=shown(Example(text, {"total": text, "date": None})))
    assert asked(how)[1].content.endswith(text)
    assert text in asked(how)[2].content


def test_other_examples_have_another_version_and_what_could_not_be_shown_has_none():
    plain, one = usual(EXTRACTION), replace(usual(EXTRACTION), shown=shown(OWN))
    other = replace(plain, shown=shown(replace(OWN, text="Sum 13")))
    versions = {plain.version, one.version, other.version, replace(plain, shown=Shown()).version}
    assert len(versions) == 4
    assert replace(plain, shown=Shown(leaks=(1,))).version == plain.version
    assert len({manner(EXTRACTION, model).version for model in ("deepseek-r1", "phi4")}) == 2


def test_examples_that_were_chosen_for_a_text_are_no_part_of_what_all_texts_share():
    assert usual(EXTRACTION).chosen == 0
    assert replace(usual(EXTRACTION), shown=shown(OWN)).chosen == 0
    assert replace(usual(EXTRACTION), shown=shown(OWN, OWN, gold="g")).chosen == 4
    assert replace(usual(EXTRACTION), shown=Shown(gold="g")).chosen == 0


def test_a_model_that_was_tuned_without_examples_gets_the_rules_and_what_is_asked():
    bare = manner(EXTRACTION, "phi4-mini", examples=False)
    assert [one.role for one in asked(bare)] == ["system", "user"]
    assert bare.said == frozenset()
    assert bare.version != manner(EXTRACTION, "phi4-mini").version
    with_own = replace(bare, shown=shown(OWN))
    assert [one.role for one in asked(with_own)] == ["system", "user", "assistant", "user"]


def test_what_examples_say_is_known_for_the_checks():
    assert "Blue Leaf Cafe" in usual(EXTRACTION).said
    nested = Example("t", {"rows": [{"a": "one"}, {"a": "two", "n": 3}], "none": None})
    assert replace(usual(EXTRACTION), shown=shown(nested)).said == {"one", "two"}
    assert replace(usual(EXTRACTION), shown=Shown()).said == frozenset()


def test_the_row_tells_the_version_the_family_and_what_was_shown_and_left_out():
    how = manner(EXTRACTION, "phi4-mini")
    assert how.as_json() == {
        "version": f"extraction/{current()[EXTRACTION]}",
        "profile": "instruct",
    }
    told = replace(how, shown=Shown((OWN,), (7,), "g", leaks=(3,))).as_json()["examples"]
    assert told == {"gold": "g", "shown": (7,), "leaks": (3,)}
    assert replace(how, shown=Shown()).as_json()["examples"] == {"shown": ()}


def test_tokens_count_the_examples_that_are_shown():
    plain = usual(EXTRACTION)
    with_own = replace(plain, shown=shown(OWN, OWN))
    messages = asked(with_own)
    most = sum(estimate(each.content) for each in messages)
    assert most - estimate("the text") <= prompt_tokens(with_own, "Find it.", SCHEMA) <= most
    assert prompt_tokens(with_own, "Find it.", SCHEMA) == fixed_tokens(
        plain, "Find it.", SCHEMA, Own((OWN, OWN))
    )


def test_tokens_of_a_gold_set_are_bounded_before_its_rows_are_known():
    plain = fixed_tokens(usual(EXTRACTION), "Find it.", SCHEMA)
    assert fixed_tokens(usual(EXTRACTION), "Find it.", SCHEMA, Nearest("g")) == plain + GOLD_TOKENS


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("phi4-mini", "instruct"),
        ("gemma3:4b", "instruct"),
        ("anthropic/claude-sonnet-4-6", "instruct"),
        ("gpt-4.1", "instruct"),
        ("DeepSeek-R1:7b", "thinking"),
        ("phi4-mini-reasoning", "thinking"),
        ("llama3:text", "base"),
        ("Qwen2.5-7B-base", "base"),
        ("gemma-3-4b-pt", "base"),
    ],
)
def test_a_model_is_of_the_family_that_its_name_says(model, family):
    assert profile_of(model).name == family


def test_a_thinking_model_reads_its_rules_in_the_request_and_sees_no_examples_but_the_asks():
    how = manner(EXTRACTION, "deepseek-r1")
    [request] = asked(how)
    assert request.role == "user"
    assert request.content.startswith(prompt(EXTRACTION).system)
    assert request.content.endswith("the text")
    messages = asked(replace(how, shown=shown(OWN)))
    assert [each.role for each in messages] == ["user", "assistant", "user"]
    assert messages[0].content.startswith(prompt(EXTRACTION).system)


def test_a_model_that_was_tuned_without_examples_sees_none_but_the_asks():
    tuned = manner(EXTRACTION, "gemma-3-270m", examples=False)
    assert [each.role for each in asked(tuned)] == ["system", "user"]
    assert asked(tuned)[-1] == asked(usual(EXTRACTION))[-1]
    assert len(asked(replace(tuned, shown=shown(OWN)))) == 4
    assert tuned.version != manner(EXTRACTION, "gemma-3-270m").version
    assert prompt_tokens(tuned, "x", SCHEMA) < prompt_tokens(usual(EXTRACTION), "x", SCHEMA)
    assert sum(prompt_units(tuned, "x", SCHEMA).values()) < sum(
        prompt_units(usual(EXTRACTION), "x", SCHEMA).values()
    )
    assert len(classify_messages("x", examples=False)) == 2


@pytest.mark.parametrize("name", NAMES)
def test_every_prompt_has_a_current_version_and_each_version_is_a_prompt(name):
    assert current()[name] in numbers(name)
    assert numbers(name) == tuple(range(1, len(numbers(name)) + 1))
    for number in numbers(name):
        chosen = prompt(name, number)
        assert (chosen.name, chosen.number) == (name, number)
        assert chosen.shots
        assert words_of(name, number).startswith("system:")
    assert len({prompt(name, n).version for n in numbers(name)}) == len(numbers(name))


@pytest.mark.parametrize("task", TaskType)
def test_all_versions_of_a_tasks_prompt_want_the_same_answer(task):
    assert all(prompt(task, number).schema == task_schema(task) for number in numbers(task))


def test_a_version_that_there_is_not_is_an_error_that_names_those_that_are():
    with pytest.raises(ConfigError, match="no version 99 of the prompt extraction; there are 1"):
        prompt("extraction", 99)


INDIAN = ("hi", "ta", "te", "kn", "bn")


@pytest.mark.parametrize("task", [TaskType.EXTRACTION, TaskType.CLASSIFICATION])
@pytest.mark.parametrize("code", INDIAN)
def test_a_text_in_an_indian_script_has_examples_in_its_own(task, code):
    shots, own = prompt(task).shots_in(code), prompt(task).shots
    assert len(shots) == len(own)
    for shot, english in zip(shots, own, strict=True):
        assert {"hi": "hi", "mr": "hi"}.get(language(shot["text"]), language(shot["text"])) == code
        assert (shot["ask"], shot["form"]) == (english["ask"], english["form"])
        assert shot["answer"].keys() == english["answer"].keys()
        if task is TaskType.EXTRACTION:
            assert all(value is None or value in shot["text"] for value in shot["answer"].values())
            assert [v is None for v in shot["answer"].values()] == [
                v is None for v in english["answer"].values()
            ]
        else:
            assert shot["answer"] == english["answer"]


def test_the_language_of_the_text_chooses_them_and_they_are_known_to_the_checks():
    tamil = manner(EXTRACTION, "phi4", "ta")
    assert "நீலத்தாமரை" in asked(tamil)[1].content
    assert "நீலத்தாமரை எழுதுபொருள் கடை" in tamil.said
    assert tamil.version != manner(EXTRACTION, "phi4", "te").version
    for code in ("en", "fr", None):
        assert asked(manner(EXTRACTION, "phi4", code)) == asked(manner(EXTRACTION, "phi4"))
        assert manner(EXTRACTION, "phi4", code).version == manner(EXTRACTION, "phi4").version
    assert asked(manner(EXTRACTION, "phi4", "mr")) == asked(manner(EXTRACTION, "phi4", "hi"))
    assert asked(manner(TaskType.SUMMARY, "phi4", "ta")) == asked(manner(TaskType.SUMMARY, "phi4"))
