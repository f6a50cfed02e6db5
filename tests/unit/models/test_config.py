import re
import tomllib
import warnings
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from models.config import FRONTIER_TASKS, MAX_TOKENS, BuiltIn, Config, PinConfig
from models.config_file import checked_config, explain, load_config
from models.engines import (
    DEFAULT_FRONTIER_MODEL,
    DEFAULT_FRONTIER_URL,
    DEFAULT_LOCAL_MODEL,
    DEFAULT_OLLAMA_URL,
    AnthropicConfig,
    ModelLimits,
    OpenAIConfig,
)
from models.errors import ConfigError
from models.reading import SeenBy
from models.words import TaskType, Zone

EXAMPLE = """
[engines.local]
kind = "ollama"            # ollama | openai
url = "http://127.0.0.1:11434"
slots = 4                  # requests in flight; match OLLAMA_NUM_PARALLEL
usd_per_hour = 1.95        # optional: prices GPU time
[engines.frontier]
kind = "openai"
base_url = "https://api.aicredits.in/v1"
rpm = 500
tpm = 200000
max_in_flight = 32
[engines.gpu2]
zone = "local"
kind = "openai"                 # vLLM or llama-server
base_url = "http://10.0.0.7:8000/v1"
[tasks.extraction]
engine = "local"
model = "phi4-mini"
escalate = ["gpu2/llama3.3:70b", "frontier/anthropic/claude-sonnet-4-6"]
[tasks.classification]
escalate = "frontier"
[tasks.summary]
engine = "frontier"
model = "anthropic/claude-sonnet-4-6"
[languages.hi]             # a model per language, where one is better: gemma3 for Indian languages
model = "gemma3:4b"
[classifier]
model = "phi4-mini"
[retention]
days = 90
[prices."anthropic/claude-sonnet-4-6"]   # only to override the price library; dated
input_per_mtok = "3"
output_per_mtok = "15"
from = 2026-01-01
"""


def loaded(tmp_path: Path, toml: str) -> Config:
    path = tmp_path / "some.toml"
    path.write_text(toml, "utf-8")
    return load_config(path)


def refused(tmp_path: Path, toml: str) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, toml)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{tmp_path / 'some.toml'}: ") for line in lines)
    return str(caught.value)


def test_the_documented_example_means_what_it_says(tmp_path):
    config = loaded(tmp_path, EXAMPLE)
    local, frontier = config.engines["local"], config.engines["frontier"]
    assert (local.kind, local.address, local.slots) == ("ollama", "http://127.0.0.1:11434", 4)
    assert local.usd_per_hour == Decimal("1.95")
    assert (frontier.kind, frontier.address) == ("openai", "https://api.aicredits.in/v1")
    assert (frontier.rpm, frontier.tpm, frontier.max_in_flight) == (500, 200_000, 32)
    assert config.engines["gpu2"].zone is Zone.LOCAL
    assert config.task(TaskType.EXTRACTION).escalate == (
        "gpu2/llama3.3:70b",
        "frontier/anthropic/claude-sonnet-4-6",
    )
    assert config.task(TaskType.CLASSIFICATION).escalate == ("frontier",)
    assert config.task(TaskType.SUMMARY).model == DEFAULT_FRONTIER_MODEL
    assert config.languages["hi"].model == "gemma3:4b"
    assert config.retention.days == 90
    assert config.prices[DEFAULT_FRONTIER_MODEL].from_ == date(2026, 1, 1)
    assert config.prices[DEFAULT_FRONTIER_MODEL].input_per_mtok == Decimal(3)


def test_a_missing_file_and_an_empty_one_are_the_defaults(tmp_path):
    missing = load_config(tmp_path / "nowhere/docmill.toml")
    assert missing == loaded(tmp_path, "") == Config()


@pytest.mark.parametrize("task", TaskType)
def test_every_task_type_has_a_place_by_default(task):
    chosen = Config().task(task)
    assert chosen.engine == ("frontier" if task in FRONTIER_TASKS else "local")
    assert chosen.model == Config().engines[chosen.engine].model
    assert chosen.max_tokens == MAX_TOKENS[task]
    assert chosen.escalate == ()


