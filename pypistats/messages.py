"""Messages to the worker, as Celery has them; without Celery, which takes a web process 9 MiB.

What is written is version 2 of Celery's message protocol, and the list in Redis that kombu reads.
"""

import base64
import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from pypistats.clock import utc_now

DAYS_QUEUE, WANTS_QUEUE = "pypistats", "pypistats.wants"
"""The queue of the schedule, and that of what visitors ask for, which comes after it."""

WANTED = ("fetch-package", "refresh-package-info")
"""The tasks that visitors cause."""

MESSAGE_SECONDS = 600
"""How long a message may wait in the queue; the row in `wants` outlasts it."""

HASTE = 0.5
"""Seconds in which the queue is told, or not at all."""


class QueueError(Exception):
    """Nothing can be queued now."""


class Message(NamedTuple):
    """A task that is to be done, and its arguments."""

    task: str
    arguments: Sequence[str] = ()


def send(messages: Sequence[Message], redis_url: str | None) -> None:
    """Queue tasks, in order; no result is asked for. Raises QueueError."""
    if redis_url is None:
        raise QueueError("there is no REDIS_URL")
    options: dict[str, Any] = {"socket_timeout": HASTE, "socket_connect_timeout": HASTE}
    try:
        with redis.Redis.from_url(redis_url, retry=Retry(NoBackoff(), 0), **options) as client:
            for message in messages:
                queue = WANTS_QUEUE if message.task in WANTED else DAYS_QUEUE
                client.lpush(queue, orjson.dumps(_written(message, queue)))
    except (redis.RedisError, OSError) as error:
        raise QueueError(str(error)) from error


def _written(message: Message, queue: str) -> Mapping[str, Any]:
    """Return a message as it stands in the queue."""
    own = str(uuid.uuid4())
    expires = utc_now() + dt.timedelta(seconds=MESSAGE_SECONDS)
    after = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
    return {
        "body": base64.b64encode(orjson.dumps([message.arguments, {}, after])).decode(),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {
            "lang": "py",
            "task": message.task,
            "id": own,
            "root_id": own,
            "parent_id": None,
            "group": None,
            "retries": 0,
            "expires": expires.isoformat(),
            "timelimit": [None, None],
            "argsrepr": repr(message.arguments),
            "kwargsrepr": "{}",
            "ignore_result": True,
        },
        "properties": {
            "correlation_id": own,
            "reply_to": "",
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": queue},
            "priority": 0,
            "expiration": str(MESSAGE_SECONDS * 1000),
            "body_encoding": "base64",
            "delivery_tag": str(uuid.uuid4()),
        },
    }
