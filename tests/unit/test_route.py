from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.config import DEFAULT_FRONTIER_MODEL, Config
from models.words import TaskType, Tier
from worker.route import (
    ANY_LANGUAGE,
    Route,
    all_routes,
    escalation,
    frontier_model,
    local_model,
    route,
)

LOCAL_DEFAULT = Route(Tier.LOCAL, "phi4-mini")
FRONTIER_DEFAULT = Route(Tier.FRONTIER, DEFAULT_FRONTIER_MODEL)
HINDI = Route(Tier.LOCAL, "gemma3:4b")
SMALL = (TaskType.EXTRACTION, TaskType.CLASSIFICATION, TaskType.SIMPLE_CODE)
LARGE = (TaskType.SUMMARY, TaskType.REASONING)

DEFAULT = Config()
WITH_HINDI = Config.model_validate({"languages": {"hi": {"model": "gemma3:4b"}}})
ALL_LOCAL = Config.model_validate(
    {"tasks": {task: {"engine": "local", "model": f"{task}-model"} for task in TaskType}}
)
ALL_FRONTIER = Config.model_validate(
    {
        "tasks": {task: {"engine": "frontier", "model": f"big-{task}"} for task in TaskType},
        "classifier": {"model": "tiny"},
    }
)
CONFIGS = {"default": DEFAULT, "hindi": WITH_HINDI, "local": ALL_LOCAL, "frontier": ALL_FRONTIER}


def expected(task: TaskType, local_only: bool, language: str | None, name: str) -> Route:
    """The table of the design, spelled out."""
    if name == "local":
        return Route(Tier.LOCAL, f"{task}-model")
    if name == "frontier":
        return Route(Tier.LOCAL, "tiny") if local_only else Route(Tier.FRONTIER, f"big-{task}")
    if task in LARGE and not local_only:
        return FRONTIER_DEFAULT
    return HINDI if name == "hindi" and language == "hi" else LOCAL_DEFAULT


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("language", [None, "en", "hi", "*", ""])
@pytest.mark.parametrize("local_only", [False, True])
@pytest.mark.parametrize("task", TaskType)
def test_the_whole_table(task, local_only, language, name):
    found = route(task, local_only=local_only, language=language, config=CONFIGS[name])
    assert found == expected(task, local_only, language, name)


MODELS = st.sampled_from(["a", "b", "anthropic/claude-sonnet-4-6", "stand-in/x"])
TIERS = st.sampled_from(Tier)
LANGUAGES = st.sampled_from(["hi", "en", "ta", "frontier"])


@st.composite
def configs(draw: st.DrawFn) -> Config:
    """Any config that docmill.toml can say about tasks, languages and the classifier."""
    tasks = {}
    for task in draw(st.sets(st.sampled_from(TaskType))):
        engine = draw(TIERS)
        other = Tier.LOCAL if engine is Tier.FRONTIER else Tier.FRONTIER
        tasks[task] = {
            "engine": engine,
            "model": draw(MODELS),
            "escalate": draw(st.sampled_from([None, other])),
        }
    languages = draw(st.dictionaries(LANGUAGES, MODELS.map(lambda model: {"model": model})))
    classifier = {"model": draw(MODELS)}
    return Config.model_validate({"tasks": tasks, "languages": languages, "classifier": classifier})


@given(configs(), st.sampled_from(TaskType), st.one_of(st.none(), LANGUAGES, st.text(max_size=3)))
def test_local_only_never_runs_at_the_frontier_whatever_the_config_says(config, task, language):
    assert route(task, local_only=True, language=language, config=config).tier is Tier.LOCAL


@given(configs(), st.sampled_from(TaskType), TIERS)
def test_local_only_never_escalates_to_the_frontier_whatever_the_config_says(config, task, tier):
    target = escalation(task, tier=tier, local_only=True, config=config)
    assert target is None or target.tier is Tier.LOCAL


@given(configs(), st.lists(st.sampled_from(TaskType), unique=True))
def test_no_row_of_the_table_for_sql_sends_local_only_to_the_frontier(config, tasks):
    rows = all_routes(tasks, config)
    assert not [row for row in rows if row["local_only"] and row["queue"] == Tier.FRONTIER]