def test_a_model_of_a_local_engine_may_be_shown_pages(tmp_path):
    assert loaded(tmp_path, "").reading.seen_by is None
    config = loaded(tmp_path, '[reading]\nocr = "local/hf.co/x/see:7b"')
    assert config.reading.seen_by == SeenBy("local", "hf.co/x/see:7b")


def test_batches_are_kept_until_somebody_deletes_them_unless_a_time_is_given():
    assert Config().retention.days is None


# --- engines --------------------------------------------------------------------------------------


def test_two_engines_are_there_without_being_configured_each_in_the_zone_of_its_name():
    engines = Config().engines
    assert {name: one.zone for name, one in engines.items()} == {
        "local": Zone.LOCAL,
        "frontier": Zone.FRONTIER,
    }
    assert engines["local"].address == DEFAULT_OLLAMA_URL
    assert engines["local"].model == DEFAULT_LOCAL_MODEL
    assert engines["frontier"].address == DEFAULT_FRONTIER_URL
    assert engines["frontier"].model == DEFAULT_FRONTIER_MODEL


def test_several_engines_stand_in_either_zone(tmp_path):
    config = loaded(
        tmp_path,
        """
        [engines.gpu2]
        zone = "local"
        kind = "ollama"
        url = "http://gpu2:11434"
        [engines."vllm.1"]
        zone = "local"
        kind = "openai"
        base_url = "http://vllm:8000/v1"
        key_env = "VLLM_KEY"
        model = "llama3.3:70b"
        [engines.bedrock]
        zone = "frontier"
        kind = "openai"
        base_url = "https://bedrock.example"
        """,
    )
    assert set(config.in_zone(Zone.LOCAL)) == {"local", "gpu2", "vllm.1"}
    assert set(config.in_zone(Zone.FRONTIER)) == {"frontier", "bedrock"}
    assert config.engines["vllm.1"].key_env == "VLLM_KEY"
    assert config.engines["gpu2"].slots == 4


def test_a_partial_engine_keeps_its_other_defaults(tmp_path):
    config = loaded(tmp_path, "[engines.frontier]\nrpm = 60")
    frontier = config.engines["frontier"]
    assert (frontier.rpm, frontier.kind, frontier.address) == (60, "openai", DEFAULT_FRONTIER_URL)
    assert (frontier.max_in_flight, frontier.context_tokens) == (32, 128_000)
    assert config.engines["local"] == Config().engines["local"]


def test_a_kind_of_one_provider_has_an_address_and_a_model_of_its_own(tmp_path):
    for toml in (
        '[engines.frontier]\nkind = "anthropic"',
        '[engines.claude]\nzone = "frontier"\nkind = "anthropic"',
    ):
        *_, engine = loaded(tmp_path, toml).engines.values()
        assert engine == AnthropicConfig(zone=Zone.FRONTIER)
        assert (engine.address, engine.model) == ("https://api.anthropic.com", "claude-sonnet-4-6")
        assert engine.context_tokens == 200_000


def test_an_engine_of_another_kind_keeps_nothing_of_the_first_but_its_zone_and_model(tmp_path):
    toml = '[engines.local]\nkind = "openai"\nbase_url = "http://llama:8080/v1"'
    local = loaded(tmp_path, toml).engines["local"]
    assert local == OpenAIConfig(
        zone=Zone.LOCAL, base_url="http://llama:8080/v1", model=DEFAULT_LOCAL_MODEL
    )


def test_a_model_has_limits_of_its_own_beside_its_engines(tmp_path):
    toml = """
        [engines.frontier]
        rpm = 500
        [engines.frontier.models."acme/big"]
        rpm = 20
        tpm = 9000
        max_in_flight = 2
        """
    models = loaded(tmp_path, toml).engines["frontier"].models
    assert models == {"acme/big": ModelLimits(rpm=20, tpm=9000, max_in_flight=2)}


@pytest.mark.parametrize("window_s", [1, 10, 59])
def test_a_window_holds_a_request_of_the_smallest_limit(tmp_path, window_s):
    limits = f'rpm = 600\nwindow_s = {window_s}\n[engines.frontier.models."m"]\nrpm = 1'
    message = refused(tmp_path, f"[engines.frontier]\n{limits}")
    assert "less than one request in a window; make window_s 60 or more" in message


# --- tasks ----------------------------------------------------------------------------------------


