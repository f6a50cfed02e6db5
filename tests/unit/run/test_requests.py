"""What a job asks its model, beyond the words of its prompt."""

from dataclasses import replace

from models.engines import EmbeddedConfig, tuned_name
from models.words import TaskType, Zone
from tests.factories import a_job
from worker.calls.answer import Invalid
from worker.llm.engine import Completion, Finish
from worker.prompts import manner, task_messages
from worker.prompts.files import numbers
from worker.run.requests import Requests

LABELS = {"type": "object", "properties": {"label": {"enum": ["a", "b"]}}, "required": ["label"]}
DIGEST = "ab" * 32
EMBEDDED = EmbeddedConfig(zone=Zone.LOCAL, adapter_digest=DIGEST)


def asked_of(model: str) -> Requests:
    job = a_job(task=TaskType.CLASSIFICATION, schema=LABELS)
    return Requests(replace(job, place=replace(job.place, model=model)), EMBEDDED)


def test_an_engine_that_weighs_labels_is_told_the_text_apart() -> None:
    weighed = asked_of(tuned_name(DIGEST)).about(LABELS, " It rains.\n")
    assert weighed.text == "It rains."
    assert weighed.messages[-1].content.endswith(weighed.text)
    assert asked_of("gemma-3-270m").about(LABELS, "It rains.").text == ""


def test_what_is_read_out_of_a_text_is_not_weighed() -> None:
    job = a_job()
    engine = Requests(replace(job, place=replace(job.place, model=tuned_name(DIGEST))), EMBEDDED)
    assert engine.about(job.answer_schema, "It rains.").text == ""


def test_every_version_of_the_prompt_ends_with_the_text() -> None:
    for number in numbers("classification"):
        how = manner("classification", tuned_name(DIGEST), number=number, examples=False)
        messages = task_messages(TaskType.CLASSIFICATION, "Which?", "It rains.", LABELS, how)
        assert messages[-1].content.endswith("It rains.")


def test_a_bad_answer_is_mended_by_the_model_itself() -> None:
    requests = asked_of(tuned_name(DIGEST))
    first = requests.about(LABELS, "It rains.")
    said = Completion("{}", Finish.STOP, 5)
    for category in ("bad_answer", "empty", "loop"):
        mended = requests.repair(first, said, Invalid(category, "no such label"), LABELS)
        assert mended.text == ""
