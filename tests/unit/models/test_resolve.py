"""What docmill.toml leaves open, by what a host sees around it and by what was decided before."""

import json
import tomllib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.config import Config
from models.config_file import checked_config
from models.engines import (
    DEFAULT_FRONTIER_MODEL,
    DEFAULT_FRONTIER_URL,
    DEFAULT_LOCAL_MODEL,
    DEFAULT_OLLAMA_URL,
    EMBEDDED_CONTEXT_TOKENS,
    EMBEDDED_MAX_TOKENS,
    EMBEDDED_MODEL,
    EMBEDDED_SLOTS,
    STAND_IN,
)
from models.errors import ConfigError, InputError
from models.resolve import (
    Surroundings,
    as_json,
    bare,
    differences,
    leaves,
    refuse_places,
    resolve,
    shareable,
)
from models.words import TaskType, Zone
from tests.factories import a_config

GPU, GATEWAY = "http://gpu:11434", "https://gateway.example/v1"
NOTHING = Surroundings()
EMBEDDED = Surroundings(has_embedded=lambda: True)
OLLAMA_HERE = Surroundings(ollama_answers=lambda: True, has_embedded=lambda: True)


def unasked() -> bool:
    raise AssertionError("something else decides; a look costs a second")


SAID = {
    "nothing": NOTHING,
    "embedded": EMBEDDED,
    "ollama": OLLAMA_HERE,
    "OLLAMA_HOST": Surroundings(ollama_host=GPU, ollama_answers=unasked, has_embedded=unasked),
    "key": replace(EMBEDDED, has_key=True),
    "FRONTIER_BASE_URL": replace(EMBEDDED, frontier_base_url=GATEWAY),
}
FILES = {
    "empty": "",
    "local": '[engines.local]\nurl = "http://file:11434"',
    "slots": "[engines.local]\nslots = 9",
    "vllm": '[engines.local]\nkind = "openai"\nbase_url = "http://vllm:8000/v1"',
    "embedded": '[engines.local]\nkind = "embedded"',
    "frontier": '[engines.frontier]\nbase_url = "https://file.example/v1"',
    "limits": "[engines.frontier]\nrpm = 60",
}
KNOWN = {
    "none": None,
    "ollama": a_config(engines={"local": {"url": "http://known:11434"}}),
    "embedded": resolve({}, EMBEDDED, None),
    "gateway": a_config(engines={"frontier": {"base_url": "https://known.example/v1"}}),
}


def file_of(name: str) -> dict[str, Any]:
    return tomllib.loads(FILES[name])


def engines(file: str, around: str, known: str) -> tuple[str, str]:
    """What the local and the frontier engine come to: an address, or what they are."""
    found = resolve(file_of(file), SAID[around], KNOWN[known]).engines
    return tuple(  # type: ignore[return-value]
        found[name].kind if found[name].kind == "embedded" else found[name].address
        for name in ("local", "frontier")
    )


GW = DEFAULT_FRONTIER_URL