@given(configs(), st.lists(st.sampled_from(TaskType), unique=True))
def test_the_table_for_sql_says_what_the_function_says(config, tasks):
    rows = all_routes(tasks, config)
    languages = [None, *config.languages]
    assert len(rows) == len(tasks) * 2 * len(languages)
    for row, (task, local_only, language) in zip(
        rows, product(tasks, (False, True), languages), strict=True
    ):
        found = route(task, local_only=local_only, language=language, config=config)
        assert row == {
            "task": task,
            "local_only": local_only,
            "language": language or ANY_LANGUAGE,
            "queue": found.tier,
            "model": found.model_name,
        }


@given(configs(), st.sampled_from(TaskType), LANGUAGES)
def test_allow_frontier_runs_a_task_where_the_config_says(config, task, language):
    found = route(task, local_only=False, language=language, config=config)
    assert found.tier is config.task(task).engine


@given(configs(), st.sampled_from(TaskType), LANGUAGES)
def test_a_language_model_stands_in_for_local_models_only(config, task, language):
    found = route(task, local_only=False, language=language, config=config)
    if found.tier is Tier.FRONTIER:
        assert found.model_name == config.task(task).model
    elif language in config.languages:
        assert found.model_name == config.languages[language].model


ESCALATING = Config.model_validate(
    {
        "tasks": {
            "extraction": {"escalate": "frontier"},
            "summary": {"escalate": "local"},
            "reasoning": {"model": "openai/o4-mini"},
        }
    }
)


@pytest.mark.parametrize(
    ("task", "tier", "local_only", "target"),
    [
        (TaskType.EXTRACTION, Tier.LOCAL, False, Route(Tier.FRONTIER, "openai/o4-mini")),
        (TaskType.EXTRACTION, Tier.LOCAL, True, None),
        (TaskType.EXTRACTION, Tier.FRONTIER, False, None),
        (TaskType.SUMMARY, Tier.FRONTIER, False, LOCAL_DEFAULT),
        (TaskType.SUMMARY, Tier.LOCAL, False, None),
        (TaskType.SUMMARY, Tier.LOCAL, True, None),
        (TaskType.CLASSIFICATION, Tier.LOCAL, False, None),
        (TaskType.REASONING, Tier.FRONTIER, False, None),
    ],
)
def test_where_a_bad_answer_goes(task, tier, local_only, target):
    assert escalation(task, tier=tier, local_only=local_only, config=ESCALATING) == target


@given(configs(), st.sampled_from(TaskType), TIERS, st.booleans())
def test_an_escalated_job_never_escalates_again(config, task, tier, local_only):
    target = escalation(task, tier=tier, local_only=local_only, config=config)
    if target is not None:
        assert target.tier is not tier
        again = escalation(task, tier=target.tier, local_only=local_only, config=config)
        assert again is None


def test_a_frontier_task_under_local_only_runs_on_the_extraction_model():
    config = Config.model_validate(
        {"tasks": {"extraction": {"model": "good"}}, "classifier": {"model": "tiny"}}
    )
    assert local_model(TaskType.REASONING, None, config) == "good"


@pytest.mark.parametrize(
    ("tasks", "model"),
    [
        ({}, DEFAULT_FRONTIER_MODEL),
        ({"summary": {"model": "s"}}, DEFAULT_FRONTIER_MODEL),
        ({"summary": {"model": "s"}, "reasoning": {"engine": "local", "model": "r"}}, "s"),
        ({"summary": {"model": "s"}, "reasoning": {"model": "r"}}, "r"),
        (
            {"summary": {"engine": "local"}, "reasoning": {"engine": "local"}},
            DEFAULT_FRONTIER_MODEL,
        ),
    ],
)
def test_the_frontier_model_is_the_one_that_reasons(tasks, model):
    assert frontier_model(Config.model_validate({"tasks": tasks})) == model


def test_any_frontier_task_can_name_the_frontier_model():
    tasks = {
        "summary": {"engine": "local", "model": "x"},
        "reasoning": {"engine": "local", "model": "x"},
        "simple_code": {"engine": "frontier", "model": "coder"},
    }
    assert frontier_model(Config.model_validate({"tasks": tasks})) == "coder"
