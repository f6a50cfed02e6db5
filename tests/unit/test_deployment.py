"""How a host reaches the engines of the configuration: by which address, with which key."""

import sys
from pathlib import Path
from typing import Any

import pytest

from models.adapter import adapter_digest
from models.config import Config
from models.configuration import Configuration
from models.engines import DEFAULT_OLLAMA_URL, EMBEDDED, EMBEDDED_MODEL, tuned_name
from models.errors import ConfigError, NoKey
from models.settings import Settings
from models.words import Zone
from tests.factories import a_config
from tests.lora import write_lora
from worker import deployment as deployment_module
from worker.deployment import Deployment, deploy, deployments, describe
from worker.llm import kinds
from worker.llm.ollama.engine import OllamaEngine
from worker.llm.openai.engine import OpenAIEngine

KEY = "sk-very-secret"
EVERYWHERE = frozenset(Zone)

SEVERAL = a_config(
    engines={
        "gpu2": {"zone": "local", "kind": "openai", "base_url": "http://gpu2:8000/v1"},
        "vault": {
            "zone": "local",
            "kind": "openai",
            "base_url": "http://vault:9000",
            "key_env": "VAULT_KEY",
        },
        "other": {"zone": "frontier", "kind": "openai", "base_url": "https://other.example/v1"},
    }
)


def reached(
    name: str,
    config: Config = SEVERAL,
    own: Config | None = None,
    **around: Any,
) -> Deployment:
    return deploy(name, config, own, Settings(**around))


@pytest.fixture(autouse=True)
def with_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """This host has the frontier's key."""
    monkeypatch.setenv("FRONTIER_API_KEY", KEY)


