"""Real servers for every test that wants them: one embedded pair a session, one database a test."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import redis
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from models import database, queue
from models.embedded import attach_postgres, attach_valkey
from models.settings import settings

# How fast the machine is decides nothing: the first run of a checkout makes tables of characters.
hypothesis_settings.register_profile(
    "docmill", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.register_profile(
    "long", hypothesis_settings.get_profile("docmill"), max_examples=1_000
)
hypothesis_settings.load_profile("docmill")

DOCMILL_NAMES = (
    "DATABASE_URL",
    "REDIS_URL",
    "OLLAMA_HOST",
    "DOCMILL_LOCAL_MODEL",
    "FRONTIER_BASE_URL",
    "FRONTIER_API_KEY",
    "AICREDITS_API_KEY",
    "OPENAI_API_KEY",
    "ANTHROPIC_API_KEY",
    "REPLICATE_API_TOKEN",
    "DOCMILL_CONFIG",
    "DOCMILL_HOME",
)
DUMMY_AWS = {
    "AWS_ACCESS_KEY_ID": "AKIADUMMYDUMMYDUMMY0",
    "AWS_SECRET_ACCESS_KEY": "dummy-secret-0123456789",
    "AWS_SESSION_TOKEN": "dummy-session-token-0123456789",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""Who asks Bedrock in tests: nobody, and no instance is asked for its role."""
CACHES = (
    settings,
    database.database_url,
    database.connections,
    queue.redis_url,
    queue.redis_client,
    queue.celery_app,
)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No test sees this machine's settings, or another test's."""
    for name in DOCMILL_NAMES:
        monkeypatch.delenv(name, raising=False)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in DUMMY_AWS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DOCMILL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DOCMILL_CONFIG", str(tmp_path / "docmill.toml"))
    _forget()
    yield
    _forget()


def _forget() -> None:
    if database.connections.cache_info().currsize:
        database.connections().close()
    if queue.redis_client.cache_info().currsize:
        queue.redis_client().close()
    for cached in CACHES:
        cached.cache_clear()


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The URLs of an embedded Postgres and Valkey that live as long as the session."""
    _remove_data_of_gone_tests()
    home = tmp_path_factory.mktemp("servers")
    return attach_postgres(home), attach_valkey(home)


def _remove_data_of_gone_tests() -> None:
    """Where root runs the tests, Postgres has its data under /var/tmp: it outlives the home folder,
    which pytest removes some sessions later."""
    for named in Path("/var/tmp").glob(f"docmill-{os.geteuid()}-*/home"):
        home = Path(named.read_text("utf-8").strip())
        if home.is_relative_to(tempfile.gettempdir()) and not home.exists():
            shutil.rmtree(named.parent, ignore_errors=True)


@pytest.fixture(scope="session")
def template(servers: tuple[str, str]) -> str:
    """A database with the schema, to be copied for each test."""
    name = "docmill_template"
    with psycopg.connect(servers[0], autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    url = servers[0].replace("/docmill?", f"/{name}?")
    saved = os.environ.get("DATABASE_URL")
    os.environ["DATABASE_URL"] = url
    for cached in CACHES:
        cached.cache_clear()
    database.upgrade()
    del os.environ["DATABASE_URL"]
    if saved is not None:
        os.environ["DATABASE_URL"] = saved
    for cached in CACHES:
        cached.cache_clear()
    return name


@pytest.fixture
def database_url(
    servers: tuple[str, str], template: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """A database of this test's own, also in its environment."""
    name = f"test_{uuid4().hex[:12]}"
    with psycopg.connect(servers[0], autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    url = servers[0].replace("/docmill?", f"/{name}?")
    monkeypatch.setenv("DATABASE_URL", url)
    for cached in CACHES:
        cached.cache_clear()
    yield url
    _forget()
    with psycopg.connect(servers[0], autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def redis_url(servers: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty Redis, also in this test's environment."""
    url = servers[1]
    with redis.Redis.from_url(url) as client:
        client.flushall()
    monkeypatch.setenv("REDIS_URL", url)
    for cached in CACHES:
        cached.cache_clear()
    yield url
    _forget()


@pytest.fixture
def db(database_url: str) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
    """A plain connection to this test's database."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection
