"""The way to Redis: a few messages in each queue, which wake idle workers.

A message carries nothing but its queue's name. It says that there is something in Postgres to be
worked on; losing or repeating one is harmless. Results, retries, countdowns and canvas are
therefore all switched off.
"""

from collections.abc import Sequence
from functools import cache
from urllib.parse import parse_qs, urlsplit

import redis
from celery import Celery  # noqa: TID251
from kombu.exceptions import KombuError as KombuError

from models.embedded import attach_valkey
from models.errors import ConfigError, InputError
from models.settings import settings

LOOK = "docmill.look"
"""The one Celery task: look into the queue that the message came from."""

LONGEST_NAME = 1_000

FETCH_S = 0.1
"""How long one look for a message may take: until it is over, a worker keeps to the queues that it
named when it began."""

NO_URL = (
    "REDIS_URL is not a Redis URL: write redis://user:password@host:6379/0, with signs such as "
    "/ # ? @ in the password percent-encoded"
)


@cache
def redis_url() -> str:
    """REDIS_URL, or the embedded server's, started when it is not running."""
    url = settings().redis_url or attach_valkey(settings().home)
    try:
        scheme, _ = urlsplit(url).scheme, urlsplit(url).port
        redis.Redis.from_url(url)
    except ValueError:  # its message may repeat a part of the password
        raise ConfigError(NO_URL) from None
    if scheme not in ("redis", "rediss", "unix"):
        raise ConfigError(
            f"REDIS_URL must start with redis://, rediss:// or unix://, found {scheme}://"
        )
    return url


def broker_url(url: str) -> str:
    """The form that Celery takes: it spells Unix sockets in its own way."""
    parts = urlsplit(url)
    if parts.scheme != "unix":
        return url
    database = parse_qs(parts.query).get("db", ["0"])[0]
    account = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    return f"redis+socket://{account}{parts.path}?virtual_host={database}"


@cache
def redis_client() -> redis.Redis:
    """This process's Redis client, for depths and small shared state."""
    return redis.Redis.from_url(redis_url(), socket_timeout=5, socket_connect_timeout=2)


@cache
def celery_app() -> Celery:
    """The Celery application, with everything off that Postgres does better."""
    app = Celery("docmill", broker=broker_url(redis_url()), set_as_current=False)
    app.conf.update(
        task_ignore_result=True,
        task_acks_late=False,
        task_serializer="json",
        accept_content=["json"],
        task_publish_retry=False,
        task_create_missing_queues=True,
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            # A message that is lost is sent again: no books are kept of what was delivered.
            "ack_emulation": False,
            "polling_interval": FETCH_S,  # what kombu calls the time that a BRPOP may take
            "socket_timeout": 5,
            "socket_connect_timeout": 2,
            "health_check_interval": 10,
        },
    )
    return app


def ring(queue: str) -> None:
    """Publish one message: "there is something in this queue"."""
    celery_app().send_task(LOOK, args=(queue,), queue=queue, retry=False)


def depths(queues: Sequence[str]) -> list[int]:
    """How many messages each of these queues holds. Raises redis.RedisError or OSError."""
    with redis_client().pipeline(transaction=False) as pipeline:
        for queue in queues:
            pipeline.llen(queue)
        return [int(depth) for depth in pipeline.execute()]


def read_message(said: object) -> str:
    """The queue that a message names. Whoever reaches Redis can write one: raises InputError where
    it is anything but a name of sensible length."""
    if not isinstance(said, str):
        raise InputError(f"a message names a queue, found {type(said).__name__}")
    if not 0 < len(said) <= LONGEST_NAME:
        raise InputError(f"a queue's name has 1 to {LONGEST_NAME} characters, found {len(said)}")
    return said
