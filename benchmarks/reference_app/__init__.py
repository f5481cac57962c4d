"""The same answers written the usual way, to compare with: ORM rows, `jsonify`, and no cache.

A table per dimension has a row for each package, category and day, as row_per_category.py makes
them. An answer reads its rows as objects and puts them into dicts; a page does so for each chart.
"""

import datetime as dt
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flask import Flask, Response, abort, jsonify, render_template
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import BigInteger, Date, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Knows the tables."""


db = SQLAlchemy(model_class=Base)


class Recent(db.Model):  # type: ignore[name-defined,misc]
    """A package's downloads in the last day, week and month, a row each."""

    __tablename__ = "usual_recent"

    package: Mapped[str] = mapped_column(String(128), primary_key=True)
    category: Mapped[str] = mapped_column(String(128), primary_key=True)
    downloads: Mapped[int] = mapped_column(BigInteger)


class Downloads:
    """A package's downloads of one category on one day."""

    date: Mapped[Any] = mapped_column("day", Date, primary_key=True)
    package: Mapped[str] = mapped_column(String(128), primary_key=True)
    category: Mapped[str] = mapped_column(String(128), primary_key=True)
    downloads: Mapped[int] = mapped_column(BigInteger)


class Overall(Downloads, db.Model):  # type: ignore[name-defined,misc]
    """With and without mirrors."""

    __tablename__ = "usual_overall"


class PythonMajor(Downloads, db.Model):  # type: ignore[name-defined,misc]
    """By Python's major version."""

    __tablename__ = "usual_python_major"


class PythonMinor(Downloads, db.Model):  # type: ignore[name-defined,misc]
    """By Python's minor version."""

    __tablename__ = "usual_python_minor"


class System(Downloads, db.Model):  # type: ignore[name-defined,misc]
    """By operating system."""

    __tablename__ = "usual_system"


SERIES: dict[str, Any] = {
    "overall": Overall,
    "python_major": PythonMajor,
    "python_minor": PythonMinor,
    "system": System,
}


def create_app() -> Flask:
    """Return the app, on the database that DATABASE_URL names."""
    app = Flask(__name__)
    url = os.environ["DATABASE_URL"]
    app.config["SQLALCHEMY_DATABASE_URI"] = url.replace("postgresql://", "postgresql+psycopg2://")
    db.init_app(app)
    app.add_url_rule("/health", view_func=health)
    app.add_url_rule("/api/packages/<package>/recent", view_func=recent)
    app.add_url_rule("/api/packages/<package>/<dimension>", view_func=series)
    app.add_url_rule("/packages/<package>", view_func=page)
    return app


def health() -> str:
    """Say that the process answers."""
    return "OK"


def recent(package: str) -> Response:
    """Answer the downloads of the last day, week and month."""
    return jsonify(package=package, type="recent_downloads", data=recent_of(package))


def series(package: str, dimension: str) -> Response:
    """Answer the downloads by day and category."""
    if dimension not in SERIES:
        abort(404)
    data = [
        {"category": row.category, "date": str(row.date), "downloads": row.downloads}
        for row in rows_of(package, dimension)
    ]
    return jsonify(package=package, type=f"{dimension}_downloads", data=data)


def page(package: str) -> str:
    """Show the recent downloads, and charts of each dimension with their data in them."""
    return render_template(
        "package.html",
        package=package,
        recent=recent_of(package),
        figures=list(figures_of(package)),
    )


def recent_of(package: str) -> dict[str, int]:
    """Return the downloads by period; 404 for an unknown package."""
    rows = db.session.scalars(db.select(Recent).filter_by(package=package)).all()
    if not rows:
        abort(404)
    return {f"last_{row.category}": row.downloads for row in rows}


def rows_of(package: str, dimension: str) -> Sequence[Any]:
    """Return the rows of a series; 404 where there is none."""
    table = SERIES[dimension]
    rows: Sequence[Any] = db.session.scalars(
        db.select(table).filter_by(package=package).order_by(table.category, table.date)
    ).all()
    if not rows:
        abort(404)
    return rows


def figures_of(package: str) -> Iterator[dict[str, Any]]:
    """Yield what plotly.js draws: a chart of downloads for each dimension, and one of shares."""
    for dimension in SERIES:
        lines: dict[str, dict[dt.date, int]] = {}
        whole: dict[dt.date, int] = {}
        for row in rows_of(package, dimension):
            lines.setdefault(row.category, {})[row.date] = row.downloads
            whole[row.date] = whole.get(row.date, 0) + row.downloads
        yield figure(f"{dimension} downloads", lines)
        # Those with mirrors hold those without.
        if dimension != "overall":
            shares = {
                category: {day: 100 * downloads / whole[day] for day, downloads in days.items()}
                for category, days in lines.items()
            }
            yield figure(f"{dimension} percentages", shares)


def figure(title: str, lines: Mapping[str, Mapping[dt.date, float]]) -> dict[str, Any]:
    """Return a chart with a line for each category."""
    data = [
        {"name": category, "x": [str(day) for day in days], "y": list(days.values())}
        for category, days in lines.items()
    ]
    return {"data": data, "layout": {"title": {"text": title}}}
