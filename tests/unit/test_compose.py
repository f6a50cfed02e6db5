"""docker-compose.yml, Dockerfile and .env.example against the program that they run.

No container engine is needed: what can be wrong without one is a name that no longer exists, a
number that no longer fits, and a promise of isolation that somebody edited away.
"""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from models.config import Config, LimitsConfig
from models.config_file import load_config
from models.engines import DEFAULT_LOCAL_MODEL, LOCAL
from models.settings import Settings
from models.words import Pool
from producer.cli.app import app
from worker.__main__ import _parser
from worker.llm.kinds import KINDS
from worker.settings import GRACE_S, PRESENCE_S, SILENCE_S
from worker.wiring import READERS

ROOT = Path(__file__).parents[2]
COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text("utf-8")
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
FILLED_IN = {"POSTGRES_PASSWORD": "pw1", "REDIS_PASSWORD": "pw2", "FRONTIER_API_KEY": "sk-3"}

CONNECT_S = 5
"""How long `python -m worker alive` waits for Postgres."""

VARIABLE = re.compile(r"\$\$|\$\{(?P<name>\w+)(?:(?P<how>:-|:\?)(?P<rest>[^}]*))?\}|\$\w+")


def interpolate(value: Any, env: dict[str, str]) -> Any:
    """What Compose makes of ${NAME}, ${NAME:-default}, ${NAME:?message} and $$."""

    def put(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        given = env.get(found["name"], "")
        if found["how"] == ":?" and not given:
            raise LookupError(f"{found['name']}: {found['rest']}")
        return given or (found["rest"] or "" if found["how"] == ":-" else "")

    match value:
        case dict():
            return {key: interpolate(item, env) for key, item in value.items()}
        case list():
            return [interpolate(item, env) for item in value]
        case str():
            return VARIABLE.sub(put, value)
        case _:
            return value


def env_file() -> dict[str, str]:
    """What .env.example sets."""
    lines = (ROOT / ".env.example").read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


RAW: dict[str, Any] = yaml.safe_load(COMPOSE_TEXT)
COMPOSE: dict[str, Any] = interpolate(RAW, env_file() | FILLED_IN)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: one for name, one in SERVICES.items() if one["image"].startswith("docmill")}
WORKERS = {name: one for name, one in OURS.items() if one["command"][0] == "worker"}
MODEL_SERVERS = {name: one for name, one in SERVICES.items() if one["image"].startswith("ollama/")}


def parsed(words: list[str]) -> Any:
    """The command that these words name, with its parameters; nothing is run."""
    command: Any = typer.main.get_command(app)
    context = command.context_class(command, info_name="docmill")
    while hasattr(command, "resolve_command"):
        name, command, words = command.resolve_command(context, words)
        context = command.context_class(command, info_name=name, parent=context)
    return command.make_context(name, list(words), parent=context)


def worker_commands(words: list[str]) -> Any:
    """What `python -m worker` makes of these words; nothing is run."""
    return _parser().parse_args(words)


def seconds(duration: str) -> int:
    """60s -> 60."""
    return int(duration.removesuffix("s"))


def mebibytes(size: str) -> int:
    """5g -> 5120."""
    return int(size[:-1]) * {"m": 1, "g": 1024}[size[-1]]


def memory(service: dict[str, Any]) -> int:
    """The memory limit of a service, in MiB."""
    return mebibytes(service["deploy"]["resources"]["limits"]["memory"])


def readable_names() -> set[str]:
    """Every environment variable that Docmill reads."""
    names = {name.upper() for name in Settings.__annotations__}
    return names | secret_names()


def secret_names() -> set[str]:
    """Every environment variable that usually holds a key."""
    return {name for kind in KINDS.values() for name in kind.key_names}


def internal(network: str) -> bool:
    """Whether a network has no route out of the machine."""
    return bool(COMPOSE["networks"][network].get("internal", False))


# --- the file by itself ---------------------------------------------------------------------------


def test_every_name_that_a_service_refers_to_exists():
    for service in SERVICES.values():
        assert set(service["networks"]) <= set(COMPOSE["networks"])
        named_volumes = {v.split(":")[0] for v in service.get("volumes", []) if isinstance(v, str)}
        assert named_volumes <= set(COMPOSE["volumes"])
        assert set(service.get("depends_on", {})) <= set(SERVICES)


