"""No key and no password is ever printed, stored, sent on or left on disk.

One scene goes through everything that could let one out: a frontier that repeats the key in every
kind of error, keys in addresses, services that are away, a crash. All that came of it is kept, and
each test looks through a part of it.
"""

import base64
import json
import os
import pty
import re
import secrets
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import redis

from tests import traces
from tests.commands import Docmill
from tests.stubs.process import StubProcess, stub_process
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(400)
"""The first test pays for the whole scene: about fifteen processes, one after the other."""

MODELS = ("phi4-mini", "anthropic/claude-sonnet-4-6")
KEY = f"sk-docmill-SECRET-{secrets.token_hex(12)}"
DATABASE_WORD = f"100%db/{secrets.token_hex(12)}"
REDIS_WORD = f"redis-{secrets.token_hex(12)}"
OTHER_WORD = f"other-{secrets.token_hex(12)}"
TOUCHY = f"a:{OTHER_WORD}/b"
"""A password that turns its URL into one that cannot be read."""

FORBIDDEN = {
    "the key": KEY[-12:],
    "the beginning of the key": KEY[:24],
    "the key in base64": base64.b64encode(f"me:{KEY}".encode()).decode()[8:-4],
    "the password of the database": DATABASE_WORD[-12:],
    "the password of Redis": REDIS_WORD[-12:],
    "the password of an address": OTHER_WORD[-12:],
}

ECHO = {"message": f"Incorrect API key provided: {KEY}. See https://host/keys", "param": KEY}
HEADERS = {"x-received": f"Bearer {KEY}", "retry-after": "0.05", "www-authenticate": KEY}


def _reply(content: str) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": "stop", "message": {"content": content}}
    return {"id": KEY, "model": f"m-{KEY}", "choices": [choice]}


FAULTS: list[dict[str, Any]] = [
    {"status": 429, "body": {"error": ECHO}},
    {"status": 429, "body": f"slow down, {KEY}"},
    {"status": 500, "body": {"error": ECHO}},
    {"status": 502, "body": f"<html>{'x' * 250} upstream refused Bearer {KEY}</html>"},
    {"status": 503, "body": {"error": {**ECHO, "message": f"busy: {KEY[:30]}..."}}},
    {"status": 307, "body": "moved", "headers": {"location": f"http://me:{KEY}@127.0.0.1:9/v1"}},
    {"status": 200, "body": {"error": {**ECHO, "code": 502}}},
    {"status": 200, "body": f'{{"key": "{KEY}'},
    {"status": 200, "body": {"choices": [{"finish_reason": KEY, "message": {"content": None}}]}},
    {"status": 200, "body": _reply(json.dumps({"summary": f"You sent {KEY}"}))},
    {"status": 200, "body": _reply(f"no JSON but {KEY}")},
    {"status": 400, "body": {"error": ECHO}},
    {"status": 404, "body": {"error": {**ECHO, "code": "model_not_found"}}},
    {"status": 401, "body": {"error": {**ECHO, "code": "invalid_api_key"}}},
    {"status": 402, "body": {"error": {"message": f"no credit left for {KEY[-20:]}"}}},
]


@dataclass
class Scene:
    """What ran, and everything that came of it, by where it was found."""

    docmill: Docmill
    ollama: StubProcess
    frontier: StubProcess
    database: str
    redis: str
    found: dict[str, str] = field(default_factory=dict)

    def with_(self, **changed: str) -> Docmill:
        """The commands with these variables changed."""
        return replace(self.docmill, environment=self.docmill.environment | changed)

    def run(self, *words: str, code: int = 0, stdin: str = "", **changed: str) -> str:
        """A command to its end; what it printed."""
        return self.run_process("-m", "producer", *words, code=code, stdin=stdin, **changed)

    def run_process(self, *words: str, code: int = 0, stdin: str = "", **changed: str) -> str:
        """A Python process to its end; what it printed is kept, too."""
        done = subprocess.run(
            [sys.executable, *words],
            cwd=self.docmill.folder,
            env=self.with_(**changed)._environment(),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
        )
        said = done.stdout + done.stderr
        self.found[f"output {len(self.found)} of {' '.join(words)}"] = said
        assert done.returncode == code, said
        return done.stdout

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database, autocommit=True) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def parts(self, kind: str) -> dict[str, str]:
        return {where: text for where, text in self.found.items() if where.startswith(kind)}

    def keep_tables(self) -> None:
        self.found |= traces.tables(self.database)

    def keep_files(self) -> None:
        self.found |= traces.files(self.docmill.folder)

    def keep_redis(self) -> None:
        self.found |= traces.values(self.redis)

    def keep_prompts(self) -> None:
        for name, stub in (("ollama", self.ollama), ("frontier", self.frontier)):
            self.found[f"prompts at {name}"] = json.dumps(stub.prompts())