@pytest.fixture
def without_key(with_key: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has none."""
    monkeypatch.delenv("FRONTIER_API_KEY")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[Any, ...], dict[str, Any]]]:
    """The clients that were made, and with what."""
    seen: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def noted(name: str) -> Any:
        return lambda *args, **more: seen.append((name, args, more))

    monkeypatch.setattr(kinds, "OllamaEngine", noted("ollama"))
    monkeypatch.setattr(kinds, "OpenAIEngine", noted("openai"))
    monkeypatch.setattr(kinds, "ReplicateEngine", noted("replicate"))
    monkeypatch.setattr(kinds, "EmbeddedEngine", noted("embedded"))
    monkeypatch.setattr(
        kinds.server,
        "attach_llama",
        lambda home, adapter, digest: f"{home}/llama {adapter} {digest[:8]}".strip(),
    )
    return seen


# --- addresses ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "around", "host"),
    [
        (None, None, "configured:11434"),
        (None, "http://env:11434", "env:11434"),
        ({"url": "http://own:11434"}, None, "own:11434"),
        ({"url": "http://own:11434"}, "env", "env:11434"),
        ({"kind": "openai", "base_url": "http://own:8000"}, None, "configured:11434"),
        ({"slots": 2, "url": "http://own:1"}, None, "own:1"),
    ],
)
def test_the_environment_goes_before_this_hosts_docmill_toml_and_that_before_the_configuration(
    own, around, host
):
    config = a_config(engines={"local": {"url": "http://configured:11434"}})
    mine = a_config(engines={"local": own}) if own else None
    assert reached("local", config, mine, ollama_host=around).host == host


@pytest.mark.parametrize(
    ("own", "around", "host"),
    [
        (None, None, "api.aicredits.in"),
        (None, "https://env.example/v1", "env.example"),
        ({"base_url": "https://own.example/v1"}, None, "own.example"),
        ({"base_url": "https://own.example/v1"}, "https://env.example/v1", "env.example"),
    ],
)
def test_the_same_holds_for_the_frontier(own, around, host):
    mine = a_config(engines={"frontier": own}) if own else None
    assert reached("frontier", SEVERAL, mine, frontier_base_url=around).host == host


def test_the_environment_speaks_of_the_two_engines_that_it_names_and_of_no_other():
    around = {"ollama_host": "http://env:11434", "frontier_base_url": "https://env.example/v1"}
    assert reached("gpu2", **around).host == "gpu2:8000"
    assert reached("other", **around).host == "other.example"


def test_an_address_of_an_ollama_is_none_of_an_engine_of_another_kind():
    config = a_config(engines={"local": {"kind": "openai", "base_url": "http://vllm:8000/v1"}})
    assert reached("local", config, ollama_host="http://env:11434").host == "vllm:8000"


def test_ollamas_address_is_read_as_people_write_it():
    assert reached("local", ollama_host="gpu").host == "gpu:11434"
    assert reached("local", ollama_host="0.0.0.0").host == "127.0.0.1:11434"
    assert f"http://{reached('local').host}" == DEFAULT_OLLAMA_URL


@pytest.mark.parametrize(
    ("engine", "field"), [({"kind": "ollama"}, "url"), ({"kind": "openai"}, "base_url")]
)
def test_an_engine_without_an_address_says_which_key_is_missing(engine, field):
    config = a_config(engines={"gpu9": {"zone": "local", **engine}})
    with pytest.raises(ConfigError, match=rf"engines\.gpu9: kind {engine['kind']} needs {field}"):
        reached("gpu9", config)


def bedrock(**keys: Any) -> Config:
    return a_config(engines={"aws": {"kind": "bedrock", **keys}})


def test_bedrock_is_where_its_region_is_unless_an_endpoint_is_named(monkeypatch):
    at = "bedrock-runtime.{}.amazonaws.com".format
    assert reached("aws", bedrock(region="ap-south-1")).host == at("ap-south-1")
    vpc = {"region": "ap-south-1", "endpoint_url": "https://vpce-1.example"}
    assert reached("aws", bedrock(**vpc)).host == "vpce-1.example"
    own = bedrock(endpoint_url="https://own.example")
    assert reached("aws", bedrock(region="ap-south-1"), own).host == "own.example"
    with pytest.raises(ConfigError, match="region"):
        reached("aws", bedrock())
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert reached("aws", bedrock()).host == at("eu-west-1")


@pytest.mark.parametrize("address", ["http://u:se/cret@gpu", "gpu", "//"])
def test_an_address_that_is_no_url_is_refused_without_a_word_of_its_password(address):
    config = a_config(engines={"gpu9": {"zone": "local", "kind": "openai", "base_url": address}})
    with pytest.raises(ConfigError) as caught:
        reached("gpu9", config)
    assert "engines.gpu9" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "cret@" not in str(caught.value)


def test_the_host_of_the_receipt_holds_no_user_and_no_password():
    url = "https://user:secret@gateway.example:8443/v1?x=1"
    assert reached("frontier", frontier_base_url=url).host == "gateway.example:8443"


# --- keys -----------------------------------------------------------------------------------------


def test_the_frontiers_key_is_sent_to_the_frontier_and_to_no_other_engine(made, monkeypatch):
    monkeypatch.setenv("VAULT_KEY", "vault-key")
    for name in SEVERAL.engines:
        reached(name).make()
    keys = {args[0]: args[1] for kind, args, _ in made if kind == "openai"}
    assert keys == {
        "https://api.aicredits.in/v1": KEY,
        "https://other.example/v1": None,
        "http://gpu2:8000/v1": None,
        "http://vault:9000": "vault-key",
    }
    assert KEY not in str([call for call in made if call[0] == "ollama"])


@pytest.mark.usefixtures("without_key")
def test_without_its_key_the_frontier_is_not_reached_and_it_is_said_how_to_give_it():
    with pytest.raises(NoKey) as caught:
        reached("frontier", frontier_base_url="https://u:pw@gw.example/v1")
    said = str(caught.value)
    assert "set FRONTIER_API_KEY (or AICREDITS_API_KEY, or OPENAI_API_KEY)" in said
    assert "engines.frontier.key_env" in said
    assert "gw.example" in said
    assert "pw" not in said


@pytest.mark.parametrize("value", [None, "", "  "])
def test_an_engine_whose_variable_holds_no_key_is_not_reached(monkeypatch, value):
    if value is not None:
        monkeypatch.setenv("VAULT_KEY", value)
    with pytest.raises(
        NoKey, match="engine vault has no API key here for http://vault:9000: set VAULT_KEY"
    ):
        reached("vault")


CLAUDE = a_config(
    engines={
        "frontier": {"kind": "anthropic"},
        "claude": {"zone": "frontier", "kind": "anthropic", "base_url": "https://gw.example/v1/"},
        "mine": {"zone": "frontier", "kind": "anthropic", "key_env": "VAULT_KEY"},
        "inside": {"zone": "local", "kind": "anthropic", "base_url": "http://gpu"},
    }
)


def test_the_usual_address_of_a_kind_counts_less_than_one_that_was_configured(monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "claude-key")
    claude = {"zone": "frontier", "kind": "anthropic"}
    for stated, host in (({}, "gw.example"), ({"base_url": "https://own.example"}, "own.example")):
        own = a_config(engines={"claude": {**claude, **stated}})
        assert reached("claude", CLAUDE, own).host == host


def test_the_usual_variable_of_a_provider_holds_its_key_and_no_other_does(monkeypatch):
    seen = {}
    monkeypatch.setattr(
        "worker.llm.anthropic.engine.AnthropicEngine",
        lambda url, key, **more: seen.update({url: (key, more["proxied"])}),
    )
    monkeypatch.setenv("ANTHROPIC_API_KEY", "claude-key")
    monkeypatch.setenv("VAULT_KEY", "vault-key")
    for name in ("frontier", "claude", "inside"):
        reached(name, CLAUDE).make()
    assert seen == {
        "https://api.anthropic.com": ("claude-key", True),
        "https://gw.example": ("claude-key", True),
        "http://gpu": (None, False),
    }
    reached("mine", CLAUDE).make()
    assert seen["https://api.anthropic.com"] == ("vault-key", True)


@pytest.mark.parametrize("value", [None, " "])
def test_without_that_variable_it_is_named(monkeypatch, value):
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("ANTHROPIC_API_KEY", value)
    for name in ("frontier", "claude"):
        with pytest.raises(NoKey, match=rf"{name} .*set ANTHROPIC_API_KEY, or .*{name}\.key_env"):
            reached(name, CLAUDE)


HOSTED = a_config(
    engines={
        "frontier": {"kind": "replicate"},
        "hosted": {"kind": "replicate"},
        "theirs": {"kind": "replicate", "key_env": "VAULT_KEY"},
    }
)


def test_a_kind_with_a_variable_of_its_own_finds_its_key_there_and_not_the_frontiers(
    made, monkeypatch
):
    monkeypatch.setenv("REPLICATE_API_TOKEN", " r8_token\n")
    monkeypatch.setenv("VAULT_KEY", "vault-key")
    for name in ("frontier", "hosted", "theirs"):
        reached(name, HOSTED).make()
    assert [args[1] for _, args, _ in made] == ["r8_token", "r8_token", "vault-key"]


@pytest.mark.parametrize("name", ["frontier", "hosted"])
def test_without_that_variable_it_is_not_reached_and_it_is_said_which(name, monkeypatch):
    monkeypatch.delenv("REPLICATE_API_TOKEN", raising=False)
    said = f"engine {name} has no API key here .*set REPLICATE_API_TOKEN"
    with pytest.raises(NoKey, match=said):
        reached(name, HOSTED)


@pytest.mark.usefixtures("without_key")
def test_a_frontier_that_speaks_as_an_ollama_does_needs_no_key():
    config = a_config(engines={"frontier": {"kind": "ollama", "url": "https://gpu.example"}})
    assert reached("frontier", config).host == "gpu.example"


@pytest.mark.usefixtures("without_key")
def test_an_engine_of_ones_own_needs_no_key():
    for name in ("local", "gpu2"):
        assert reached(name).name == name


# --- clients --------------------------------------------------------------------------------------


def test_what_is_in_the_building_goes_to_its_address_and_through_no_proxy(made):
    for name in ("gpu2", "frontier"):
        reached(name).make()
    proxied = {args[0]: more["proxied"] for _, args, more in made}
    assert proxied == {"http://gpu2:8000/v1": False, "https://api.aicredits.in/v1": True}


def test_a_client_has_the_time_limit_of_its_engine(made):
    config = a_config(
        engines={
            "local": {"timeout_s": 7, "keep_alive": "5m"},
            "gpu2": {"zone": "local", "kind": "openai", "base_url": "http://g", "timeout_s": 8},
        }
    )
    for name in ("local", "gpu2"):
        reached(name, config).make()
    assert [more["timeout_s"] for _, _, more in made] == [7, 8]
    assert made[0][2]["keep_alive"] == "5m"


@pytest.mark.usefixtures("without_key")
def test_the_embedded_model_is_started_when_its_client_is_made_and_not_before(made, tmp_path):
    config = a_config(engines={"local": {"kind": "embedded"}})
    found = reached("local", config, docmill_home=tmp_path)
    assert (found.host, made) == (EMBEDDED, [])
    found.make()
    [(kind, args, more)] = made
    assert (kind, args) == ("embedded", (f"{tmp_path}/llama None",))
    assert more["models"] == (EMBEDDED_MODEL,)


def test_its_adapter_is_served_beside_the_bare_model_and_a_stand_in_is_known_by_the_plain_names(
    made, tmp_path
):
    adapter = write_lora(tmp_path / "own.gguf", strength=0.0)
    table = {"kind": "embedded", "adapter": str(adapter)}
    table["adapter_digest"] = digest = adapter_digest(str(adapter))
    config = a_config(engines={"local": table, "frontier": table})
    for name in ("local", "frontier"):
        reached(name, config, docmill_home=tmp_path).make()
    tuned = tuned_name(digest)
    for _, args, more in made:
        assert args == (f"{tmp_path}/llama {adapter} {digest[:8]}",)
        assert more["models"] == (tuned, EMBEDDED_MODEL)
    assert tuned == f"{EMBEDDED_MODEL}+{digest[:8]}"


async def test_bedrock_is_asked_with_its_own_key_before_all_else(monkeypatch):
    signed = []
    monkeypatch.setattr(kinds, "BedrockEngine", lambda address, sign, **_: signed.append(sign))
    config = bedrock(region="ap-south-1", key_env="MY_BEDROCK_KEY")

    def authorization() -> str:
        reached("aws", config).make()
        return signed[-1]("GET", "https://b.example/", b"")["Authorization"]

    monkeypatch.setenv("MY_BEDROCK_KEY", "mine")
    assert authorization() == "Bearer mine"
    config = bedrock(region="ap-south-1")
    assert authorization().startswith("AWS4-HMAC-SHA256 Credential=AKIADUMMY")
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "awss")
    assert authorization() == "Bearer awss"


def test_without_boto3_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    monkeypatch.delitem(sys.modules, "worker.llm.bedrock.signing", raising=False)
    found = reached("aws", bedrock(region="ap-south-1"))
    with pytest.raises(ConfigError, match=r"pip install 'docmill\[bedrock\]'"):
        found.make()


async def test_the_clients_are_real_ones():
    for name, kind in (("local", OllamaEngine), ("gpu2", OpenAIEngine)):
        engine = reached(name).make()
        assert type(engine) is kind
        await engine.close()


@pytest.mark.parametrize(
    ("name", "config", "limited", "stand_in"),
    [
        ("local", SEVERAL, False, False),
        ("gpu2", SEVERAL, False, False),
        ("frontier", SEVERAL, True, False),
        ("other", SEVERAL, True, False),
        ("frontier", a_config(engines={"frontier": {"kind": "embedded"}}), False, True),
        ("local", a_config(engines={"local": {"kind": "embedded"}}), False, False),
    ],
)
def test_what_is_not_ones_own_is_limited_and_the_embedded_model_at_the_frontier_stands_in(
    name, config, limited, stand_in
):
    found = reached(name, config)
    assert (found.limited, found.stand_in) == (limited, stand_in)
    assert found.zone is config.engines[name].zone


# --- all of them ----------------------------------------------------------------------------------


def all_reached(zones: frozenset[Zone], *chosen: str) -> Any:
    return deployments(SEVERAL, zones, None, Settings(), chosen=frozenset(chosen))


def test_a_pool_reaches_the_engines_of_its_zones_or_those_that_are_chosen():
    assert set(all_reached(frozenset({Zone.LOCAL}))) == {"local", "gpu2", "vault"}
    assert set(all_reached(frozenset({Zone.FRONTIER}))) == {"frontier", "other"}
    assert set(all_reached(EVERYWHERE)) == set(SEVERAL.engines)
    assert set(all_reached(EVERYWHERE, "gpu2")) == {"gpu2"}
    assert all_reached(frozenset()) == {}


@pytest.mark.usefixtures("without_key")
def test_why_an_engine_is_not_reached_keeps_no_other_from_being_reached():
    found = all_reached(EVERYWHERE)
    assert {name for name, one in found.items() if isinstance(one, NoKey)} == {"vault", "frontier"}
    assert {name for name, one in found.items() if isinstance(one, Deployment)} == {
        "local",
        "gpu2",
        "other",
    }


def test_an_engine_that_there_is_not_or_not_in_this_pool_is_refused_by_name():
    for zones, chosen in ((EVERYWHERE, "gpu7"), (frozenset({Zone.LOCAL}), "frontier")):
        with pytest.raises(ConfigError, match=f"there is no engine {chosen} for this pool"):
            all_reached(zones, chosen)


# --- what the commands that start workers are told ------------------------------------------------


@pytest.fixture
def applied(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Makes a configuration the one that counts."""

    def apply(config: Config) -> None:
        monkeypatch.setattr(deployment_module, "applied", lambda: Configuration(1, {}, config))

    return apply


def test_what_this_host_would_run(applied):
    applied(SEVERAL)
    assert describe() == {
        "local": "phi4-mini at 127.0.0.1:11434",
        "frontier": "anthropic/claude-sonnet-4-6 at api.aicredits.in",
        "problem": None,
    }


def test_a_frontier_model_is_named_at_the_frontier_and_no_other(applied):
    applied(a_config(tasks={"summary": {"engine": "local", "model": "small"}}))
    assert describe()["frontier"] == "anthropic/claude-sonnet-4-6 at api.aicredits.in"


@pytest.mark.usefixtures("without_key")
def test_a_host_without_a_key_runs_the_local_pool_and_says_why_not_the_other(applied):
    applied(SEVERAL)
    found = describe()
    assert (found["local"], found["frontier"]) == ("phi4-mini at 127.0.0.1:11434", None)
    assert "set FRONTIER_API_KEY" in found["problem"]
    assert KEY not in str(found)


def test_a_host_that_reaches_no_local_engine_runs_nothing(applied):
    applied(a_config(engines={"local": {"kind": "openai", "base_url": "gpu"}}))
    with pytest.raises(ConfigError, match=r"engines\.local"):
        describe()
