"""What a job asks its model, beyond the words of its prompt."""

from dataclasses import replace

from models.engines import EmbeddedConfig, tuned_name
from models.words import TaskType, Zone
from tests.factories import a_job
from worker.calls.answer import Invalid
from worker.llm.engine import Completion, Finish
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


def test_a_bad_answer_is_mended_by_the_model_itself() -> None:
    requests = asked_of(tuned_name(DIGEST))
    first = requests.about(LABELS, "It rains.")
    bad = Invalid("bad_answer", "no such label")
    mended = requests.repair(first, Completion("{}", Finish.STOP, 5), bad, LABELS)
    assert mended.text == ""