def test_a_partial_task_keeps_its_other_defaults(tmp_path):
    toml = '[tasks.summary]\nmodel = "other"\n[tasks.extraction]\nmax_tokens = 9'
    config = loaded(tmp_path, toml)
    assert config.task(TaskType.SUMMARY).engine == "frontier"
    assert config.task(TaskType.SUMMARY).model == "other"
    assert config.task(TaskType.EXTRACTION).model == "phi4-mini"
    assert config.task(TaskType.EXTRACTION).max_tokens == 9
    assert config.task(TaskType.REASONING) == Config().task(TaskType.REASONING)


def test_a_task_that_names_an_engine_and_no_model_has_that_engines(tmp_path):
    toml = """
        [engines.gpu2]
        zone = "local"
        kind = "ollama"
        url = "http://gpu2:11434"
        model = "llama3.3"
        [tasks.extraction]
        engine = "gpu2"
        [classifier]
        engine = "gpu2"
        """
    config = loaded(tmp_path, toml)
    assert config.task(TaskType.EXTRACTION).model == config.classifier.model == "llama3.3"


def test_a_task_whose_engine_has_no_model_has_to_name_one(tmp_path):
    engine = '[engines.gpu2]\nzone = "local"\nkind = "ollama"\nurl = "http://gpu2"'
    message = refused(tmp_path, f'{engine}\n[tasks.extraction]\nengine = "gpu2"')
    assert "tasks.extraction.model" in message
    assert "required" in message.lower()


def test_partial_limits_keep_their_other_defaults(tmp_path):
    limits = loaded(tmp_path, "[limits]\npages = 7").limits
    assert limits.pages == 7
    assert limits.file_mb == Config().limits.file_mb


def test_a_display_currency_is_off_unless_it_is_given_with_its_rate(tmp_path):
    assert loaded(tmp_path, "").display is None
    toml = '[display]\ncurrency = "INR"\nusd_rate = "88.70"'
    chosen = loaded(tmp_path, toml).display
    assert chosen is not None
    assert (chosen.currency, chosen.usd_rate, chosen.as_of) == ("INR", Decimal("88.70"), None)
    dated = loaded(tmp_path, f"{toml}\nas_of = 2026-11-01").display
    assert dated is not None
    assert dated.as_of == date(2026, 11, 1)


