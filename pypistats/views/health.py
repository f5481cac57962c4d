"""Whether the site is alive and whether it is ready, for load balancers and people."""

from typing import Any

import psycopg2
from flask import Blueprint, current_app

from pypistats import queries
from pypistats.answers import Answers
from pypistats.errors import RETRY_AFTER
from pypistats.migrations import newest_migration

bp = Blueprint("health", __name__)

Answer = tuple[dict[str, Any], int, dict[str, str]]


@bp.get("/health")
def health() -> dict[str, Any]:
    """Answer that the process is alive, whatever the database does.

    `sample_data` tells whether numbers are made up, as the process saw it last; it is null while
    the database was never reached. Nothing is asked for it: who asks this may not be kept waiting.
    """
    site: Answers = current_app.extensions["answers"]
    known = site.keeper.watch.at_hand()
    return {"status": "ok", "sample_data": known.sample if known else None}


@bp.get("/ready")
def ready() -> Answer:
    """Answer 200 once the database is reachable and its tables are this code's, else 503."""
    document: dict[str, Any] = {
        "status": "not ready",
        "database": False,
        "migrations": False,
        "last_day": None,
    }
    try:
        document["migrations"] = queries.schema_revision() == newest_migration()
        document["database"] = True
        last_day = queries.data_status().last_day if document["migrations"] else None
    except psycopg2.Error:
        document["database"] = False
    if not (document["database"] and document["migrations"]):
        return document, 503, {"Retry-After": str(RETRY_AFTER)}
    return document | {"status": "ready", "last_day": last_day and last_day.isoformat()}, 200, {}