@pytest.mark.parametrize(
    ("file", "around", "known", "local", "frontier"),
    [
        # nothing was decided before
        ("empty", "nothing", "none", DEFAULT_OLLAMA_URL, GW),
        ("empty", "embedded", "none", "embedded", "embedded"),
        ("empty", "ollama", "none", DEFAULT_OLLAMA_URL, GW),
        ("empty", "OLLAMA_HOST", "none", GPU, GW),
        ("empty", "key", "none", "embedded", GW),
        ("empty", "FRONTIER_BASE_URL", "none", "embedded", GATEWAY),
        # the file says it
        ("local", "embedded", "none", "http://file:11434", GW),
        ("local", "OLLAMA_HOST", "none", "http://file:11434", GW),
        ("slots", "embedded", "none", DEFAULT_OLLAMA_URL, GW),
        ("slots", "OLLAMA_HOST", "none", GPU, GW),
        ("vllm", "OLLAMA_HOST", "none", "http://vllm:8000/v1", GW),
        ("embedded", "nothing", "none", "embedded", "embedded"),
        ("embedded", "OLLAMA_HOST", "none", "embedded", "embedded"),
        ("embedded", "key", "none", "embedded", GW),
        ("frontier", "embedded", "none", "embedded", "https://file.example/v1"),
        ("frontier", "FRONTIER_BASE_URL", "none", "embedded", "https://file.example/v1"),
        ("limits", "embedded", "none", "embedded", GW),
        ("limits", "FRONTIER_BASE_URL", "none", "embedded", GATEWAY),
        # it was decided before: a host that sees something else changes nothing by itself
        ("empty", "embedded", "ollama", "http://known:11434", GW),
        ("empty", "ollama", "embedded", "embedded", "embedded"),
        ("empty", "nothing", "embedded", "embedded", "embedded"),
        ("empty", "nothing", "gateway", DEFAULT_OLLAMA_URL, "https://known.example/v1"),
        # it was decided before, and the operator says something else now
        ("empty", "OLLAMA_HOST", "embedded", GPU, GW),
        ("local", "embedded", "embedded", "http://file:11434", GW),
        ("empty", "key", "embedded", "embedded", GW),
        ("empty", "FRONTIER_BASE_URL", "gateway", DEFAULT_OLLAMA_URL, GATEWAY),
        ("embedded", "nothing", "gateway", "embedded", "https://known.example/v1"),
    ],
)
def test_which_engines_answer(file, around, known, local, frontier):
    assert engines(file, around, known) == (local, frontier)


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("around", SAID)
@pytest.mark.parametrize("known", KNOWN)
def test_what_is_resolved_stays_so(file, around, known):
    """A second process with the same file and surroundings writes no new number."""
    found = resolve(file_of(file), SAID[around], KNOWN[known])
    again = resolve(file_of(file), SAID[around], found)
    assert again == found
    assert differences(again, found, file_of(file)) == []


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("around", SAID)
@pytest.mark.parametrize("known", KNOWN)
def test_every_configuration_is_read_back_from_postgres_as_it_was_written(file, around, known):
    found = resolve(file_of(file), SAID[around], KNOWN[known])
    assert checked_config(json.loads(json.dumps(as_json(found))), "configuration 1") == found


def test_text_that_stays_has_somewhere_to_stay_in_every_configuration():
    for file in FILES:
        for around in SAID.values():
            found = resolve(file_of(file), around, None)
            assert found.engines["local"].zone is Zone.LOCAL
            assert found.engines[found.classifier.engine].zone is Zone.LOCAL


def test_a_wrong_file_is_refused_by_its_name():
    with pytest.raises(ConfigError, match=r"docmill\.toml: unknown key 'speed'"):
        resolve({"speed": 1}, NOTHING, None)


@pytest.mark.parametrize(
    ("file", "model"),
    [({}, "gemma3:4b"), ({"engines": {"local": {"model": "mistral-small"}}}, "mistral-small")],
)
def test_one_word_names_the_local_model_of_all_tasks_and_the_file_has_the_last(file, model):
    around = Surroundings(ollama_host="gpu:11434", local_model="gemma3:4b")
    for known in (None, resolve({}, Surroundings(ollama_host="gpu:11434"), None)):
        found = resolve(file, around, known)
        named = {found.task(task).model for task in TaskType if found.task(task).engine == "local"}
        assert {found.engines["local"].model, found.classifier.model, *named} == {model}


# --- the embedded model ---------------------------------------------------------------------------


def test_whatever_runs_on_the_embedded_model_runs_on_its_one_model():
    found = resolve({}, EMBEDDED, None)
    local, frontier = found.engines["local"], found.engines["frontier"]
    assert (local.slots, local.context_tokens, local.short_answers) == (
        EMBEDDED_SLOTS,
        EMBEDDED_CONTEXT_TOKENS,
        True,
    )
    assert frontier.stand_in
    assert not local.stand_in
    assert found.classifier.model == EMBEDDED_MODEL
    for task, chosen in found.tasks.items():
        stands_in = found.engines[chosen.engine].stand_in
        assert chosen.model == (STAND_IN if stands_in else "") + EMBEDDED_MODEL
        assert chosen.max_tokens <= EMBEDDED_MAX_TOKENS[task]


def test_a_chain_never_goes_on_to_the_embedded_model():
    """The same model would answer the same again."""
    file = {"tasks": {"extraction": {"escalate": ["frontier"]}, "summary": {"escalate": ["local"]}}}
    found = resolve(file, EMBEDDED, None)
    assert {chosen.escalate for chosen in found.tasks.values()} == {()}
    with_key = resolve(file, SAID["key"], None)
    assert with_key.task(TaskType.EXTRACTION).escalate == ("frontier",)
    assert with_key.task(TaskType.SUMMARY).escalate == ()