@pytest.mark.parametrize(
    ("toml", "key", "allowed"),
    [
        ("speed = 1", "speed", ["engines", "tasks", "languages", "classifier", "limits", "prices"]),
        ("[retention]\nhours = 1", "retention.hours", ["days"]),
        (
            "[engines.frontier.models.m]\nspeed = 1",
            "engines.frontier.models.m.speed",
            ["rpm", "tpm", "max_in_flight"],
        ),
        ("[engines.local]\nspeed = 1", "engines.local.speed", ["kind", "url", "slots", "rpm"]),
        ("[engines.local.models.m]\nslots = 1", "engines.local.models.m.slots", ["rpm", "tpm"]),
        ('[tasks.summary]\nmodle = "x"', "tasks.summary.modle", ["engine", "model", "escalate"]),
        ('[languages.hi]\nmodle = "x"', "languages.hi.modle", ["model"]),
        ("[classifier]\nmodle = 1", "classifier.modle", ["model", "engine", "fallback"]),
        ("[chunks]\nsize = 1", "chunks.size", ["tokens"]),
        ("[limits]\nsize = 1", "limits.size", ["file_mb", "pages", "attempts"]),
        ("[prices.m]\ninput = 1", "prices.m.input", ["input_per_mtok", "output_per_mtok", "from"]),
        ("[display]\nrate = 1", "display.rate", ["currency", "usd_rate", "as_of"]),
    ],
)
def test_an_unknown_key_is_named_with_those_that_are_allowed(tmp_path, toml, key, allowed):
    message = refused(tmp_path, toml)
    line = next(line for line in message.splitlines() if "unknown key" in line)
    assert f"unknown key '{key}'" in line
    names = line.partition("allowed here: ")[2].split(", ")
    assert set(allowed) <= set(names)
    assert "from_" not in names


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('[engines.remote]\nkind = "ollama"', ["engines.remote.zone", "required"]),
        ('[engines.remote]\nzone = "moon"\nkind = "ollama"', ["engines.remote.zone", "'local'"]),
        ('[engines.local]\nkind = "tgi"', ["engines.local.kind", "ollama, openai", "'tgi'"]),
        ('[engines.gpu]\nzone = "local"', ["engines.gpu.kind", "ollama, openai"]),
        (
            '[engines.aws]\nkind = "bedrock"\nzone = "local"',
            ["engines.aws.zone", "never in the building"],
        ),
        (
            '[engines.local]\nkind = "bedrock"',
            ["engines.local.zone", "do not call the engine local"],
        ),
        ('[engines.local]\nkind = "anthropic"', ["engines.local.base_url", "zone local"]),
        ('[engines.aws]\nkind = "bedrock"\nregion = "x.evil/"', ["engines.aws.region", "x.evil/"]),
        (
            '[engines.aws]\nkind = "bedrock"\nprovider_batch = "bedrock"',
            ["engines.aws", 'provider_batch = "bedrock" needs batch_s3', "and batch_role (the ARN"],
        ),
        (
            '[engines.aws]\nkind = "bedrock"\nprovider_batch = "bedrock"\n'
            'batch_s3 = "s3://pile/docmill"',
            ["engines.aws", 'provider_batch = "bedrock" needs batch_role'],
        ),
        (
            '[engines.aws]\nkind = "bedrock"\nbatch_s3 = "s3://pile/"',
            ["engines.aws.batch_s3", "s3://pile/"],
        ),
        ('[engines.local]\nbase_url = "x"', ["unknown key 'engines.local.base_url'", "url, keep"]),
        ('[engines."a b"]\nzone = "local"\nkind = "ollama"', ["engines.a b", "1 to 63 letters"]),
        ('[engines."a/b"]\nzone = "local"\nkind = "ollama"', ["engines.a/b", "1 to 63 letters"]),
        (
            '[engines.hosted]\nzone = "local"\nkind = "replicate"',
            ["engines.hosted.zone", "never in the building"],
        ),
        ('[engines.hosted]\nkind = "replicate"\nurl = "x"', ["engines.hosted.url", "base_url"]),
        ('[engines.local]\nzone = "frontier"', ["engines.local.zone", "another name"]),
        ('[engines.frontier]\nzone = "local"', ["engines.frontier.zone", "another name"]),
        ('[tasks.poetry]\nmodel = "x"', ["tasks.poetry", "'extraction'", "'reasoning'"]),
        (
            '[tasks.summary]\nengine = "moon"',
            ["tasks.summary.engine", "no engine 'moon'", "frontier, local"],
        ),
        (
            '[tasks.extraction]\nescalate = ["moon/x"]',
            ["tasks.extraction.escalate", "no engine 'moon'", "frontier, local"],
        ),
        ('[classifier]\nengine = "moon"', ["classifier.engine", "no engine 'moon'"]),
        ('[languages.hi]\nmodel = "x"\nengine = "moon"', ["languages.hi.engine", "'moon'"]),
        ('[classifier]\nengine = "frontier"', ["classifier.engine", "not in zone local"]),
        (
            '[languages.hi]\nmodel = "x"\nengine = "frontier"',
            ["languages.hi.engine", "not in zone local"],
        ),
        ('[classifier]\nfallback = "poetry"', ["classifier.fallback", "'poetry'"]),
        ('[tasks.summary]\nmodel = ""', ["tasks.summary.model", "''"]),
        (
            '[tasks.summary]\nescalate = "frontier"',
            ["tasks.summary.escalate", "been asked"],
        ),
        ('[tasks.simple_code]\nescalate = "local"', ["tasks.simple_code.escalate", "been asked"]),
        (
            '[tasks.extraction]\nescalate = ["frontier", "local/phi4-mini"]',
            ["tasks.extraction.escalate: local/phi4-mini"],
        ),
        (
            '[tasks.extraction]\nescalate = ["frontier", "frontier"]',
            ["tasks.extraction.escalate: frontier"],
        ),
        (
            '[engines.gpu2]\nzone = "local"\nkind = "ollama"\nurl = "http://g"\n'
            '[tasks.extraction]\nescalate = "gpu2"',
            ["tasks.extraction.escalate: engines.gpu2 names no model; write gpu2/MODEL"],
        ),
        ('[reading]\nocr = "eyes"', ["reading.ocr", "auto, off, rapidocr", "local/qwen2.5vl:7b"]),
        ('[reading]\nocr = "moon/see"', ["reading.ocr", "no engine 'moon'"]),
        ('[reading]\nocr = "frontier/see"', ["reading.ocr", "never leave the building"]),
        ('[reading]\nocr = "local/see-cloud"', ["reading.ocr", "maker's servers"]),
        (
            '[engines.local]\nkind = "embedded"\n[reading]\nocr = "local/see"',
            ["reading.ocr", "kind embedded cannot be shown pages"],
        ),
        ("[retention]\ndays = 0", ["retention.days", "greater than 0"]),
        ("[engines.local]\nslots = 0", ["engines.local.slots", "greater than 0", "found 0"]),
        ('[engines.local]\nslots = "many"', ["engines.local.slots", "auto", "found 'many'"]),
        ("[engines.local]\nmax_slots = 0", ["engines.local.max_slots", "greater than 0"]),
        ("[engines.local]\nusd_per_hour = -1", ["engines.local.usd_per_hour", "found -1"]),
        ("[chunks]\ntokens = 10", ["chunks.tokens", "50"]),
        ("[limits]\nattempts = 0", ["limits.attempts"]),
        ('[prices.m]\ninput_per_mtok = "nan"\noutput_per_mtok = "1"', ["prices.m.input_per_mtok"]),
        ('[prices.m]\ninput_per_mtok = "1"', ["prices.m.output_per_mtok", "required"]),
        ('[display]\ncurrency = "INR"', ["display.usd_rate", "required"]),
        ('[display]\nusd_rate = "88.70"', ["display.currency", "required"]),
        ('[display]\ncurrency = "INR"\nusd_rate = 0', ["display.usd_rate", "greater than 0"]),
        ('[display]\ncurrency = "INR"\nusd_rate = "nan"', ["display.usd_rate", "finite"]),
        ('[display]\ncurrency = "inr"\nusd_rate = 1', ["display.currency", "capital", "'inr'"]),
        ('[display]\ncurrency = "₹"\nusd_rate = 1', ["display.currency", "ISO 4217", "'₹'"]),
        ('[display]\ncurrency = "USD"\nusd_rate = 1', ["display.currency", "other than USD"]),
        (
            '[display]\ncurrency = "INR"\nusd_rate = 1\nas_of = "May"',
            ["display.as_of", "found 'May'"],
        ),
        ("engines = 3", ["engines", "found 3"]),
        ("[tasks]\nextraction = 3", ["tasks.extraction", "found 3"]),
        ("x = [", ["Invalid value"]),
    ],
)
def test_a_wrong_value_is_named_with_what_was_found_or_is_allowed(tmp_path, toml, said):
    message = refused(tmp_path, toml)
    assert all(words in message for words in said), message


