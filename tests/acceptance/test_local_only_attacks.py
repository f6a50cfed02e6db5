"""Attacks on local-only: real workers, and engines that keep every prompt that they are sent.

Every private text holds a word that stands nowhere else, so one look at the frontier's prompts
tells whether any of it left. A batch that may leave goes out after each attack: it shows that the
worker lives, that the attack's messages were taken, and that the frontier was there to be reached.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import redis

from models.queue import LONGEST_NAME, LOOK, celery_app
from models.sql import load_sql
from models.words import TaskType
from tests.commands import ROOT, Docmill, Running
from tests.stubs.process import StubProcess, stub_process
from tests.waiting import wait_until

LOCAL_MODEL, FRONTIER_MODEL = "phi4-mini", "anthropic/claude-sonnet-4-6"
LOCAL, FRONTIER = f"local/{LOCAL_MODEL}", f"frontier/{FRONTIER_MODEL}"
TWO_ATTEMPTS = "[limits]\nattempts = 2\n"
NUMBERS = count(1)
SUM_UP = {"ask": "Sum up.", "task": "summary"}
FIND = {"ask": "Find the vendor.", "fields": ["vendor"], "task": "extraction"}
NOT_IN_THE_TEXT = {"Find the vendor": {"vendor": "Nobody At All"}}


def tasks(engine: str, escalate: str, model: str, *which: str) -> str:
    """The tables of these task types in docmill.toml."""
    rest = f'engine = "{engine}"\nescalate = ["{escalate}"]\nmodel = "{model}"\n'
    return "".join(f"[tasks.{task}]\n{rest}" for task in which or TaskType)


ESCALATING = tasks("local", "frontier", LOCAL_MODEL, "extraction", "classification", "simple_code")
ALL_ON_THE_FRONTIER = tasks("frontier", "local", FRONTIER_MODEL)
ALL_ESCALATE = tasks("local", "frontier", LOCAL_MODEL)


@dataclass
class Scene:
    """A home with its own database and Redis, and both engines."""

    docmill: Docmill
    ollama: StubProcess
    frontier: StubProcess
    database: str
    redis: str

    def configure(self, text: str) -> None:
        (self.docmill.folder / "docmill.toml").write_text(text + TWO_ATTEMPTS)

    def submit(self, texts: list[str], *asks: dict[str, Any], **spec: Any) -> int:
        """Submit texts as documents; the batch."""
        path = self.docmill.folder / "spec.json"
        path.write_text(json.dumps({"asks": asks, **spec}))
        lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
        return int(self.docmill.json("submit", "-", "--spec", str(path), stdin=lines)["batch"])

    def rows(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database, autocommit=True) as connection:
            cursor = connection.execute(sql, params)
            return cursor.fetchall() if cursor.description else []

    def jobs(self, batch: int) -> list[int]:
        return [row[0] for row in self.rows("SELECT id FROM jobs WHERE batch_id = %s", batch)]

    def states(self, batch: int) -> dict[str, int]:
        sql = (
            "SELECT s.state, count(*) FROM jobs j JOIN job_states s USING (id) "
            "WHERE j.batch_id = %s GROUP BY 1"
        )
        return dict(self.rows(sql, batch))

    def until_over(self, batch: int) -> dict[str, int]:
        """The states of a batch's jobs once none of them has anything before it."""

        def over() -> bool:
            sql = "SELECT finished_at IS NOT NULL FROM batches WHERE id = %s"
            return bool(self.rows(sql, batch)[0][0])

        wait_until(over, timeout=40, what=f"batch {batch} is over: {self.states(batch)}")
        return self.states(batch)

    def until_states(self, batch: int, **wanted: int) -> None:
        wait_until(lambda: self.states(batch) == wanted, timeout=30, what=f"{batch} is {wanted}")

    def seen(self, word: str) -> list[str]:
        """The prompts at the frontier that hold a word."""
        return [line["text"] for line in self.frontier.prompts() if word in line["text"]]

    def check_frontier_serves(self, *tasks: str) -> None:
        """A batch that may leave does, to its end."""
        word = f"public{next(NUMBERS)}word"
        asks = [{"ask": f"Do {task}.", "task": task} for task in tasks or ["summary"]]
        batch = self.submit([f"A notice of {word}."], *asks)
        assert self.until_over(batch) == {"done": len(asks)}
        assert len(self.seen(word)) == len(asks)

    def check_kept(self, batch: int, word: str, **states: int) -> None:
        """Nothing of a local-only batch left, and nothing of it is lost."""
        assert self.until_over(batch) == states
        assert self.seen(word) == []
        sql = "SELECT DISTINCT zone FROM calls WHERE batch_id = %s"
        assert self.rows(sql, batch) == [("local",)]


