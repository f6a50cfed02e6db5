import pytest

from models import queue
from models.errors import ConfigError, InputError
from models.queue import FETCH_S, TASKS, broker_url, read_hint, redis_url
from models.words import Pool, Queue


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


@pytest.mark.parametrize(
    "said", [None, 7, "123", {"1": 2}, [[1]], ["1"], [True], [1.0], [None], [-1], [2**63]]
)
def test_a_message_that_is_no_list_of_ids_is_refused(said):
    with pytest.raises(InputError, match="a hint"):
        read_hint(said)


def test_a_message_names_a_thousand_ids_at_most():
    assert read_hint(list(range(1000))) == list(range(1000))
    with pytest.raises(InputError, match="1000"):
        read_hint(list(range(1001)))


def test_every_queue_has_a_task_and_every_pool_consumes_known_queues():
    assert set(TASKS) == set(Queue)
    assert len(set(TASKS.values())) == len(Queue)
    consumed = [name for pool in (Pool.INGEST, Pool.LOCAL, Pool.FRONTIER) for name in pool.queues]
    assert sorted(consumed) == sorted(Pool.ALL.queues) == sorted(Queue)


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
