"""What stands in the queue is what Celery would have written, and what it reads."""

import base64
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
import redis
from celery import Celery

from pypistats import messages
from pypistats.embedded import ValkeyServer
from pypistats.messages import DAYS_QUEUE, WANTS_QUEUE, Message, QueueError
from pypistats.workers import celery_settings
from tests.network import free_port

OUR_OWN = ("id", "root_id", "expires", "correlation_id", "delivery_tag", "reply_to")
"""What is another for each message."""


@pytest.fixture
def server(valkey_server: ValkeyServer) -> "redis.Redis":
    """Give a connection to a server without a message."""
    server = redis.from_url(valkey_server.url)
    server.flushall()
    return server


def taken(server: "redis.Redis", queue: str) -> dict[str, Any]:
    """Take the oldest message out of a queue."""
    message = orjson.loads(server.rpop(queue))
    return message | {"body": orjson.loads(base64.b64decode(message["body"]))}


def without_our_own(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in OUR_OWN}


@pytest.mark.parametrize(
    ("task", "arguments", "queue"),
    [("fetch-package", ["numpy"], WANTS_QUEUE), ("refresh-names", (), DAYS_QUEUE)],
)
def test_a_message_is_celerys(
    task: str,
    arguments: Sequence[str],
    queue: str,
    server: "redis.Redis",
    valkey_server: ValkeyServer,
) -> None:
    celery = Celery()
    celery.config_from_object(
        celery_settings(
            {
                "REDIS_URL": valkey_server.url,
                "SOURCE": "none",
                "SCHEDULE_SECONDS": 60,
                "PYPI_URL": None,
                "INGEST_SCOPE": "all",
                "WORKER_CONCURRENCY": 1,
            }
        )
    )
    celery.send_task(task, arguments, ignore_result=True, expires=messages.MESSAGE_SECONDS)
    celerys = taken(server, queue)

    messages.send([Message(task, arguments)], valkey_server.url)
    ours = taken(server, queue)

    assert ours.keys() == celerys.keys()
    assert ours["body"] == celerys["body"]
    assert without_our_own(ours["properties"]) == without_our_own(celerys["properties"])
    headers = {name: celerys["headers"][name] for name in ours["headers"]}
    assert without_our_own(ours["headers"]) == without_our_own(headers)
    assert len(ours["headers"]["expires"]) == len(headers["expires"])


def test_messages_stay_in_order(server: "redis.Redis", valkey_server: ValkeyServer) -> None:
    wanted = ["numpy", "flask"]

    messages.send([Message("fetch-package", [name]) for name in wanted], valkey_server.url)

    assert [taken(server, WANTS_QUEUE)["body"][0] for _ in wanted] == [["numpy"], ["flask"]]
    assert server.llen(WANTS_QUEUE) == 0


@pytest.mark.parametrize(
    "url", [None, f"redis://127.0.0.1:{free_port()}"], ids=["none", "nothing listens"]
)
def test_what_can_not_be_queued_is_told(url: str | None) -> None:
    with pytest.raises(QueueError):
        messages.send([Message("refresh-names")], url)