def test_languages_have_no_model_of_their_own_on_the_embedded_engine():
    file = {"languages": {"hi": {"model": "gemma3:4b"}}}
    assert resolve(file, EMBEDDED, None).languages == {}
    assert set(resolve(file, OLLAMA_HERE, None).languages) == {"hi"}


def test_a_stand_in_keeps_the_name_of_the_model_that_savings_are_compared_to():
    assert resolve({}, EMBEDDED, None).engines["frontier"].model == DEFAULT_FRONTIER_MODEL
    file = {"tasks": {"reasoning": {"model": "acme/big"}}}
    assert resolve(file, EMBEDDED, None).engines["frontier"].model == "acme/big"


def test_what_the_machine_costs_stays_when_the_embedded_model_takes_an_engines_place():
    file = {"engines": {"local": {"kind": "embedded", "usd_per_hour": "1.95"}}}
    assert str(resolve(file, NOTHING, None).engines["local"].usd_per_hour) == "1.95"


def test_an_installation_that_gets_an_ollama_gets_its_models_too():
    found = resolve({}, SAID["OLLAMA_HOST"], KNOWN["embedded"])
    assert found.task(TaskType.EXTRACTION).model == DEFAULT_LOCAL_MODEL
    assert not found.engines["frontier"].stand_in


# --- secrets --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://gpu:11434", "http://gpu:11434"),
        ("http://user:pw@gpu:11434/v1?x=1", "http://gpu:11434/v1?x=1"),
        ("https://user@gateway/v1", "https://gateway/v1"),
        ("http://user:p@w@gpu", "http://gpu"),
        ("http://user:p/w@gpu/v1", "http://gpu/v1"),
        ("http://user:p?w#@gpu/v1", "http://gpu/v1"),
        ("user:pw@gpu:11434", "gpu:11434"),
        ("http://user:pw@[::1]:80", "http://[::1]:80"),
        ("http://user:pw@[broken", "http://[broken"),
        ("gpu", "gpu"),
        ("", ""),
    ],
)
def test_an_address_without_its_user_and_password(address, shown):
    assert bare(address) == shown


SIGNS = st.text("abc:/@#?[]%. ", max_size=12)


@given(SIGNS, st.text("xyz", min_size=6, max_size=12), SIGNS, st.sampled_from(["http://", ""]))
def test_no_password_is_left_whatever_signs_are_in_it(user, password, more, scheme):
    assert password not in bare(f"{scheme}{user}:{password}{more}@gpu:11434")


def test_users_and_passwords_of_addresses_are_kept_in_no_table():
    around = Surroundings(
        ollama_host="http://u:secret1@gpu:11434", frontier_base_url="https://u:secret2@gw/v1"
    )
    gpu2 = {"zone": "local", "kind": "openai", "base_url": "http://u:secret3@gpu2/v1"}
    file = {"engines": {"gpu2": gpu2}}
    found = resolve(file, around, None)
    assert "secret" not in json.dumps(as_json(found))
    assert "secret" not in json.dumps(shareable(file))
    assert found.engines["local"].url == "http://gpu:11434"
    assert file["engines"]["gpu2"]["base_url"] == "http://u:secret3@gpu2/v1", "it is left as it was"


def test_what_the_file_says_is_kept_as_json_with_its_dates():
    file = tomllib.loads(
        '[prices.m]\ninput_per_mtok = "1"\noutput_per_mtok = "2"\nfrom = 2026-01-01'
    )
    assert shareable(file)["prices"]["m"]["from"] == "2026-01-01"


# --- batch APIs of providers ----------------------------------------------------------------------

OPENAI, ROUTER = "https://api.openai.com/v1", "https://openrouter.ai/api/v1"


@pytest.mark.parametrize(
    ("engine", "known"),
    [
        ({"kind": "openai", "base_url": OPENAI}, "openai"),
        ({"kind": "openai", "base_url": "https://API.openai.com:443/v1/"}, "openai"),
        ({"kind": "openai", "base_url": "https://me:word@api.openai.com/v1"}, "openai"),
        ({"kind": "openai", "base_url": ROUTER}, "openrouter"),
        ({"kind": "openai", "base_url": ROUTER, "provider_batch": "openai"}, "openai"),
        ({"kind": "openai", "base_url": GATEWAY}, None),
        ({"kind": "openai", "base_url": GATEWAY, "provider_batch": "openrouter"}, "openrouter"),
        ({"kind": "openai", "base_url": "https://api.openai.com.example/v1"}, None),
        ({"kind": "openai", "base_url": "https://example/?api.openai.com"}, None),
        ({"kind": "openai", "base_url": "http://[::1"}, None),
        ({"kind": "openai"}, None),
        ({"kind": "anthropic"}, "anthropic"),
        ({"kind": "anthropic", "base_url": "https://gateway.example"}, None),
        ({"kind": "anthropic", "base_url": OPENAI}, None),
        ({"kind": "ollama", "url": "https://api.openai.com"}, None),
    ],
)
def test_a_providers_batch_api_is_known_by_its_address_unless_the_file_says_it(engine, known):
    found = resolve({"engines": {"gateway": {"zone": "frontier", **engine}}}, NOTHING, None)
    assert found.engines["gateway"].provider_batch == known


