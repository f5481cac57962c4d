"""The worker as in production, but that it waits seconds where that waits minutes or hours.

MADE_UP_DAY is a day and a number: so many rows it then has, from no source at all.
"""

import dataclasses
import datetime as dt
import os

from celery.app import autoretry
from google.cloud.bigquery import client as bigquery_client

from celery_worker import celery_app, flask_app
from pypistats import schedule, tasks
from pypistats.sources import bigquery
from tests.fixed_source import FixedSource, made_up_day
from tests.fixtures_bigquery import IMPATIENT

__all__ = ["celery_app", "flask_app"]


def open_made_up(*_: object, **__: object) -> FixedSource:
    day, rows = os.environ["MADE_UP_DAY"].split()
    return FixedSource(*made_up_day(dt.date.fromisoformat(day), int(rows)))


autoretry.get_exponential_backoff_interval = lambda **_: 0.2
schedule.AFTER_FAILURE = dt.timedelta(seconds=1)
schedule.AFTER_CRASH = dt.timedelta(seconds=0.2)
bigquery.Patience = lambda: dataclasses.replace(IMPATIENT, request=2, job=5)
bigquery_client._MIN_GET_QUERY_RESULTS_TIMEOUT = 0.2
if "MADE_UP_DAY" in os.environ:
    tasks.open_source = open_made_up