def test_every_problem_is_named_at_once(tmp_path):
    message = refused(tmp_path, "speed = 1\n[limits]\npages = 0\n[chunks]\ntokens = 1")
    assert len(message.splitlines()) == 3


def test_a_file_that_is_not_text_is_refused(tmp_path):
    path = tmp_path / "docmill.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"docmill\.toml"):
        load_config(path)


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="directory"):
        load_config(tmp_path)


VALUES = st.recursive(
    st.one_of(st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just("local")),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(
            st.sampled_from(
                ["engines", "tasks", "prices", "local", "summary", "kind", "model", "from", "x", ""]
            ),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*Config.model_fields, "x"]), VALUES, max_size=4))
def test_no_file_makes_it_stumble(raw):
    try:
        config = Config.model_validate(raw)
    except ValidationError as exc:
        problems = explain(exc)
    else:
        problems = ["none"]
        assert set(config.tasks) == set(TaskType)
        assert {"local", "frontier"} <= set(config.engines)
    assert problems
    assert all(problems)


def test_the_example_is_toml_without_a_key_of_its_own():
    assert set(tomllib.loads(EXAMPLE)) <= set(Config.model_fields)


def test_a_missing_file_that_was_named_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        load_config(tmp_path / "mine.toml")


PINS = r"""
[pin]
patterns = ["pan", "aadhaar", "ifsc", "card", "email", "phone"]
[pin.own]
"matter number" = 'M-\d{6}'
"""