def test_a_batch_api_that_follows_from_an_address_is_as_much_a_hosts_own_as_that():
    there = resolve({}, replace(NOTHING, frontier_base_url=ROUTER), None)
    here = resolve({}, replace(NOTHING, frontier_base_url=OPENAI), None)
    assert differing(here, there) == []
    assert differing(here, there, engines={"frontier": {"base_url": OPENAI}}) == [
        f"engines.frontier.base_url: {OPENAI} here, {ROUTER} there",
        "engines.frontier.provider_batch: openai here, openrouter there",
    ]
    before = a_config(engines={"frontier": {"base_url": OPENAI}})
    assert differing(here, before) == [
        "engines.frontier.provider_batch: openai here, nothing there"
    ], "what was written before this was known is written anew"


# --- differences ----------------------------------------------------------------------------------


def differing(here: Config, there: Config, **file: Any) -> list[str]:
    return [str(one) for one in differences(here, there, file)]


def test_two_configurations_differ_key_by_key():
    here = a_config(
        tasks={"extraction": {"model": "larger", "escalate": "frontier"}},
        limits={"usd_per_day": "25"},
        prices={"acme/big 2": {"input_per_mtok": "1", "output_per_mtok": "2"}},
    )
    assert differing(here, Config()) == [
        "limits.usd_per_day: 25 here, nothing there",
        'prices."acme/big 2".input_per_mtok: 1 here, nothing there',
        'prices."acme/big 2".output_per_mtok: 2 here, nothing there',
        "tasks.extraction.escalate: ['frontier'] here, nothing there",
        "tasks.extraction.model: larger here, phi4-mini there",
    ]
    assert differing(Config(), Config()) == []
    rupees = {"currency": "INR", "usd_rate": "88.70"}
    assert differing(a_config(display=rupees), Config()) == [], "each host shows money as it likes"


def test_where_an_engine_is_found_is_each_hosts_own_unless_its_file_says_it():
    here = a_config(engines={"local": {"url": "http://here:11434"}})
    assert differing(here, Config()) == []
    said = {"local": {"url": "http://here:11434"}}
    assert differing(here, Config(), engines=said) == [
        f"engines.local.url: http://here:11434 here, {DEFAULT_OLLAMA_URL} there"
    ]


def test_an_engine_of_another_kind_is_no_matter_of_where_it_is_found():
    here = a_config(engines={"local": {"kind": "openai", "base_url": "http://vllm"}})
    keys = [line.partition(":")[0] for line in differing(here, Config())]
    assert keys == [
        "engines.local.base_url",
        "engines.local.keep_alive",
        "engines.local.kind",
        "engines.local.url",
    ]


def test_an_engine_that_only_one_of_them_has_is_a_difference_with_its_address():
    here = a_config(engines={"gpu2": {"zone": "local", "kind": "ollama", "url": "http://gpu2"}})
    assert "engines.gpu2.url: http://gpu2 here, nothing there" in differing(here, Config())


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"a": {"b": 1}}, {"a.b": 1}),
        ({"a b": {"c.d": "x"}}, {'"a b"."c.d"': "x"}),
        ({"a": {}, "b": [], "c": None, "d": 0, "e": False}, {"d": 0, "e": False}),
        ({"a": ["x", "y"]}, {"a": ["x", "y"]}),
        ({"a": {'q"': 1}}, {'a."q\\""': 1}),
    ],
)
def test_what_a_configuration_says_key_by_key(value, said):
    assert dict(leaves(value)) == said


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("gpu9/m", "gpu9/m: there is no engine 'gpu9'; there are: frontier, local"),
        ("local", "local: a model is named as ENGINE/MODEL"),
        ("local/gpt-oss:120b-cloud", "it runs on the maker's servers, not on this Ollama"),
    ],
)
def test_a_model_that_an_ask_names_must_be_one_that_can_be_asked(place, said):
    config = resolve({}, Surroundings(has_key=True), None)
    refuse_places([None, "local/anything:7b", "frontier/any/model-cloud"], config)
    with pytest.raises(InputError, match=said):
        refuse_places([None, place], config)