def test_every_network_and_volume_is_used():
    used = {network for service in SERVICES.values() for network in service["networks"]}
    assert used == set(COMPOSE["networks"])
    assert all(f"{volume}:/" in COMPOSE_TEXT for volume in COMPOSE["volumes"])


def test_who_waits_for_health_waits_for_a_service_that_checks_it():
    for service in SERVICES.values():
        for other, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other], other
            if how["condition"] == "service_completed_successfully":
                assert SERVICES[other]["restart"] == "no", other


def test_nothing_that_is_always_started_waits_for_what_is_started_on_request_only():
    for name, service in SERVICES.items():
        for other in service.get("depends_on", {}):
            needed = set(SERVICES[other].get("profiles", []))
            assert needed <= set(service.get("profiles", [])), (name, other)


def test_images_are_pinned_to_a_version():
    for service in SERVICES.values():
        assert re.search(r":(\d|local$)", service["image"]), service["image"]
    assert SERVICES["postgres"]["image"].startswith("postgres:18")


def test_a_worker_is_well_while_it_says_that_its_loops_go_round():
    for service in WORKERS.values():
        program, option, module, command = service["healthcheck"]["test"][1:]
        assert (program, option, module) == ("python", "-m", "worker")
        assert worker_commands([command]).command == command
        assert seconds(service["healthcheck"]["timeout"]) > CONNECT_S
    assert SILENCE_S > 3 * PRESENCE_S


def test_the_pages_health_check_compiles():
    program, option, code = OURS["web"]["healthcheck"]["test"][1:]
    assert (program, option) == ("python", "-c")
    compile(code, "healthcheck", "exec")


# --- against .env.example -------------------------------------------------------------------------


def test_every_variable_of_the_compose_file_is_explained_in_the_env_example():
    found = {match["name"] for match in VARIABLE.finditer(COMPOSE_TEXT) if match["name"]}
    assert found == set(env_file()) - {"COMPOSE_PROFILES"}  # that one is Compose's own


def test_the_env_example_itself_sets_no_password_and_no_key():
    assert {name: env_file()[name] for name in FILLED_IN} == dict.fromkeys(FILLED_IN, "")


@pytest.mark.parametrize("name", ["POSTGRES_PASSWORD", "REDIS_PASSWORD"])
def test_without_its_passwords_nothing_starts(name):
    uses = [found["how"] for found in VARIABLE.finditer(COMPOSE_TEXT) if found["name"] == name]
    assert set(uses) == {":?"}
    with pytest.raises(LookupError, match=f"{name}: set it in .env"):
        interpolate(RAW, env_file() | FILLED_IN | {name: ""})


def test_two_passwords_are_all_that_has_to_be_set():
    alone = {name: FILLED_IN[name] for name in ("POSTGRES_PASSWORD", "REDIS_PASSWORD")}
    assert interpolate(RAW, alone)["services"].keys() == SERVICES.keys()
    for name, value in env_file().items():
        if value and name != "COMPOSE_PROFILES":
            assert f"${{{name}:-{value}}}" in COMPOSE_TEXT, "the example shows the default"


def test_profiles_that_the_env_example_switches_on_exist():
    known = {profile for service in SERVICES.values() for profile in service.get("profiles", [])}
    assert set(env_file()["COMPOSE_PROFILES"].split(",")) <= known


# --- against the program --------------------------------------------------------------------------


@pytest.mark.parametrize("name", OURS)
def test_every_command_is_one_that_docmill_has(name):
    assert parsed(OURS[name]["command"]).command.name


def test_a_command_that_docmill_does_not_have_would_be_noticed():
    for wrong in (["worker", "nowhere"], ["web", "--porte", "1"], ["db", "upgade"], ["serve"]):
        with pytest.raises(Exception, match=r"nowhere|porte|upgade|serve"):
            parsed(wrong)


def test_every_pool_but_all_has_a_service():
    served = [parsed(one["command"]).params["pool"].value for one in WORKERS.values()]
    assert sorted(served) == sorted(set(Pool) - {Pool.ALL})


def test_docmill_reads_every_variable_that_its_services_are_given():
    for name, service in OURS.items():
        assert set(service["environment"]) <= readable_names(), name
    set_by_the_image = set(re.findall(r"\b(DOCMILL_\w+)=", DOCKERFILE))
    assert set_by_the_image == {"DOCMILL_CONFIG", "DOCMILL_HOME"}
    assert set_by_the_image <= readable_names()