def test_pins_are_off_unless_configured_and_mean_what_they_say(tmp_path):
    assert Config().pin == PinConfig(patterns=(), own={})
    pin = loaded(tmp_path, PINS).pin
    assert pin.patterns == get_args(BuiltIn)
    assert pin.own == {"matter number": r"M-\d{6}"}


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('patterns = ["pan", "iban"]', ["pin.patterns.1", "'pan', 'aadhaar'", "found 'iban'"]),
        ("patterns = 'pan'", ["pin.patterns", "found 'pan'"]),
        ("speed = 1", ["unknown key 'pin.speed'", "allowed here: patterns, own, scans"]),
        ("own.file = '(M-'", ["pin.own.file: not a regular expression", "missing )", "'(M-'"]),
        ("own.file = '*'", ["pin.own.file: not a regular expression", "nothing to repeat"]),
        ("own.file = 'a{9999999999}'", ["pin.own.file: not a regular expression"]),
        ("own.file = ''", ["pin.own.file: matches the empty string"]),
        (r"own.file = '\d*'", ["pin.own.file: matches the empty string", r"found '\\d*'"]),
        ("own.file = 'a|$'", ["pin.own.file: matches the empty string"]),
        ("own.file = 3", ["pin.own.file", "found 3"]),
        ("own.pan = 'a'", ["pin.own.pan: is the name of a built-in pattern"]),
        ("own.'a, b' = 'a'", ["pin.own.a, b: a name has 1 to 64", "no comma"]),
        ("own.'' = 'a'", ["pin.own.: a name has 1 to 64", "found ''"]),
        (f"own.{'x' * 65} = 'a'", [f"pin.own.{'x' * 65}: a name has 1 to 64"]),
        ("own.\"a\\tb\" = 'a'", ["pin.own", "a name has 1 to 64 printable"]),
    ],
)
def test_a_wrong_pin_is_named_with_what_is_wrong(tmp_path, toml, said):
    message = refused(tmp_path, f"[pin]\n{toml}")
    assert len(message.splitlines()) == 1
    assert all(words in message for words in said), message


def test_every_wrong_own_pattern_is_named_at_once(tmp_path):
    message = refused(tmp_path, "[pin.own]\na = '('\nb = ''\nemail = 'x'\nfine = 'x'")
    assert len(message.splitlines()) == 3


@pytest.mark.parametrize("name", ["x", "x" * 64, "केस संख्या", "Matter no. (old)"])
def test_an_own_pattern_may_have_any_printable_name(tmp_path, name):
    assert loaded(tmp_path, f"[pin.own]\n'{name}' = 'x'").pin.own == {name: "x"}


@given(st.text(max_size=12))
def test_an_own_pattern_is_a_regular_expression_or_an_error_that_names_it(pattern):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # Python may read "[[" otherwise one day
        try:
            pin = PinConfig(own={"file": pattern})
        except ValidationError as exc:
            problems = explain(exc)
        else:
            problems = []
            assert re.compile(pin.own["file"]).search("") is None
    assert all(line.startswith("own.file: ") for line in problems)


@pytest.mark.parametrize(
    ("toml", "key"),
    [
        ('[tasks.extraction]\nmodel = "gpt-oss:120b-cloud"', "tasks.extraction.model"),
        ('[tasks.summary]\nescalate = "local/gpt-oss:120b-cloud"', "tasks.summary.escalate"),
        ('[engines.local]\nmodel = "gpt-oss:120b-cloud"', "engines.local.model"),
        ('[classifier]\nmodel = "glm-4.6:cloud"', "classifier.model"),
        ('[languages.hi]\nmodel = "qwen3:480b-cloud"', "languages.hi.model"),
    ],
)
def test_a_model_that_ollama_passes_on_to_its_maker_is_no_local_model(tmp_path, toml, key):
    path = tmp_path / "docmill.toml"
    path.write_text(toml)
    with pytest.raises(ConfigError, match=f"{key}: .* runs on the maker's servers"):
        load_config(path)


def test_an_unknown_key_names_those_of_its_own_section():
    for section, known in (("escalation", "share, cost_usd"), ("retention", "days")):
        with pytest.raises(ConfigError, match=f"unknown key '{section}.x'; allowed here: {known}"):
            checked_config({section: {"x": 1}}, "docmill.toml")