def test_the_embedded_engine_is_asked_for_its_one_model_by_its_own_name():
    config = resolve({}, Surroundings(has_embedded=lambda: True), None)
    refuse_places(["local/gemma-3-270m", "frontier/stand-in/gemma-3-270m"], config)
    with pytest.raises(InputError, match=r"the embedded engine serves local/gemma-3-270m$"):
        refuse_places(["local/phi4-mini"], config)


# --- its adapter ----------------------------------------------------------------------------------

TUNED = "gemma-3-270m+aaaaaaaa"


def digest_of(said: str | None) -> str:
    """None: the one that ships."""
    return "" if said == "" else ("a" if said is None else said) * 64


WITH_ADAPTERS = replace(EMBEDDED, adapter_digest=digest_of)


def test_jobs_of_an_embedded_engine_run_on_the_model_that_is_named_after_its_adapter():
    found = resolve({}, WITH_ADAPTERS, None)
    assert found.task(TaskType.EXTRACTION).model == TUNED
    assert found.classifier.model == EMBEDDED_MODEL, "no adapter is trained to find task types"
    for engine in ("local", "frontier"):
        prefix = STAND_IN if engine == "frontier" else ""
        refuse_places([f"{engine}/{prefix}{name}" for name in (TUNED, EMBEDDED_MODEL)], found)
    with pytest.raises(InputError, match=r"serves local/gemma-3-270m\+aaaaaaaa and local/gemma"):
        refuse_places(["local/gemma-3-270m+bbbbbbbb"], found)


def test_the_adapter_that_ships_is_for_what_it_does_better_and_ones_own_for_all():
    shipped = resolve({}, WITH_ADAPTERS, None)
    assert shipped.task(TaskType.CLASSIFICATION).model == TUNED
    assert shipped.task(TaskType.SUMMARY).model == STAND_IN + EMBEDDED_MODEL
    own = {"engines": {"local": {"kind": "embedded", "adapter": "b"}}}
    found = resolve({**own, "tasks": {"summary": {"engine": "local"}}}, WITH_ADAPTERS, None)
    assert found.task(TaskType.SUMMARY).model == "gemma-3-270m+bbbbbbbb"


@pytest.mark.parametrize(
    ("adapter", "model"), [("", EMBEDDED_MODEL), ("b", "gemma-3-270m+bbbbbbbb")]
)
def test_an_adapter_is_turned_off_or_another_for_the_engine_and_what_it_stands_in_for(
    adapter, model
):
    file = {"engines": {"local": {"kind": "embedded", "adapter": adapter}}}
    for known in (None, resolve({}, WITH_ADAPTERS, None)):
        found = resolve(file, WITH_ADAPTERS, known)
        assert found.task(TaskType.EXTRACTION).model == model
        assert found.task(TaskType.SUMMARY).model == STAND_IN + model


def test_another_file_in_the_adapters_place_is_another_configuration():
    before = resolve({}, WITH_ADAPTERS, None)
    now = resolve({}, replace(EMBEDDED, adapter_digest=lambda said: "c" * 64), before)
    assert now.task(TaskType.EXTRACTION).model == "gemma-3-270m+cccccccc"
    assert "engines.local.adapter_digest" in {one.key for one in differences(now, before, {})}


def test_an_adapter_is_the_embedded_engines_alone():
    with pytest.raises(ConfigError, match=r"unknown key 'engines\.local\.adapter'"):
        resolve({"engines": {"local": {"adapter": "x.gguf"}}}, NOTHING, None)


def test_only_a_model_that_was_tuned_without_examples_is_asked_without_them():
    found = resolve({}, WITH_ADAPTERS, None).engines["local"]
    assert [found.carries_examples(name) for name in (TUNED, EMBEDDED_MODEL)] == [False, True]
    file = {"engines": {"local": {"models": {"invoices": {"examples": False}}}}}
    ollama = resolve(file, NOTHING, None).engines["local"]
    assert [ollama.carries_examples(name) for name in ("invoices", "phi4-mini")] == [False, True]
