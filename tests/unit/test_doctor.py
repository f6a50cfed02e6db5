from dataclasses import replace

import pytest

from models.config import Config
from models.engines import OpenAIConfig
from models.errors import ConfigError, NoKey
from models.words import Zone
from tests.factories import a_deployment
from tests.stubs.fake import FakeEngine
from worker import doctor
from worker.deployment import Deployment
from worker.doctor import Grade
from worker.llm.engine import Told

CONFIG = Config()


def unusable():
    raise ConfigError("ALL_PROXY is 'socks://h:1'")


def test_an_engine_that_cannot_be_made_here_is_a_finding_and_no_traceback():
    engine = OpenAIConfig(zone=Zone.FRONTIER, base_url="http://host/v1")
    found, *_ = doctor._engine("frontier", Deployment("frontier", engine, unusable, "host"), CONFIG)
    assert found.grade is Grade.PROBLEM
    assert "ALL_PROXY" in found.detail


def test_a_price_per_second_is_a_price():
    engine = {"kind": "replicate", "usd_per_second": "0.001"}
    tasks = {name: {"model": "nobody/knows"} for name in ("summary", "reasoning")}
    config = Config.model_validate({"engines": {"frontier": engine}, "tasks": tasks})
    found = [one for one in doctor._prices(config) if "frontier" in one.detail]
    assert [(one.grade, one.detail) for one in found] == [
        (Grade.OK, "engines.frontier: $0.001 a second")
    ]


def test_a_hosted_model_that_is_to_be_taken_away_is_a_warning(monkeypatch):
    monkeypatch.setattr(doctor, "retires", lambda model: model in ("old", "gemma3:4b"))
    tasks = {"summary": {"model": "old"}, "extraction": {"model": "gemma3:4b"}}
    found = list(doctor._prices(Config.model_validate({"tasks": tasks})))
    [said] = [one for one in found if one.check == "model"]
    assert (said.grade, said.detail.partition(":")[0]) == (Grade.WARNING, "old")


@pytest.mark.parametrize(
    ("images", "wanted"),
    [
        (True, (Grade.OK, "scans are read by local/see")),
        (None, (Grade.OK, "scans are read by local/see, if it reads images")),
        (False, (Grade.PROBLEM, "local/see reads no images")),
    ],
)
def test_it_says_whether_the_model_that_scans_are_shown_to_sees(monkeypatch, images, wanted):
    class Tells(FakeEngine):
        async def tell(self, model: str) -> Told:
            return Told(images=images)

    monkeypatch.setattr(doctor, "deploy", lambda *_: replace(a_deployment(), make=Tells))
    found = doctor._ocr(Config.model_validate({"reading": {"ocr": "local/see"}}))
    assert (found.grade, found.detail.partition(":")[0]) == wanted


class TellsItsWindow(FakeEngine):
    async def tell(self, model: str) -> Told:
        return Told(context_tokens=2048)


@pytest.mark.parametrize(("context_tokens", "warns"), [(8192, True), (2048, False), (1024, False)])
def test_a_window_that_is_smaller_than_it_is_taken_to_be_is_a_warning(context_tokens, warns):
    deployment = replace(a_deployment(context_tokens=context_tokens), make=TellsItsWindow)
    found = list(doctor._windows("local engine", deployment, ["m"]))
    assert [one.grade for one in found] == [Grade.WARNING] * warns
    assert all("has a window of 2,048" in one.detail for one in found)


def test_a_key_that_only_this_host_lacks_is_a_note_and_a_wrong_address_a_problem():
    grades = {
        type(problem): finding.grade
        for problem in (NoKey("no key here"), ConfigError("no URL"))
        for finding in doctor._engine("frontier", problem, CONFIG)
    }
    assert grades == {NoKey: Grade.WARNING, ConfigError: Grade.PROBLEM}


@pytest.mark.parametrize(
    ("slots", "in_use", "most", "said"),
    [
        (4, 3, None, "4, 3 in use"),
        (12, 9, 64, "auto: 12 of at most 64, 9 in use"),
    ],
)
def test_the_number_of_slots_is_said_and_whether_it_adapts(slots, in_use, most, said):
    assert doctor._slots({"slots": slots, "in_use": in_use, "max_slots": most}) == said