@pytest.fixture(scope="module")
def engines() -> Iterator[tuple[StubProcess, StubProcess]]:
    with (
        stub_process("ollama", "--models", LOCAL_MODEL) as ollama,
        stub_process("openai", "--models", FRONTIER_MODEL, "--keep-texts", "true") as frontier,
    ):
        yield ollama, frontier


@contextmanager
def a_scene(
    folder: Path,
    servers: tuple[str, str],
    template: str,
    engines: tuple[StubProcess, StubProcess],
    redis_number: int,
) -> Iterator[Scene]:
    name = f"test_{uuid4().hex[:12]}"
    with psycopg.connect(servers[0], autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    database = servers[0].replace("/docmill?", f"/{name}?")
    redis_url = servers[1].replace("db=0", f"db={redis_number}")
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
    environment = {
        "DATABASE_URL": database,
        "REDIS_URL": redis_url,
        "OLLAMA_HOST": engines[0].url,
        "FRONTIER_BASE_URL": f"{engines[1].url}/v1",
        "FRONTIER_API_KEY": "sk-x",
    }
    yield Scene(Docmill(folder, environment), *engines, database, redis_url)
    engines[0].set(latency=0, answers={})
    with psycopg.connect(servers[0], autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory,
    servers: tuple[str, str],
    template: str,
    engines: tuple[StubProcess, StubProcess],
) -> Iterator[tuple[Scene, Running]]:
    """A scene whose worker serves every attack that leaves the configuration alone."""
    folder = tmp_path_factory.mktemp("running")
    with a_scene(folder, servers, template, engines, 0) as made:
        made.configure(ESCALATING)
        with made.docmill.worker("all") as worker:
            yield made, worker


@pytest.fixture
def busy(running: tuple[Scene, Running]) -> Scene:
    """The scene with the running worker, its engines as they were."""
    running[0].ollama.set(latency=0, answers={})
    return running[0]


@pytest.fixture
def scene(
    tmp_path: Path,
    servers: tuple[str, str],
    template: str,
    engines: tuple[StubProcess, StubProcess],
) -> Iterator[Scene]:
    """A scene of the test's own, without a worker yet."""
    with a_scene(tmp_path, servers, template, engines, 1) as made:
        made.configure(ESCALATING)
        yield made


@pytest.fixture
def send(busy: Scene, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Writes messages into a queue as anybody can who reaches Redis."""
    monkeypatch.setenv("REDIS_URL", busy.redis)

    def send(queue: str, *args: Any, task: str = LOOK, **kwargs: Any) -> None:
        celery_app().send_task(task, args=args, kwargs=kwargs, queue=queue, retry=False)

    return send


def local_only(scene: Scene, texts: list[str], *asks: dict[str, Any], **spec: Any) -> int:
    return scene.submit(texts, *asks, policy="local-only", **spec)


def a_word() -> str:
    return f"private{next(NUMBERS)}word"


def test_the_same_texts_and_asks_leave_for_the_open_batch_only(busy: Scene) -> None:
    word = a_word()
    busy.ollama.set(answers=NOT_IN_THE_TEXT)
    texts = [f"Letter {number} of {word}: twelve chairs." for number in range(3)]
    asks = (
        SUM_UP,
        {"ask": "Think.", "task": "reasoning"},
        {"ask": "Say what it is.", "name": "open", "task": "auto"},
        FIND,
    )
    private = local_only(busy, texts, *asks)
    public = busy.submit(texts, *asks)

    assert busy.until_over(private) == busy.until_over(public) == {"done": 12}
    sql = "SELECT batch_id, count(*) FROM calls WHERE zone = 'frontier' GROUP BY batch_id"
    calls = dict(busy.rows(sql))
    assert calls.get(public, 0) >= 9, "summary, reasoning and what was not in the text"
    assert private not in calls
    assert len(busy.seen(word)) == calls[public], "every prompt there was the open batch's own"
    assert busy.docmill.json("receipt", str(private))["frontier_calls"] == 0
    assert busy.docmill.json("receipt", str(public))["frontier_calls"] == calls[public]


def test_answers_that_are_not_good_enough_are_not_sent_on_nor_is_their_retry(busy: Scene) -> None:
    word = a_word()
    busy.ollama.set(
        answers={
            **NOT_IN_THE_TEXT,
            "Write a regular": "no JSON",
            "Tag it": "{}",
        }
    )
    asks = (
        FIND,
        {"ask": "Write a regular expression.", "task": "simple_code"},
        {"ask": "Tag it.", "task": "classification"},
    )
    batch = local_only(busy, [f"A letter of {word}."], *asks)
    public = busy.submit([f"A notice, see public{word[7:]}."], *asks)

    busy.check_kept(batch, word, done=1, failed=2)
    assert busy.until_over(public) == {"done": 3}
    assert len(busy.seen(f"public{word[7:]}")) == 3, "where it may, all of that escalates"
    [grounded] = busy.rows(
        "SELECT a.grounded FROM answers a JOIN jobs j ON j.id = a.job_id WHERE j.batch_id = %s",
        batch,
    )
    assert grounded == (False,)

    busy.ollama.set(answers={})
    busy.docmill.run("retry", str(batch))
    busy.check_kept(batch, word, done=3)


def test_messages_that_name_local_only_work_to_the_frontier_do_nothing(
    busy: Scene, send: Callable[..., None]
) -> None:
    word = a_word()
    busy.ollama.set(latency=3)
    texts = [f"Letter {number} of {word}." for number in range(12)]
    batch = local_only(busy, texts, SUM_UP)

    def some_of_each() -> bool:
        leased = busy.rows("SELECT count(*) FROM leases WHERE stage = 'run'")[0][0]
        return 0 < leased < len(busy.jobs(batch)) == 12

    wait_until(some_of_each, timeout=20, what="jobs wait, and run")
    ids = busy.jobs(batch)
    for _ in range(3):
        for queue in (LOCAL, FRONTIER, "ingest"):
            for named in (LOCAL, FRONTIER, f"classify:{LOCAL}", f"frontier/{LOCAL_MODEL}"):
                send(queue, named)
                send(queue, said=named)
        send(FRONTIER, task="celery.map", task_=None, it=[[ids]])
    assert some_of_each()
    busy.check_frontier_serves()
    busy.ollama.set(latency=0)
    busy.check_kept(batch, word, done=12)
    sql = "SELECT count(*) FROM calls WHERE batch_id = %s"
    assert busy.rows(sql, batch) == [(12,)], "none was asked twice"


def test_messages_that_name_no_queue_are_refused_and_the_worker_lives(
    running: tuple[Scene, Running], busy: Scene, send: Callable[..., None]
) -> None:
    refused = [
        7,
        None,
        [],
        {"queue": FRONTIER},
        [FRONTIER],
        True,
        1.5,
        10**400,
        "",
        list(range(9_999)),
    ]
    refused += ["x" * (LONGEST_NAME + 1), "x" * 1_000_000]
    harmless = ["no such queue", "'; DROP TABLE jobs; --", "\x1b[2J", "x" * LONGEST_NAME]
    for said in [*refused, *harmless]:
        send(FRONTIER, said)
    send(FRONTIER)
    send(FRONTIER, [1], [2])
    send(FRONTIER, [1], task="docmill.no_such_task")

    busy.check_frontier_serves()
    said = running[1].said()
    assert said.count('"refused a message"') == len(refused)
    assert len(said) < 100_000, "what it is sent does not fill its log"


def test_steering_a_local_only_batch_sends_it_nowhere_else(busy: Scene) -> None:
    word = a_word()
    busy.ollama.set(latency=3)
    texts = [f"Letter {number} of {word}." for number in range(12)]
    batch = local_only(busy, texts, SUM_UP, max_cost="0")
    number = str(batch)
    wait_until(lambda: "running" in busy.states(batch), timeout=20, what="it runs")
    busy.docmill.run("pause", number)
    busy.docmill.run("priority", number, "1000")
    busy.docmill.run("resume", number, "--max-cost", "1000")
    busy.ollama.set(latency=0)
    busy.check_kept(batch, word, done=12)


def test_rows_cannot_be_edited_towards_the_frontier(busy: Scene) -> None:
    word = a_word()
    batch = local_only(busy, [f"A letter of {word}."], SUM_UP)
    busy.check_kept(batch, word, done=1)
    [job] = busy.jobs(batch)
    edits = (
        f"UPDATE jobs SET state = 'ready', zone = 'frontier' WHERE id = {job}",
        f"UPDATE jobs SET local_only = false WHERE id = {job}",
        f"UPDATE batches SET local_only = false WHERE id = {batch}",
        f"UPDATE calls SET zone = 'frontier' WHERE job_id = {job}",
        f"UPDATE calls SET local_only = false, zone = 'frontier' WHERE job_id = {job}",
    )
    for edit in edits:
        with pytest.raises(psycopg.errors.IntegrityError):
            busy.rows(edit)


@pytest.mark.parametrize("config", [ALL_ON_THE_FRONTIER, ALL_ESCALATE], ids=["engine", "escalate"])
def test_a_changed_configuration_sends_no_local_only_batch_away(scene: Scene, config: str) -> None:
    word = a_word()
    asks = [{"ask": f"Kindly reply as {task}.", "task": task} for task in TaskType]
    auto = {"ask": "Say what it is.", "name": "auto"}
    scene.ollama.set(answers={"Kindly reply": "no JSON"})
    half_done = local_only(scene, [f"A letter of {word}."], *asks, auto)
    unread = local_only(scene, [f"Another of {word}."], *asks, auto)
    scene.docmill.run("pause", str(unread))
    with scene.docmill.worker("all"):
        assert scene.until_over(half_done) == {"failed": 5, "done": 1}

    scene.configure(config)
    if config is ALL_ON_THE_FRONTIER:
        scene.ollama.set(answers={})
    scene.docmill.run("retry", str(half_done))
    scene.docmill.run("resume", str(unread), "--max-cost", "1000")
    later = local_only(scene, [f"A third of {word}."], *asks, auto)
    with scene.docmill.worker("all"):
        states = {"done": 6} if config is ALL_ON_THE_FRONTIER else {"failed": 5, "done": 1}
        for batch in (half_done, unread, later):
            scene.check_kept(batch, word, **states)
        if config is ALL_ON_THE_FRONTIER:
            scene.check_frontier_serves(*TaskType)


PROXIED = """
[engines.local]
kind = "openai"
base_url = "{url}/v1"
"""


def test_a_proxy_of_the_environment_sees_nothing_of_what_runs_locally(scene: Scene) -> None:
    word = a_word()
    with stub_process("openai", "--models", LOCAL_MODEL, "--keep-texts", "true") as llama:
        scene.configure(PROXIED.format(url=llama.url))
        del scene.docmill.environment["OLLAMA_HOST"]
        proxy = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY"), scene.frontier.url)
        scene.docmill.environment |= proxy
        with scene.docmill.worker("all"):
            batch = local_only(scene, [f"A letter of {word}."], {"ask": "Sum up."})
            scene.check_kept(batch, word, done=1)
        assert any(word in line["text"] for line in llama.prompts())


# -- each refusal alone: what the others do is taken out of the real worker, or of the database

POLICY = re.compile(r"WHEN p\.leaves THEN 'policy'\s+")
RULE_OUT = """
import dataclasses, worker.route as r
route = r.route
r.route = lambda facts, config: route(
    dataclasses.replace(facts, local_only=False, pinned=False), config)
"""
CLAIM_OUT = f"""
import re, models.sql as s
load = s.load_sql
s.load_sql = lambda *name: re.sub({POLICY.pattern!r}, "", load(*name))
"""
CONSTRAINT_OUT = "ALTER TABLE {0} DROP CONSTRAINT ck_{0}_local_only"


def sabotage(scene: Scene, *out: str) -> Docmill:
    """The commands, in processes that break these refusals before anything else is imported."""
    folder = scene.docmill.folder / "sabotage"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text("".join(out))
    path = {"PYTHONPATH": f"{folder}:{ROOT}"}
    return replace(scene.docmill, environment=scene.docmill.environment | path)


def drop_constraints(scene: Scene) -> None:
    for table in ("jobs", "calls"):
        scene.rows(CONSTRAINT_OUT.format(table))


def test_the_claim_holds_the_clause_that_these_tests_take_out() -> None:
    assert len(POLICY.findall(load_sql("worker", "run/reserve"))) == 1


def test_with_every_refusal_taken_out_a_private_text_is_seen_at_the_frontier(scene: Scene) -> None:
    """That the others would see it, too."""
    word = a_word()
    drop_constraints(scene)
    batch = local_only(scene, [f"A letter of {word}."], SUM_UP)
    with sabotage(scene, RULE_OUT, CLAIM_OUT).worker("all"):
        assert scene.until_over(batch) == {"done": 1}
    assert len(scene.seen(word)) == 1


def test_the_rule_alone_keeps_a_batch_local(scene: Scene) -> None:
    word = a_word()
    drop_constraints(scene)
    scene.ollama.set(answers=NOT_IN_THE_TEXT)
    asks = (
        SUM_UP,
        FIND,
    )
    batch = local_only(scene, [f"A letter of {word}."], *asks)
    with sabotage(scene, CLAIM_OUT).worker("all"):
        scene.check_kept(batch, word, done=2)
        scene.check_frontier_serves()


def test_the_claim_alone_keeps_a_batch_from_the_frontier(scene: Scene) -> None:
    word = a_word()
    drop_constraints(scene)
    batch = local_only(scene, [f"A letter of {word}."], SUM_UP)
    with sabotage(scene, RULE_OUT).worker("all"):
        scene.until_states(batch, ready=1)
        scene.check_frontier_serves()
        scene.check_frontier_serves()
        sql = "SELECT state, zone, attempts FROM jobs WHERE batch_id = %s"
        assert scene.rows(sql, batch) == [("ready", "frontier", 0)]

    scene.rows(
        "UPDATE jobs SET zone = 'local', engine = 'local', model = %s WHERE local_only", LOCAL_MODEL
    )
    with scene.docmill.worker("all"):
        scene.check_kept(batch, word, done=1)


def test_the_constraint_alone_keeps_a_batch_from_the_frontier(scene: Scene) -> None:
    word = a_word()
    batch = local_only(scene, [f"A letter of {word}."], SUM_UP)
    with sabotage(scene, RULE_OUT, CLAIM_OUT).worker("all") as worker:
        worker.until_says("ck_jobs_local_only")
        assert scene.until_over(batch) == {}, "its document failed"
        scene.check_frontier_serves()

    scene.docmill.run("retry", str(batch))
    with scene.docmill.worker("all"):
        scene.check_kept(batch, word, done=1)


def test_the_constraint_alone_keeps_an_escalation_from_the_frontier(scene: Scene) -> None:
    word = a_word()
    scene.ollama.set(answers=NOT_IN_THE_TEXT)
    with sabotage(scene, RULE_OUT, CLAIM_OUT).worker("all") as worker:
        batch = local_only(scene, [f"A letter of {word}."], FIND)
        worker.until_says("ck_jobs_local_only")
        assert scene.until_over(batch) == {"failed": 1}
        scene.check_frontier_serves()

    scene.docmill.run("retry", str(batch))
    with scene.docmill.worker("all"):
        scene.check_kept(batch, word, done=1)
