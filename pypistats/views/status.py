"""What is loaded and what is not, day by day: a page and a document."""

from typing import Any

from flask import Blueprint, Response, current_app, render_template

from pypistats import provision, queries, schedule
from pypistats.answers import MOMENT
from pypistats.catalog import DayState, LedgerDay
from pypistats.clock import utc_now

bp = Blueprint("status", __name__)


@bp.get("/status")
def status() -> Response:
    """Show the window's days, the newest first."""
    source = current_app.config["SOURCE"]
    page = render_template("status.html", days=_window(), source=source, budget=_budget())
    return Response(page, headers={"Cache-Control": MOMENT})


@bp.get("/api/status")
def document() -> Response:
    """Answer the same as JSON."""
    days = _window()
    status = {
        "type": "status",
        "source": current_app.config["SOURCE"],
        "scope": current_app.config["INGEST_SCOPE"],
        "budget": _budget(),
        "states": {state.value: sum(row.state is state for row in days) for state in DayState},
        "data": [_day(row) for row in days],
    }
    text = current_app.json.dumps(status)
    return Response(text, mimetype="application/json", headers={"Cache-Control": MOMENT})


def _window() -> list[LedgerDay]:
    days = current_app.config["RETENTION_DAYS"]
    return schedule.window(queries.ledger(), utc_now(), days=days)


def _budget() -> dict[str, Any] | None:
    """Return what may be spent today and what was; None at a source that bills nothing."""
    config = current_app.config
    if config["SOURCE"] != "bigquery":
        return None
    spending = provision.spending()
    return {
        "bytes": config["BIGQUERY_DAILY_BUDGET"],
        "spent": spending.today,
        "gone_until": spending.gone_until and spending.gone_until.isoformat(timespec="seconds"),
    }


def _day(row: LedgerDay) -> dict[str, Any]:
    return {
        "day": row.day.isoformat(),
        "state": row.state,
        "rows": row.packages,
        "downloads": row.downloads,
        "source": row.source,
        "loaded_at": row.loaded_at and row.loaded_at.isoformat(timespec="seconds"),
        "bytes_billed": row.bytes_billed,
        "attempts": row.attempts,
        "note": row.note,
    }