def leaks(parts: dict[str, str]) -> list[str]:
    """Where which secret stands."""
    assert parts, "there is something to look through"
    return [
        f"{name} in {where}: {text[max(at - 120, 0) : at + 60]!r}"
        for where, text in parts.items()
        for name, secret in FORBIDDEN.items()
        if (at := (where + text).find(secret)) >= 0
    ]


# -- the scene


@pytest.fixture(scope="module")
def scene(
    tmp_path_factory: pytest.TempPathFactory, servers: tuple[str, str], template: str
) -> Iterator[Scene]:
    name = f"test_{uuid4().hex[:12]}"
    with psycopg.connect(servers[0], autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    plain = servers[0].replace("/docmill?", f"/{name}?")
    with redis.Redis.from_url(servers[1]) as client:
        client.flushall()
    with (
        stub_process("ollama", "--models", MODELS[0], "--keep-texts", "true") as ollama,
        stub_process("openai", "--models", MODELS[1], "--keep-texts", "true") as frontier,
    ):
        environment = {
            "DATABASE_URL": plain.replace("@", f":{DATABASE_WORD}@"),
            "REDIS_URL": servers[1].replace("unix://", f"unix://default:{REDIS_WORD}@"),
            "OLLAMA_HOST": ollama.url.replace("://", f"://me:{OTHER_WORD}@"),
            "FRONTIER_BASE_URL": f"{frontier.url}/v1",
            "FRONTIER_API_KEY": KEY,
            "OPENAI_LOG": "debug",
        }
        docmill = Docmill(tmp_path_factory.mktemp("secret"), environment)
        made = Scene(docmill, ollama, frontier, plain, servers[1])
        _whole_path(made)
        _key_in_the_address(made)
        made.keep_tables()
        made.keep_redis()
        _every_command(made)
        _every_page(made)
        _what_cannot_be_read(made)
        _what_is_away(made)
        made.keep_files()
        made.keep_prompts()
        yield made
    with psycopg.connect(servers[0], autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _submit(scene: Scene, count: int) -> int:
    texts = (f"letter {secrets.token_hex(4)}" for _ in range(count))  # equal ones are asked once
    lines = "".join(f'{{"text": "{text}"}}\n' for text in texts)
    asks = ("--ask", "Sum up.", "--task", "summary")
    return int(json.loads(scene.run("submit", "-", *asks, "--json", stdin=lines))["batch"])


def _whole_path(scene: Scene) -> None:
    """Every fault once, then answers; what was held for a person is resumed by one."""
    faults = [{**fault, "headers": HEADERS | fault.get("headers", {})} for fault in FAULTS]
    scene.frontier.script(*faults)
    batch = _submit(scene, 12)
    with scene.docmill.worker("all") as worker:
        command = Path(f"/proc/{worker.process.pid}/cmdline").read_text()
        scene.found["output of ps"] = command
        _until_over(scene, batch, resuming=True)
        scene.keep_files()  # the journal, which is removed in the end
        scene.keep_redis()
    outcomes = scene.frontier.stats()["outcomes"]
    assert outcomes["scripted"] == len(FAULTS)
    assert outcomes["ok"] > 0


def _until_over(scene: Scene, batch: int, *, resuming: bool = False) -> None:
    def over() -> bool:
        sql = f"SELECT state, sum(jobs) FROM job_counts WHERE batch = {batch} GROUP BY state"
        states = {state: number for state, number in scene.rows(sql) if number}
        if resuming:
            scene.rows("UPDATE gates SET lifted = true RETURNING engine")
        if resuming and states.get("held"):
            scene.keep_tables()
            scene.run("resume", str(batch))
            return False
        return bool(states) and not states.keys() & {"pending", "ready", "running", "held"}

    wait_until(over, timeout=60, what=f"batch {batch} is over")


def _key_in_the_address(scene: Scene) -> None:
    address = scene.frontier.url.replace("://", f"://me:{KEY}@") + "/v1"
    scene.frontier.script(*({**fault, "headers": HEADERS} for fault in FAULTS[:3]))
    batch = _submit(scene, 2)
    with scene.with_(FRONTIER_BASE_URL=address).worker("all"):
        _until_over(scene, batch, resuming=True)
    scene.run("doctor", FRONTIER_BASE_URL=address)
    scene.run("worker", "frontier", code=1, FRONTIER_BASE_URL=address, FRONTIER_API_KEY="")


COMMANDS = """
status 1 --json,status 1,watch 1,watch 1 --json,receipt 1 --json,receipt 1,list --json,list
costs --json,costs 1 --by task,db current,results 1,results --format json,results --format jsonl
results --format csv,results --format parquet --out results.parquet
"""
IN_ONE_PROCESS = """
import sys
from producer.cli.app import app
for words in sys.argv[1:]:
    app(words.split(), standalone_mode=False)
"""


def _every_command(scene: Scene) -> None:
    scene.run_process("-c", IN_ONE_PROCESS, *re.split("[,\n]", COMMANDS.strip()))
    scene.run("doctor", "--json")
    scene.run("submit", "-", "--ask", "Sum up.", "--plan", "--json", stdin="a letter")
    _keep_parquet(scene)


def _keep_parquet(scene: Scene) -> None:
    from pyarrow import parquet

    table = parquet.read_table(scene.docmill.folder / "results.parquet")
    scene.found["output of parquet"] = str(table.to_pylist())


def _every_page(scene: Scene) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    page = scene.docmill.start("web", "--port", port)
    try:
        page.until_says(port)
        jobs = [
            f"/batches/1/jobs/{job}"
            for (job,) in scene.rows("SELECT id FROM jobs WHERE batch_id = 1")
        ]
        others = ["/", "/live", "/costs", "/batches/1", "/batches/1/live", "/batches/1/receipt"]
        for path in [*others, *jobs, "/batches/1/results.csv", "/batches/1/results.jsonl"]:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as reply:
                scene.found[f"page {path}"] = reply.read().decode()
    finally:
        page.end()


def _what_cannot_be_read(scene: Scene) -> None:
    """Addresses that hold a password and are none; and a key in the wrong place."""
    scene.run("list", code=1, DATABASE_URL=f"postgresql://me:{TOUCHY}:c@d@host/x")
    scene.run("worker", "ingest", code=1, REDIS_URL=f"redis://:{OTHER_WORD}/b@host")
    address = f"http://me:{TOUCHY}@host/v1"
    scene.run("doctor", code=1, FRONTIER_BASE_URL=address, OLLAMA_HOST=address)
    scene.run("worker", "frontier", code=1, FRONTIER_BASE_URL=KEY)


def _what_is_away(scene: Scene) -> None:
    """Services at addresses where nobody listens, or that refuse; also at a worker's start."""
    nobody = f"127.0.0.1:9/x?password={OTHER_WORD}"
    away = {"DATABASE_URL": f"postgresql://me:{OTHER_WORD}@{nobody}"}
    scene.run("worker", "all", code=1, **away)
    engines = {
        "FRONTIER_BASE_URL": f"http://me:{OTHER_WORD}@127.0.0.1:9/v1",
        "OLLAMA_HOST": f"http://me:{OTHER_WORD}@127.0.0.1:9",
    }
    scene.run("doctor", code=1, **engines, **away, REDIS_URL=f"redis://me:a@{nobody}")
    _submit(scene, 2)
    with scene.with_(**engines).worker("all") as worker:
        for engine in ("local", "frontier"):
            worker.until_says(f"engine {engine} at 127.0.0.1:9")
    refused = scene.redis.replace("unix://", f"unix://nobody:{OTHER_WORD}@")
    running = scene.with_(REDIS_URL=refused).start("worker", "ingest")
    running.until_says("redis is away")
    running.end()


# -- what came of it


@pytest.mark.parametrize("kind", ["output", "table", "file", "redis", "page", "prompts"])
def test_no_secret_stands_in(scene: Scene, kind: str) -> None:
    assert leaks(scene.parts(kind)) == []


def test_the_search_finds_a_secret_wherever_it_is() -> None:
    found = {"output of x": f"... {KEY} ...", f"file {REDIS_WORD}": "", "table": DATABASE_WORD}
    assert len(leaks(found)) == 4


def test_the_scene_met_what_it_was_made_for(scene: Scene) -> None:
    logs = "".join(scene.parts("file worker-").values())
    assert "[key]" in scene.found["table calls"] + scene.found["table jobs"] + logs
    assert "Sending HTTP Request" in logs, "the library of the frontier spoke at its lowest level"
    assert any("journal" in where for where in scene.parts("file"))
    hosts = {row[0] for row in scene.rows("SELECT DISTINCT host FROM calls")}
    assert hosts == {scene.frontier.url.removeprefix("http://"), "127.0.0.1:9"}
    assert len(scene.parts("page")) > 10
    answered = "SELECT count(*) FROM answers JOIN jobs j ON j.id = job_id WHERE j.batch_id = 2"
    assert scene.rows(answered) == [(2,)], "an address with user and password works"


TRACEBACK = """
from worker.log import logger, set_up
set_up("all")
def connect(url):
    password = url[-32:]
    raise RuntimeError("no such table")
try:
    connect("postgresql://me@host/" + "x" * 8 + {word!r})
except RuntimeError:
    logger().exception("stumbled")
"""


def test_a_traceback_on_a_terminal_shows_no_values(scene: Scene) -> None:
    """People see more colours there, and must not see more else."""
    master, terminal = pty.openpty()
    command = [sys.executable, "-c", TRACEBACK.format(word=OTHER_WORD).replace(OTHER_WORD, "%s")]
    command[-1] = command[-1].replace("'%s'", "__import__('os').environ['WORD']")
    environment = {**scene.docmill._environment(), "WORD": OTHER_WORD}
    subprocess.run(command, env=environment, stderr=terminal, check=True, timeout=60)
    os.close(terminal)
    said = re.sub(r"\x1b\[[0-9;]*m", "", os.read(master, 100_000).decode())
    os.close(master)
    assert "no such table" in said
    assert "in connect" in said
    assert leaks({"terminal": said}) == []
