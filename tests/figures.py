"""Figures to draw: as large, as slow and as hostile as a test wants them."""

import datetime as dt
from typing import Any

Figure = dict[str, Any]


def figure(series: int = 4, days: int = 180, *, title: str = "flask") -> Figure:
    """Return a chart of lines; another title makes another picture."""
    first = dt.date(2026, 1, 1)
    labels = [(first + dt.timedelta(days=day)).isoformat() for day in range(days)]
    return {
        "data": [
            {
                "type": "scatter",
                "mode": "lines",
                "name": f"3.{number}",
                "x": labels,
                "y": [1000 * number + 37 * day % 1000 for day in range(days)],
            }
            for number in range(series)
        ],
        "layout": {"title": {"text": title}, "font": {"family": "Inter"}},
    }


def endless_figure() -> Figure:
    """Return a figure that takes Chrome minutes: a quarter of a million labelled points."""
    slow = figure(50, 5000)
    for line in slow["data"]:
        line |= {"mode": "lines+markers+text", "text": line["x"]}
    return slow