def test_every_service_of_ours_is_told_of_every_server_so_that_none_is_embedded():
    for service in OURS.values():
        assert {"DATABASE_URL", "REDIS_URL", "OLLAMA_HOST"} <= set(service["environment"])
        for name, port in (("DATABASE_URL", 5432), ("REDIS_URL", 6379), ("OLLAMA_HOST", 11434)):
            host = re.search(rf"[/@]([a-z]+):{port}\b", service["environment"][name])
            assert host, name
            assert host[1] in SERVICES


def test_passwords_in_urls_are_those_of_the_servers():
    urls = OURS["web"]["environment"]
    postgres, redis = SERVICES["postgres"], SERVICES["redis"]
    user, password = (postgres["environment"][f"POSTGRES_{what}"] for what in ("USER", "PASSWORD"))
    database = postgres["environment"]["POSTGRES_DB"]
    assert urls["DATABASE_URL"] == f"postgresql://{user}:{password}@postgres:5432/{database}"
    secret = redis["command"][redis["command"].index("--requirepass") + 1]
    assert urls["REDIS_URL"] == f"redis://:{secret}@redis:6379/0"
    assert redis["environment"]["REDISCLI_AUTH"] == secret


def test_redis_refuses_instead_of_forgetting():
    options = SERVICES["redis"]["command"]
    settings = dict(zip(options[1::2], options[2::2], strict=True))
    assert settings["--maxmemory-policy"] == "noeviction"
    assert settings["--appendonly"] == "yes"
    assert mebibytes(settings["--maxmemory"].removesuffix("b")) <= memory(SERVICES["redis"]) / 2


def test_ollama_has_as_many_places_as_its_worker_has_requests():
    for env in ({}, {"OLLAMA_NUM_PARALLEL": "7"}):
        services = interpolate(RAW, FILLED_IN | env)["services"]
        slots = parsed(services["worker-local"]["command"]).params["slots"]
        assert services["ollama"]["environment"]["OLLAMA_NUM_PARALLEL"] == str(slots)
        assert slots == int(env.get("OLLAMA_NUM_PARALLEL", Config().engines[LOCAL].slots))


def test_the_model_that_is_pulled_is_the_one_that_docmill_asks_for():
    assert SERVICES["pull-models"]["command"] == [DEFAULT_LOCAL_MODEL]
    assert SERVICES["pull-models"]["volumes"] == SERVICES["ollama"]["volumes"]
    assert SERVICES["pull-models"]["image"] == SERVICES["ollama"]["image"]


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_is_given_more_time_to_stop_than_it_takes(name):
    assert seconds(WORKERS[name]["stop_grace_period"]) >= GRACE_S + 15


def test_the_ingest_worker_may_use_what_its_documents_may_use():
    limits = LimitsConfig()
    service = SERVICES["worker-ingest"]
    assert memory(service) > READERS * limits.read_memory_mb
    size = re.fullmatch(r"/tmp:size=(\w+)", service["tmpfs"][0])
    assert size
    text_mb = limits.characters * 4 / 1_000_000  # a character is four bytes of UTF-8 at most
    assert mebibytes(size[1]) > READERS * (limits.file_mb + text_mb)


def test_without_a_docmill_toml_the_defaults_hold():
    (config,) = OURS["web"]["volumes"]
    assert config["source"] == "/dev/null"
    assert load_config(Path(config["source"])) == Config()


def test_docmill_toml_is_read_where_it_is_mounted_and_a_wrong_path_is_no_new_folder():
    for service in OURS.values():
        config = service["volumes"][0]
        assert f"DOCMILL_CONFIG={config['target']}" in DOCKERFILE
        assert config["read_only"]
        assert config["bind"] == {"create_host_path": False}
    chosen = interpolate(RAW, FILLED_IN | {"DOCMILL_TOML": "./docmill.toml"})
    assert chosen["services"]["web"]["volumes"][0]["source"] == "./docmill.toml"


def test_every_worker_keeps_its_journal_in_a_volume_of_its_own():
    home = re.search(r"DOCMILL_HOME=(\S+)", DOCKERFILE)
    assert home
    volumes = [service["volumes"][1].split(":") for service in WORKERS.values()]
    assert {path for _, path in volumes} == {home[1]}
    assert len({volume for volume, _ in volumes}) == len(WORKERS)


# --- what it keeps apart --------------------------------------------------------------------------


