"""The life of the embedded Postgres and Valkey: shared, healed, and gone with the last user."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from tests.embedded_users import (
    POSTGRES,
    VALKEY,
    User,
    is_guarded,
    server_folder,
    server_pid,
    state,
    temporary_home,
    wait_until_stopped,
)
from tests.waiting import wait_until

BOTH = ("postgres", "valkey")

_FORK = """
import os, sys
from pathlib import Path
from models.embedded import attach_valkey

print(attach_valkey(Path(sys.argv[1])), flush=True)
if os.fork() == 0:
    sys.stdin.read()  # the child outlives its parent, and is a user as well
os._exit(0)
"""

_THREADS = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from models.embedded import attach_postgres, attach_valkey

with ThreadPoolExecutor(8) as pool:
    calls = [pool.submit(f, Path(sys.argv[1])) for f in (attach_postgres, attach_valkey) * 4]
print(len({call.result() for call in calls}), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def home() -> Iterator[Path]:
    with temporary_home() as folder:
        yield folder


def keep_something(postgres: str, valkey: str) -> None:
    with psycopg.connect(postgres) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS n")
    with redis.Redis.from_url(valkey) as client:
        client.set("kept", "42")


def what_is_kept(postgres: str, valkey: str) -> tuple[object, object]:
    with psycopg.connect(postgres) as connection:
        row = connection.execute("SELECT n FROM kept").fetchone()
    with redis.Redis.from_url(valkey) as client:
        return row, client.get("kept")


KEPT = ((42,), b"42")


def kill_server(home: Path, name: str) -> int:
    pid = server_pid(home, name)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: server_pid(home, name) != pid, what=f"{name} is dead")
    return pid


def kill_guardian(home: Path, name: str) -> None:
    os.kill(state(home, name)["guardian"], signal.SIGKILL)
    wait_until(lambda: not is_guarded(home, name), what=f"guardian of {name} is dead")


def starts(home: Path, name: str) -> int:
    return (home / "run" / f"{name}.log").read_text().count("started as process")


def test_a_second_start_finds_the_data_again(home: Path) -> None:
    with User(home, POSTGRES, VALKEY) as user:
        keep_something(*user.urls())
    for name in BOTH:
        wait_until_stopped(home, name)
    with User(home, POSTGRES, VALKEY) as user:
        assert what_is_kept(*user.urls()) == KEPT


def test_nothing_listens_on_tcp_and_nothing_is_forgotten(home: Path) -> None:
    with User(home, POSTGRES, VALKEY) as user:
        with psycopg.connect(user.line()) as connection:
            for setting, value in (("listen_addresses", ""), ("fsync", "on")):
                assert connection.execute(f"SHOW {setting}").fetchone() == (value,)
            encoding = connection.execute("SHOW server_encoding").fetchone()
            assert encoding == ("UTF8",)
        with redis.Redis.from_url(user.line(), decode_responses=True) as client:
            wanted = {"port": "0", "appendonly": "yes", "maxmemory-policy": "noeviction"}
            assert client.config_get(*wanted) == wanted


def test_processes_that_start_at_once_share_one_pair_of_servers(home: Path) -> None:
    users = [User(home, POSTGRES, VALKEY) for _ in range(4)]
    assert len({user.urls() for user in users}) == 1
    assert [starts(home, name) for name in BOTH] == [1, 1]
    for user in users[:3]:
        user.end()
    assert None not in [server_pid(home, name) for name in BOTH]
    users[3].end()
    for name in BOTH:
        wait_until_stopped(home, name)


def test_threads_of_one_process_share_one_pair_of_servers(home: Path) -> None:
    with User(home, script=_THREADS) as user:
        assert user.line() == "2"
        assert [starts(home, name) for name in BOTH] == [1, 1]


def test_servers_stop_when_the_last_user_is_killed(home: Path) -> None:
    with User(home, POSTGRES, VALKEY) as user:
        user.urls()
        user.end(signal.SIGKILL)
        for name in BOTH:
            wait_until_stopped(home, name)


def test_a_forked_child_stays_a_user(home: Path) -> None:
    with User(home, script=_FORK) as user:
        user.line()
        before = server_pid(home, "valkey")
        user.process.wait(timeout=30)
        with User(home, VALKEY) as other:
            other.line()
            assert server_pid(home, "valkey") == before
    wait_until_stopped(home, "valkey")


def test_ctrl_c_in_the_terminal_of_one_user_does_not_reach_the_servers(home: Path) -> None:
    with User(home, POSTGRES, VALKEY) as starter, User(home, POSTGRES, VALKEY) as other:
        urls = starter.urls()
        assert other.urls() == urls
        before = [server_pid(home, name) for name in BOTH]
        os.killpg(starter.process.pid, signal.SIGKILL)  # the whole group, and harder than Ctrl-C
        starter.end()
        keep_something(*urls)
        assert [server_pid(home, name) for name in BOTH] == before


def test_killed_servers_come_back_with_their_data(home: Path) -> None:
    with User(home, POSTGRES, VALKEY) as user:
        keep_something(*user.urls())
        killed = {name: kill_server(home, name) for name in BOTH}
        with User(home, POSTGRES, VALKEY) as again:
            assert what_is_kept(*again.urls()) == KEPT
        assert all(server_pid(home, name) not in (None, killed[name]) for name in BOTH)


def test_a_journal_that_was_cut_short_is_read_up_to_the_cut(home: Path) -> None:
    with User(home, VALKEY) as user, redis.Redis.from_url(user.line()) as client:
        client.set("first", "1")
        client.set("second", "2")
    wait_until_stopped(home, "valkey")
    (journal,) = (home / "valkey" / "appendonlydir").glob("*.incr.aof")
    os.truncate(journal, journal.stat().st_size - 5)
    with User(home, VALKEY) as user, redis.Redis.from_url(user.line()) as client:
        assert client.mget("first", "second") == [b"1", None]


def test_a_killed_guardian_is_replaced_while_users_live(home: Path) -> None:
    with User(home, POSTGRES, VALKEY) as user:
        keep_something(*user.urls())
        strays = [server_pid(home, name) for name in BOTH]
        for name in BOTH:
            kill_guardian(home, name)
        with User(home, POSTGRES, VALKEY) as healer:
            assert what_is_kept(*healer.urls()) == KEPT
            assert not {server_pid(home, name) for name in BOTH} & {*strays, None}
    for name in BOTH:
        wait_until_stopped(home, name)


def test_servers_left_by_a_killed_guardian_are_ended_by_the_next_start(home: Path) -> None:
    with User(home, POSTGRES, VALKEY) as user:
        keep_something(*user.urls())
        for name in BOTH:
            kill_guardian(home, name)
    strays = {server_pid(home, name) for name in BOTH}
    assert None not in strays
    log = home / "run" / "postgres.log"
    assert "fast shutdown" not in log.read_text()
    with User(home, POSTGRES, VALKEY) as user:
        assert what_is_kept(*user.urls()) == KEPT
        assert "fast shutdown" in log.read_text()  # asked, not killed
        assert not {server_pid(home, name) for name in BOTH} & strays


def test_guardian_and_server_killed_together_leave_nothing_wedged(home: Path) -> None:
    with User(home, POSTGRES, VALKEY) as user:
        keep_something(*user.urls())
        for name in BOTH:
            kill_guardian(home, name)
            kill_server(home, name)
        with User(home, POSTGRES, VALKEY) as healer:
            assert what_is_kept(*healer.urls()) == KEPT


def test_a_guardian_that_is_asked_to_end_stops_its_server_first(home: Path) -> None:
    with User(home, VALKEY) as user:
        user.line()
        os.kill(state(home, "valkey")["guardian"], signal.SIGTERM)
        wait_until_stopped(home, "valkey")


def test_who_comes_while_the_servers_are_being_stopped_gets_new_ones(home: Path) -> None:
    for _ in range(5):
        with User(home, POSTGRES, VALKEY) as user:
            postgres, valkey = user.urls()
            with psycopg.connect(postgres) as connection, redis.Redis.from_url(valkey) as client:
                assert connection.execute("SELECT 1").fetchone() == (1,)
                assert client.ping()


def test_the_number_of_a_dead_postgres_may_belong_to_another_process(home: Path) -> None:
    with User(home, POSTGRES) as user:
        user.line()
    wait_until_stopped(home, "postgres")
    data = server_folder(home, "postgres") / "data"
    with User(home, VALKEY) as other:
        (data / "postmaster.pid").write_text(f"{other.process.pid}\n{data}\n")
        with User(home, POSTGRES) as user:
            assert user.line()
