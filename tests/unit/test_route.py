"""THE rule. Text that stays in the building never gets a place outside of it."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.config import Config
from models.engines import DEFAULT_FRONTIER_MODEL
from models.resolve import Surroundings, resolve
from models.words import Finder, Queue, Scope, Stage, TaskType, Zone
from tests.factories import a_config, a_learned
from worker import route as route_module
from worker.classify.cascade import Verdict
from worker.classify.stage import Pair, Sorted, job_row
from worker.ingest.jobs import AskRow, routed
from worker.route import Facts, Place, Route, classifier, frontier_model, places, route

LOCAL_DEFAULT = Place(Zone.LOCAL, "local", "phi4-mini")
FRONTIER_DEFAULT = Place(Zone.FRONTIER, "frontier", DEFAULT_FRONTIER_MODEL)
HINDI = Place(Zone.LOCAL, "local", "gemma3:4b")
LARGE = (TaskType.SUMMARY, TaskType.REASONING)
GPU2 = {"zone": "local", "kind": "openai", "base_url": "http://gpu2:8000/v1", "model": "llama3.3"}
BEDROCK = {"zone": "frontier", "kind": "openai", "base_url": "http://bedrock", "model": "nova"}

CONFIGS = {
    "default": a_config(),
    "hindi": a_config(languages={"hi": {"model": "gemma3:4b"}}),
    "local": a_config(
        tasks={task: {"engine": "local", "model": f"{task}-model"} for task in TaskType}
    ),
    "frontier": a_config(
        tasks={task: {"engine": "frontier", "model": f"big-{task}"} for task in TaskType},
        classifier={"model": "tiny"},
    ),
}


FOUND_OUT = (Finder.RULE, Finder.LEARNED, Finder.MODEL)


def expected(facts: Facts, name: str) -> Route:
    """The table of the design, spelled out: what is likely wrong begins at the frontier."""
    home = place_of(facts, name)
    doubtful = facts.found_by in FOUND_OUT and facts.confidence == 0.2
    if not doubtful or facts.stays or name == "local" or home.zone is Zone.FRONTIER:
        return Route((home,))
    return Route((FRONTIER_DEFAULT,), f"not sure what it is: {facts.task} at 0.20")


def place_of(facts: Facts, name: str) -> Place:
    """Where its task goes."""
    if name == "local":
        return Place(Zone.LOCAL, "local", f"{facts.task}-model")
    if name == "frontier":
        if facts.stays:
            return Place(Zone.LOCAL, "local", "tiny")
        return Place(Zone.FRONTIER, "frontier", f"big-{facts.task}")
    if facts.task in LARGE and not facts.stays:
        return FRONTIER_DEFAULT
    return HINDI if name == "hindi" and facts.language == "hi" else LOCAL_DEFAULT


ALL_FACTS = [
    Facts(task, found_by, confidence, language, tokens, scope, local_only, pinned)
    for task, found_by, confidence, language, tokens, scope, local_only, pinned in product(
        TaskType,
        Finder,
        (None, 0.2),
        (None, "en", "hi", "*", ""),
        (0, 10**6),
        Scope,
        (False, True),
        (False, True),
    )
]


@pytest.mark.parametrize("name", CONFIGS)
def test_the_whole_table(name):
    for facts in ALL_FACTS:
        assert route(facts, CONFIGS[name]) == expected(facts, name), facts


@pytest.mark.parametrize(
    ("found_by", "confidence", "doubt", "begins"),
    [
        (Finder.LEARNED, 0.49, 0.5, "frontier"),
        (Finder.LEARNED, 0.5, 0.5, "local"),
        (Finder.MODEL, 0.3, 0.5, "frontier"),
        (Finder.MODEL, None, 0.5, "local"),
        (Finder.RULE, 0.98, 0.99, "frontier"),
        (Finder.USER, 0.1, 0.5, "local"),
        (Finder.FALLBACK, 0.1, 0.5, "local"),
        (Finder.LEARNED, 0.0, 0.0, "local"),
    ],
)
def test_a_verdict_in_doubt_begins_where_reasoning_goes(found_by, confidence, doubt, begins):
    tasks = {"extraction": {"escalate": ["gpu2/m", "frontier/big"]}, "reasoning": {"model": "big"}}
    config = a_config(engines={"gpu2": GPU2}, tasks=tasks, classifier={"doubt": doubt})
    found = route(Facts(TaskType.EXTRACTION, found_by, confidence), config)
    assert (found.first.engine, found.reason is not None) == (begins, begins == "frontier")
    chain = ["gpu2/m"] if begins == "frontier" else ["gpu2/m", "frontier/big"]
    assert [str(place) for place in found.places[1:]] == chain


def test_what_is_in_doubt_stays_where_nothing_leaves_the_building():
    facts = Facts(TaskType.EXTRACTION, Finder.LEARNED, 0.1)
    assert route(facts, CONFIGS["local"]) == route(Facts(TaskType.EXTRACTION), CONFIGS["local"])
    kept = Facts(TaskType.EXTRACTION, Finder.LEARNED, 0.1, pinned=True)
    assert {place.zone for place in route(kept, a_config()).places} == {Zone.LOCAL}


@pytest.mark.parametrize(
    ("place", "stays", "chain"),
    [
        ("local/candidate", False, "local/candidate"),
        ("local/candidate", True, "local/candidate"),
        ("gpu2/x/y:7b", True, "gpu2/x/y:7b"),
        ("frontier/a/b", False, "frontier/a/b"),
        ("frontier/a/b", True, "local/phi4-mini"),
        ("gone/m", False, "local/phi4-mini frontier/big"),
    ],
)
def test_a_place_that_the_ask_names_alone_answers_unless_the_text_may_not_go_there(
    place, stays, chain
):
    config = a_config(engines={"gpu2": GPU2}, tasks={"extraction": {"escalate": "frontier/big"}},
                      languages={"hi": {"model": "gemma3:4b"}})  # fmt: skip
    language = None if "phi4" in chain else "hi"
    for confidence in (None, 0.1):
        found_by = Finder.USER if place.startswith("gone") else Finder.LEARNED
        facts = Facts(
            TaskType.EXTRACTION, found_by, confidence, language, pinned=stays, place=place
        )
        found = route(facts, config)
        assert (" ".join(map(str, found.places)), found.reason) == (chain, None)


# --- any configuration ----------------------------------------------------------------------------

MODELS = st.sampled_from(["a", "b", "anthropic/claude-sonnet-4-6", "stand-in/x"])
ENGINES = ("local", "frontier", "gpu2", "bedrock")
LANGUAGES = st.sampled_from(["hi", "en", "ta", "frontier"])
STEPS = st.one_of(
    st.sampled_from(ENGINES),
    st.tuples(st.sampled_from(ENGINES), MODELS).map("/".join),
)


@st.composite
def configs(draw: st.DrawFn) -> Config:
    """Any config that docmill.toml can say about engines, tasks, languages and the classifier."""
    tasks = {}
    for task in draw(st.sets(st.sampled_from(TaskType))):
        engine, model = draw(st.sampled_from(ENGINES)), draw(MODELS)
        steps = draw(st.lists(STEPS, max_size=4, unique=True))
        passed = {engine, f"{engine}/{model}"}
        tasks[task] = {
            "engine": engine,
            "model": model,
            "escalate": [step for step in steps if step not in passed],
        }
    speaks = st.fixed_dictionaries({"model": MODELS, "engine": st.sampled_from(["local", "gpu2"])})
    return a_config(
        engines={"gpu2": GPU2, "bedrock": BEDROCK},
        tasks=tasks,
        languages=draw(st.dictionaries(LANGUAGES, speaks)),
        classifier={"model": draw(MODELS)},
    )


FACTS = st.builds(
    Facts,
    task=st.sampled_from(TaskType),
    found_by=st.sampled_from(Finder),
    confidence=st.one_of(st.none(), st.floats(0, 1)),
    language=st.one_of(st.none(), LANGUAGES, st.text(max_size=3)),
    tokens=st.integers(0, 10**6),
    scope=st.sampled_from(Scope),
    local_only=st.booleans(),
    pinned=st.booleans(),
    place=st.one_of(st.none(), st.tuples(st.sampled_from(ENGINES), MODELS).map("/".join)),
)


@given(configs(), FACTS)
def test_text_that_stays_never_gets_a_place_outside_first_or_in_the_chain(config, facts):
    found = route(facts, config)
    if facts.stays:
        assert {place.zone for place in found.places} == {Zone.LOCAL}


@given(configs(), FACTS)
def test_a_place_is_an_engine_of_the_configuration_in_its_zone(config, facts):
    for place in route(facts, config).places:
        assert config.engines[place.engine].zone is place.zone
        assert place.model


@given(configs(), FACTS)
def test_no_place_is_asked_twice(config, facts):
    found = route(facts, config).places
    assert len(set(found)) == len(found) > 0


@given(configs(), FACTS)
def test_a_chain_is_followed_in_its_order(config, facts):
    facts = replace(facts, place=None)
    chosen = config.task(facts.task)
    chain = [chosen.engine, *(step.partition("/")[0] for step in chosen.escalate)]
    found = route(facts, config)
    asked = [place.engine for place in found.places]
    if not facts.stays and not found.reason and facts.language not in config.languages:
        assert asked[0] == chosen.engine
        merged = iter(chain)
        assert all(engine in merged for engine in asked), (asked, chain)


@given(configs(), FACTS)
def test_a_route_ends(config, facts):
    found = route(facts, config)
    steps = len(found.places)
    for step in range(steps):
        assert list(found.after(step)) == list(enumerate(found.places))[step + 1 :]
    assert list(found.after(steps + 5)) == []


@given(configs(), st.sampled_from(TaskType), LANGUAGES)
def test_a_language_model_stands_in_for_local_models_only(config, task, language):
    found = route(Facts(task, language=language), config).first
    chosen = config.task(task)
    if config.engines[chosen.engine].zone is Zone.FRONTIER:
        assert (found.engine, found.model) == (chosen.engine, chosen.model)
    elif language in config.languages:
        spoken = config.languages[language]
        assert (found.engine, found.model) == (spoken.engine, spoken.model)


@given(configs(), FACTS)
def test_every_place_that_a_job_may_be_sent_to_is_known_beforehand(config, facts):
    """So that there is a worker at its queue before the first job stands in it. What an ask names
    is served once a line is there."""
    facts = replace(facts, place=None)
    known = places(config)
    if facts.language in (None, *config.languages):
        assert set(route(facts, config).places) <= known
    assert {place.queue.stage for place in known} == {Stage.RUN}


# --- chains ---------------------------------------------------------------------------------------

ESCALATING = a_config(
    engines={"gpu2": GPU2, "frontier": {"model": "big"}},
    tasks={
        "extraction": {"escalate": ["gpu2", "gpu2/huge", "frontier", "frontier/other"]},
        "classification": {"escalate": "frontier"},
        "summary": {"escalate": "local"},
        "reasoning": {"model": "openai/o4-mini", "escalate": ["frontier/big", "gpu2"]},
    },
)


@pytest.mark.parametrize(
    ("task", "stays", "chain"),
    [
        (
            TaskType.EXTRACTION,
            False,
            "local/phi4-mini gpu2/llama3.3 gpu2/huge frontier/openai/o4-mini frontier/other",
        ),
        (TaskType.EXTRACTION, True, "local/phi4-mini gpu2/llama3.3 gpu2/huge"),
        (TaskType.CLASSIFICATION, False, "local/phi4-mini frontier/openai/o4-mini"),
        (TaskType.CLASSIFICATION, True, "local/phi4-mini"),
        (TaskType.SUMMARY, False, "frontier/big local/phi4-mini"),
        (TaskType.SUMMARY, True, "local/phi4-mini"),
        (TaskType.REASONING, False, "frontier/openai/o4-mini frontier/big gpu2/llama3.3"),
        (TaskType.REASONING, True, "local/phi4-mini gpu2/llama3.3"),
        (TaskType.SIMPLE_CODE, False, "local/phi4-mini"),
    ],
)
def test_where_a_bad_answer_goes_from_place_to_place(task, stays, chain):
    found = route(Facts(task, local_only=stays), ESCALATING)
    assert " ".join(map(str, found.places)) == chain


def test_a_frontier_task_kept_in_the_building_runs_on_the_extraction_model():
    config = a_config(tasks={"extraction": {"model": "good"}}, classifier={"model": "tiny"})
    for facts in (Facts(TaskType.REASONING, local_only=True), Facts(TaskType.SUMMARY, pinned=True)):
        assert route(facts, config).first.model == "good"


def test_the_language_goes_before_the_task_also_for_a_frontier_task_kept_in_the_building():
    facts = Facts(TaskType.SUMMARY, language="hi", pinned=True)
    assert route(facts, CONFIGS["hindi"]).first == HINDI


def test_an_engine_of_ones_own_beside_the_first_is_a_place_like_any_other():
    config = a_config(
        engines={"gpu2": GPU2}, tasks={"extraction": {"engine": "gpu2", "model": "llama3.3"}}
    )
    for stays in (False, True):
        first = route(Facts(TaskType.EXTRACTION, local_only=stays), config).first
        assert first == Place(Zone.LOCAL, "gpu2", "llama3.3")
        assert first.queue == Queue(Stage.RUN, "gpu2", "llama3.3")
        assert str(first) == first.queue.name == "gpu2/llama3.3"


def test_a_step_that_names_an_engine_stays_at_it_wherever_the_task_would_run_locally():
    config = a_config(
        engines={"gpu2": GPU2},
        tasks={
            "extraction": {"engine": "gpu2", "model": "large"},
            "summary": {"escalate": ["local", "gpu2"]},
        },
    )
    found = route(Facts(TaskType.SUMMARY), config).places
    assert [str(place) for place in found[1:]] == ["local/phi4-mini", "gpu2/large"]


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
        (
            {
                "summary": {"engine": "local", "model": "x"},
                "reasoning": {"engine": "local", "model": "x"},
                "simple_code": {"engine": "frontier", "model": "coder"},
            },
            "coder",
        ),
    ],
)
def test_the_frontier_model_is_the_one_that_reasons_or_any_that_a_frontier_task_names(tasks, model):
    assert frontier_model(a_config(tasks=tasks)) == model


EMBEDDED = Surroundings(has_embedded=lambda: True)


def test_a_stand_in_is_compared_to_the_model_in_whose_place_it_answers():
    config = resolve({"tasks": {"reasoning": {"model": "big"}}}, EMBEDDED, None)
    assert config.engines["frontier"].stand_in
    assert frontier_model(config) == "big"


def test_what_has_yet_to_be_classified_waits_in_the_classifiers_own_queue():
    config = a_config(engines={"gpu2": GPU2}, classifier={"engine": "gpu2", "model": "tiny"})
    assert classifier(config) == Queue(Stage.CLASSIFY, "gpu2", "tiny")
    assert classifier(config).name == "classify:gpu2/tiny"


# --- a new rule is an edit of one file ------------------------------------------------------------


CHAIN = route_module._chain


def hindi_code_goes_to_the_frontier(facts: Facts, config: Config) -> Iterator[Place]:
    """As somebody might write it into worker/route.py, and nowhere else."""
    if facts.task is TaskType.SIMPLE_CODE and facts.language == "hi":
        yield FRONTIER_DEFAULT
    yield from CHAIN(facts, config)


@pytest.mark.parametrize(
    ("language", "pinned", "engine"),
    [("hi", False, "frontier"), ("en", False, "local"), ("hi", True, "local")],
)
def test_a_new_rule_holds_for_a_given_task_and_for_auto_alike(
    monkeypatch, language, pinned, engine
):
    monkeypatch.setattr(route_module, "_chain", hindi_code_goes_to_the_frontier)
    ask = AskRow(5, "Write it.", None, TaskType.SIMPLE_CODE, Scope.CHUNK, ())
    facts = Facts(TaskType.SIMPLE_CODE, language=language, tokens=9, pinned=pinned)
    given = routed(facts, ask, a_config())
    row = {
        "id": 7,
        "language": language,
        "tokens": 9,
        "chunk_id": 1,
        "local_only": False,
        "pinned": pinned,
        "allow_provider_batch": False,
    }
    pair = Pair(
        row,
        {"text": "Write it.", "json_schema": None, "place": None, "examples": None, "prompt": None},
        a_config(),
        a_learned(),
    )
    auto = job_row(Sorted(pair, Verdict(TaskType.SIMPLE_CODE, Finder.MODEL)))
    assert given["engine"] == auto.engine == engine
    assert (given["zone"], given["model"]) == (auto.zone, auto.model)
    assert Place(auto.zone, auto.engine, auto.model) == route(facts, a_config()).first
    assert route(facts, a_config()).first in places(a_config())


def test_a_first_call_waits_for_a_providers_batch_where_policy_and_engine_have_it():
    tables = {"provider_batch": "openai", "batch_discount": "0.5"}
    config = Config.model_validate({"engines": {"frontier": tables}})
    allowed = Facts(TaskType.SUMMARY, allow_provider_batch=True)
    table = [
        (allowed, config, True),
        (Facts(TaskType.SUMMARY), config, False),
        (allowed, Config(), False),
        (replace(allowed, pinned=True), config, False),
        (replace(allowed, local_only=True), config, False),
        (replace(allowed, task=TaskType.EXTRACTION), config, False),
    ]
    for facts, by, expected in table:
        assert route(facts, by).bulk is expected, facts
