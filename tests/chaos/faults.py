"""The faults, one small function each. `draw` is the seeded choice of victims."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psutil
import psycopg
import redis
from kombu.exceptions import KombuError

from models.queue import ring
from tests.chaos.scene import Scene
from tests.chaos.schedule import Kind, Strike
from tests.embedded_users import server_pid
from tests.stubs.process import StubProcess
from tests.waiting import wait_until
from worker.settings import LEASE_S

AWAY_S = 1.5
"""How long an engine is away, and a storm lasts."""

AWAY = (redis.RedisError, OSError, KombuError)
"""Redis is down from an earlier fault: there is nothing in it to flush, and no queue to ring at."""

Fault = Callable[[Scene, random.Random], None]


def strike(scene: Scene, one: Strike) -> None:
    """Let one fault happen."""
    scene.tend()
    FAULTS[one.kind](scene, random.Random(one.draw))
    scene.struck[one.kind] += 1


def kill_ingest(scene: Scene, draw: random.Random) -> None:
    """In the middle of reading a new wave of documents."""
    victim = scene.victim("ingest", draw)
    scene.submit_wave()
    victim.running.kill()


def kill_local(scene: Scene, draw: random.Random) -> None:
    with scene.exposing(scene.local):
        scene.victim("local", draw).running.kill()


def kill_frontier(scene: Scene, draw: random.Random) -> None:
    with scene.exposing(scene.frontier):
        scene.victim("frontier", draw).running.kill()


def terminate(scene: Scene, draw: random.Random) -> None:
    """An orderly end: its running calls are finished, so that none of them is exposed."""
    scene.victim(None, draw).running.process.send_signal(signal.SIGTERM)


def stop(scene: Scene, draw: random.Random) -> None:
    """Frozen until its leases are somebody else's; `Scene.tend` wakes it."""
    victim = scene.victim(draw.choice(["local", "frontier"]), draw)
    with scene.exposing(scene.local, scene.frontier):
        victim.running.process.send_signal(signal.SIGSTOP)
        victim.asleep_since = time.monotonic()


def flush(scene: Scene, draw: random.Random) -> None:
    with suppress(*AWAY), scene.redis() as client:
        client.flushall()


def kill_redis(scene: Scene, draw: random.Random) -> None:
    kill_server(scene, "valkey")


def kill_postgres(scene: Scene, draw: random.Random) -> None:
    kill_server(scene, "postgres")


def kill_server(scene: Scene, name: str) -> None:
    """Its guardian starts it again."""
    pid = wait_until(lambda: server_pid(scene.home, name), timeout=30, what=f"{name} runs")
    os.kill(pid, signal.SIGKILL)


def kill_backend(scene: Scene, draw: random.Random) -> None:
    """Postgres then throws everybody out and recovers."""
    sql = (
        "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' "
        "AND pid <> pg_backend_pid() ORDER BY pid"
    )
    found = wait_until(lambda: scene.ask(sql), what="somebody is connected to Postgres")
    os.kill(draw.choice(found)[0], signal.SIGKILL)


def local_away(scene: Scene, draw: random.Random) -> None:
    _away(scene, scene.local, draw.choice(["503", "cut", "refuse"]))


def frontier_away(scene: Scene, draw: random.Random) -> None:
    _away(scene, scene.frontier, draw.choice(["503", "cut", "refuse"]))


def _away(scene: Scene, stub: StubProcess, how: str) -> None:
    with scene.exposing(stub):
        stub.set(outage=how)
    time.sleep(AWAY_S)
    stub.set(outage="")


def storm_429(scene: Scene, draw: random.Random) -> None:
    _storm(scene.frontier, {"429": 0.6})


def storm_500(scene: Scene, draw: random.Random) -> None:
    stub = draw.choice([scene.local, scene.frontier])
    _storm(stub, {"500": 0.6})


def _storm(stub: StubProcess, faults: dict[str, float]) -> None:
    stub.set(faults=faults)
    time.sleep(AWAY_S)
    stub.set(faults={})


@contextmanager
def silent_postgres(scene: Scene) -> Iterator[None]:
    """SIGSTOP: it keeps its connections, and says nothing on any of them."""
    pid = wait_until(lambda: server_pid(scene.home, "postgres"), timeout=30, what="postgres runs")
    postmaster = psutil.Process(pid)
    stopped = [postmaster, *postmaster.children(recursive=True)]
    for process in stopped:  # the postmaster first: it starts no more of them
        with suppress(psutil.NoSuchProcess):
            process.suspend()
    try:
        yield
    finally:
        for process in stopped:
            with suppress(psutil.NoSuchProcess):
                process.resume()


def stop_postgres(scene: Scene, draw: random.Random) -> None:
    """For less than a lease, or for more."""
    with scene.exposing(scene.local, scene.frontier), silent_postgres(scene):
        time.sleep(draw.choice([AWAY_S, LEASE_S + 2.0]))


def lock_table(scene: Scene, draw: random.Random) -> None:
    """Nobody gets past: not the claims, not the leader's housekeeping."""
    table = draw.choice(["leases", "waiting", "jobs", "calls", "batches", "counts"])
    try:
        with psycopg.connect(scene.postgres_url, connect_timeout=5) as stranger:
            stranger.execute("SET lock_timeout = '5s'")
            stranger.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")  # type: ignore[arg-type]
            time.sleep(AWAY_S)
    except psycopg.OperationalError:
        return  # Postgres is down from an earlier fault: nothing to lock


def pause(scene: Scene, draw: random.Random) -> None:
    """Whoever holds jobs of the batch gives back what has not begun."""
    batch = draw.choice(scene.batches)
    change = "UPDATE batches SET state = %s WHERE id = %s AND state = %s"
    scene.ask(change, "paused", batch, "running")
    time.sleep(AWAY_S)
    scene.ask(change, "running", batch, "paused")


def repeat_messages(scene: Scene, draw: random.Random) -> None:
    """Messages of all queues, of empty ones too and of one that is nobody's, again and again."""
    queues = [row[0] for row in scene.ask("SELECT DISTINCT queue FROM lines")]
    with suppress(*AWAY):
        for queue in draw.choices([*queues, "ingest", "local/nobody-has-it"], k=96):
            ring(queue)


def move_leases(scene: Scene, draw: random.Random) -> None:
    """As if a clock jumped: leases are over while their workers work on."""
    moved = scene.ask(
        "UPDATE leases SET until = now() WHERE item_id %% 2 = %s AND stage <> 'ingest' "
        "RETURNING item_id",
        draw.randrange(2),
    )
    scene.exposed += len(moved)
    scene.begun += len(moved)


FAULTS: dict[Kind, Fault] = {
    Kind.KILL_INGEST: kill_ingest,
    Kind.KILL_LOCAL: kill_local,
    Kind.KILL_FRONTIER: kill_frontier,
    Kind.TERM_WORKER: terminate,
    Kind.STOP_WORKER: stop,
    Kind.FLUSH_REDIS: flush,
    Kind.KILL_REDIS: kill_redis,
    Kind.KILL_POSTGRES: kill_postgres,
    Kind.KILL_BACKEND: kill_backend,
    Kind.STOP_POSTGRES: stop_postgres,
    Kind.LOCK_TABLE: lock_table,
    Kind.PAUSE: pause,
    Kind.LOCAL_AWAY: local_away,
    Kind.FRONTIER_AWAY: frontier_away,
    Kind.STORM_429: storm_429,
    Kind.STORM_500: storm_500,
    Kind.REPEAT_MESSAGES: repeat_messages,
    Kind.MOVE_LEASES: move_leases,
}
