import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import queue
from models.errors import ConfigError, InputError
from models.queue import FETCH_S, LONGEST_NAME, LOOK, broker_url, read_message, redis_url
from models.words import INGEST, Pool, Queue, Stage, Zone


@pytest.mark.parametrize(
    ("url", "broker"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("redis://:secret@host:6380/2?x=1", "redis://:secret@host:6380/2?x=1"),
        ("rediss://host/0", "rediss://host/0"),
        ("unix:///run/redis.sock", "redis+socket:///run/redis.sock?virtual_host=0"),
        ("unix:///run/redis.sock?db=3", "redis+socket:///run/redis.sock?virtual_host=3"),
        ("unix:///a/b/valkey.sock?db=0&x=y", "redis+socket:///a/b/valkey.sock?virtual_host=0"),
    ],
)
def test_the_broker_url_spells_unix_sockets_as_celery_does(url, broker):
    assert broker_url(url) == broker


def test_the_password_of_a_unix_socket_is_kept():
    assert "secret" in broker_url("unix://user:secret@/run/redis.sock?db=0")


@pytest.mark.parametrize("url", ["http://host", "localhost:6379", "postgresql://host/db"])
def test_a_url_that_is_no_redis_is_refused(monkeypatch, url):
    monkeypatch.setenv("REDIS_URL", url)
    with pytest.raises(ConfigError, match="redis://"):
        redis_url()


@pytest.mark.parametrize("url", ["redis://:secret/word@h:1", "redis://u:p:secret#@h:1"])
def test_what_is_said_of_a_wrong_redis_url_holds_no_part_of_its_password(monkeypatch, url):
    monkeypatch.setenv("REDIS_URL", url)
    with pytest.raises(ConfigError, match="REDIS_URL") as caught:
        redis_url()
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("said", [None, 7, 1.5, True, [1, 2], ["ingest"], {"queue": "ingest"}])
def test_a_message_that_is_no_name_is_refused(said):
    with pytest.raises(InputError, match=f"a message names a queue, found {type(said).__name__}"):
        read_message(said)


@pytest.mark.parametrize("said", ["", "x" * (LONGEST_NAME + 1), "x" * 10**6])
def test_a_message_names_a_queue_of_sensible_length(said):
    with pytest.raises(InputError, match=f"1 to {LONGEST_NAME} characters, found {len(said)}"):
        read_message(said)
    assert read_message("x" * LONGEST_NAME) == "x" * LONGEST_NAME


@pytest.mark.parametrize(
    ("queue", "name"),
    [
        (INGEST, "ingest"),
        (Queue(Stage.CLASSIFY, "local", "phi4-mini"), "classify:local/phi4-mini"),
        (Queue(Stage.RUN, "local", "gemma3:4b"), "local/gemma3:4b"),
        (Queue(Stage.RUN, "frontier", "anthropic/claude"), "frontier/anthropic/claude"),
    ],
)
def test_what_a_queue_is_called(queue, name):
    assert queue.name == name
    assert read_message(name) == name


ENGINES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,20}", fullmatch=True)
MODELS = st.text(min_size=1, max_size=9)
QUEUES = st.one_of(
    st.just(INGEST),
    st.builds(
        Queue,
        st.sampled_from([Stage.CLASSIFY, Stage.RUN]),
        ENGINES,
        st.text(min_size=1, max_size=9),
    ),
)


@given(QUEUES, QUEUES)
def test_no_two_queues_have_one_name(one, other):
    assert (one.name == other.name) is (one == other)


@pytest.mark.parametrize(
    ("pool", "reads", "zones"),
    [
        (Pool.INGEST, True, set()),
        (Pool.LOCAL, False, {Zone.LOCAL}),
        (Pool.FRONTIER, False, {Zone.FRONTIER}),
        (Pool.ALL, True, {Zone.LOCAL, Zone.FRONTIER}),
    ],
)
def test_what_each_pool_serves(pool, reads, zones):
    assert (pool.reads, pool.zones) == (reads, zones)


def test_a_message_says_which_queue_and_no_more(monkeypatch):
    sent = []
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setattr(
        queue.celery_app(), "send_task", lambda name, **more: sent.append((name, more))
    )
    queue.ring("local/m")
    assert sent == [(LOOK, {"args": ("local/m",), "queue": "local/m", "retry": False})]


def test_the_broker_is_asked_for_nothing_that_postgres_does_better(monkeypatch):
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    conf = queue.celery_app().conf
    assert conf.task_ignore_result is True
    assert conf.result_backend is None
    assert conf.task_acks_late is False
    assert conf.accept_content == ["json"]
    assert conf.task_publish_retry is False


def test_one_look_for_a_message_is_as_short_as_we_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    with queue.celery_app().connection_for_read() as connection:
        assert connection.transport.brpop_timeout == FETCH_S
