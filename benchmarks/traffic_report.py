"""The tables of `benchmarks.traffic`: waits and faults by kind of answer and by span."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import click

from benchmarks.bars import Bars
from benchmarks.traffic_client import Note, Notes
from benchmarks.traffic_truth import AFTER, BEFORE, NEITHER

MEASURED = ("before", "ingest", "around", "after")
GRACE = 5.0
"""Seconds after the ingest in which an answer from before is no old one: its commit is somewhere
in them, and each web process looks for the data's revision once a second."""

P99 = 100.0
"""The bar, in milliseconds."""


class Span(NamedTuple):
    """When something began and ended."""

    begin: float
    end: float


def report(
    notes: Notes,
    verdicts: Mapping[Any, frozenset[str]],
    spans: Mapping[str, Span],
    redrawn: tuple[int, int],
    bars: Bars,
) -> None:
    """Print what clients waited, and every fault that there was."""
    measured = [note for note in notes.answers if note.label in MEASURED]
    _print("", "answers", "a second", "304", "p50 ms", "p99 ms", "max ms")
    _line("all", measured, spans)
    for kind in sorted({note.request.kind for note in measured}):
        _line(kind, [note for note in measured if note.request.kind == kind], spans)
    for label in MEASURED:
        _line(f"{label} ({_seconds(spans[label]):.0f} s)",
              [note for note in measured if note.label == label], spans)  # fmt: skip
    faults = _faults(notes, verdicts, spans)
    click.echo(f"\nfaults: {sum(faults.values())}")
    for (label, fault), count in faults.most_common():
        click.echo(f"  {label}: {count} times {fault}")
    old = [note for note in measured if _is_old(note, verdicts, spans)]
    for kind in sorted({note.request.kind for note in old}):
        ages = [note.came_at - spans["ingest"].end for note in old if note.request.kind == kind]
        click.echo(
            f"{kind}: {len(ages)} answers from before the ingest later than {GRACE:.0f} s after it,"
            f" the last one {max(ages):.0f} s"
        )
    click.echo(f"drawn anew, {redrawn[0]} of {redrawn[1]} kept pictures are the same")
    bars.at_most("p99 of all", _p99(measured), P99, "ms")
    for label in MEASURED:
        waited = [note for note in measured if note.label == label]
        bars.at_most(f"p99, {label}", _p99(waited), P99, "ms")
    failed = sum(count for (label, _), count in faults.items() if label in MEASURED)
    bars.at_most("answers that failed or were wrong", failed, 0)


def report_rates(notes: Notes, spans: Mapping[str, Span], rates: Sequence[int]) -> None:
    """Print what clients waited at higher rates."""
    _print("\nasked for", "answers", "a second", "304", "p50 ms", "p99 ms", "max ms")
    for rate in rates:
        label = f"{rate}/s"
        _line(label, [note for note in notes.answers if note.label == label], spans)


def _line(title: str, notes: Sequence[Note], spans: Mapping[str, Span]) -> None:
    if not notes:
        return
    seconds = sum(_seconds(spans[label]) for label in {note.label for note in notes})
    waits = sorted(1_000 * note.seconds for note in notes)
    _print(
        title,
        f"{len(notes):,}",
        f"{len(notes) / seconds:,.0f}",
        f"{sum(note.status == 304 for note in notes):,}",
        f"{_quantile(waits, 0.5):.1f}",
        f"{_quantile(waits, 0.99):.1f}",
        f"{waits[-1]:.0f}",
    )


def _faults(
    notes: Notes, verdicts: Mapping[Any, frozenset[str]], spans: Mapping[str, Span]
) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    tags: dict[str, list[str]] = {}
    for note in notes.answers:
        fault = note.fault or _fault(note, verdicts, spans)
        if note.request.kind == "picture" and note.tag:
            shown = tags.setdefault(note.request.path, [])
            if note.tag not in shown:
                shown.append(note.tag)
                if len(shown) > 2 or (len(shown) > 1 and note.came_at < spans["ingest"].begin):
                    fault = "another picture of the same data"
        if fault:
            found[note.label, f"{note.request.kind}, {fault}"] += 1
    return found


def _fault(
    note: Note, verdicts: Mapping[Any, frozenset[str]], spans: Mapping[str, Span]
) -> str | None:
    if note.status not in (200, 304, 404):
        return f"status {note.status}"
    true_at = verdicts[note.request.path, note.tag]
    if true_at == NEITHER:
        return "wrong"
    if note.came_at < spans["ingest"].begin and BEFORE not in true_at:
        return "of a day that is not loaded"
    return None


def _is_old(note: Note, verdicts: Mapping[Any, frozenset[str]], spans: Mapping[str, Span]) -> bool:
    key = note.request.path, note.tag
    return (
        note.came_at > spans["ingest"].end + GRACE
        and not note.fault
        and AFTER not in verdicts.get(key, NEITHER)
    )


def _p99(notes: Sequence[Note]) -> float:
    return _quantile(sorted(1_000 * note.seconds for note in notes), 0.99)


def _quantile(ordered: Sequence[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, math.ceil(part * len(ordered)) - 1)]


def _seconds(span: Span) -> float:
    return span.end - span.begin


def _print(title: str, *cells: str) -> None:
    click.echo(f"{title:28}" + "".join(f"{cell:>12}" for cell in cells))
