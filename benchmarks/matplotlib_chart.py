"""The same chart by matplotlib, as its documentation draws one."""

import datetime as dt
from io import BytesIO

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt

from pypistats.series import Grid


def draw(grid: Grid, *, stacked: bool) -> bytes:
    """Return a PNG of 1200 by 600 pixels."""
    days = [dt.date.fromisoformat(day) for day in grid.days]
    figure, axes = plt.subplots(figsize=(12, 6), dpi=100)
    below = [0] * len(days)
    for name, values in grid.columns.items():
        if stacked:
            axes.bar(days, values, bottom=below, width=1, label=name)
            below = [sum(pair) for pair in zip(below, values, strict=True)]
        else:
            axes.plot(days, values, label=name)
    axes.set_title("requests")
    axes.legend()
    axes.grid(visible=True)
    figure.savefig(output := BytesIO(), format="png")
    plt.close(figure)
    return output.getvalue()