def test_the_api_key_reaches_the_frontier_worker_and_nobody_else():
    having = {name for name, one in SERVICES.items() if FILLED_IN["FRONTIER_API_KEY"] in str(one)}
    assert having == {"worker-frontier"}
    for name, service in SERVICES.items():
        assert "env_file" not in service, "it would hand over all of .env"
        if name not in having:
            assert not secret_names() & set(service.get("environment", {}))


def test_only_who_has_to_can_reach_the_world_outside():
    open_to = {
        name: [n for n in service["networks"] if not internal(n)]
        for name, service in SERVICES.items()
        if not all(internal(network) for network in service["networks"])
    }
    assert open_to == {
        "worker-frontier": ["outside"],
        "pull-models": ["registry"],
        "web": ["page"],
    }
    options = COMPOSE["networks"]["page"]["driver_opts"]
    assert options == {"com.docker.network.bridge.enable_ip_masquerade": "false"}


def test_who_pulls_models_from_outside_sees_no_data():
    assert SERVICES["pull-models"]["networks"] == ["registry"]
    assert {name for name, one in SERVICES.items() if "models" in one["networks"]} == {
        "ollama",
        "worker-local",
    }


def test_the_page_alone_is_published_and_on_this_machine_only():
    published = {name: one["ports"] for name, one in SERVICES.items() if "ports" in one}
    port = parsed(SERVICES["web"]["command"]).params["port"]
    assert published == {"web": [f"127.0.0.1:8400:{port}"]}
    assert not all(internal(network) for network in SERVICES["web"]["networks"]), (
        "a port of a service with internal networks only cannot be published"
    )


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_runs_with_as_few_rights_as_it_can(name):
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert memory(service) > 0
    if name not in MODEL_SERVERS:
        assert service["read_only"]
    if name not in OURS and name not in MODEL_SERVERS:
        assert service["user"] == "999:999", "its entry point would need rights to become that"


# --- the image ------------------------------------------------------------------------------------


def test_the_image_runs_docmill_as_nobody_special():
    assert re.findall(r"^(?:USER|ENTRYPOINT) .*", DOCKERFILE, re.M) == [
        "USER 10001:10001",
        'ENTRYPOINT ["docmill"]',
    ]
    assert "ca-certificates" in DOCKERFILE


def test_the_image_has_a_python_that_docmill_supports():
    allowed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    versions = set(re.findall(r"^FROM python:3\.(\d+)-slim", DOCKERFILE, re.M))
    assert len(versions) == 1
    assert allowed["requires-python"] == ">=3.11,<3.14"
    assert int(versions.pop()) in range(11, 14)


def test_the_image_is_built_by_the_uv_of_the_makefile_and_with_checked_hashes():
    version = re.search(r"^UV_VERSION = (\S+)", (ROOT / "Makefile").read_text("utf-8"), re.M)
    assert version
    assert f"astral-sh/uv:{version[1]} " in DOCKERFILE
    assert "--require-hashes --constraint requirements.lock" in DOCKERFILE
    assert "--require-build-hashes --build-constraint requirements.lock" in DOCKERFILE


def test_the_image_gets_every_package_and_the_build_gets_nothing_else():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.M)
    copied = {source for line in copies for source in line.split()}
    assert set(packages) <= copied
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    rules = [line for line in lines if not line.startswith("#")]
    assert rules[0] == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == copied


# --- CI -------------------------------------------------------------------------------------------


def test_ci_runs_the_commands_that_a_person_runs_on_the_oldest_python_and_the_image_s():
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text("utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    job = workflow["jobs"]["check"]
    runs = [step["run"].split()[:2] for step in job["steps"] if "run" in step]
    assert runs == [["make", "lint"], ["make", "test"]]
    image = re.search(r"^FROM python:(3\.\d+)-", DOCKERFILE, re.M)
    assert image
    assert job["strategy"]["matrix"]["python"] == ["3.11", image[1]]
    for step in job["steps"]:
        assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step.get("uses", "actions/any@v1"))


def test_bytecode_is_part_of_every_installation_as_nothing_may_write_it_later():
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]
    names = " ".join(packages["targets"]["wheel"]["packages"])
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert f"-m compileall -q {names}\n" in makefile
    assert makefile.count("pip sync") == makefile.count("pip sync --quiet --compile-bytecode") == 1
    assert "UV_COMPILE_BYTECODE=1" in DOCKERFILE
