"""The report on an observed run: the timeline with measured numbers, the faults, and how they compare with the static check."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from gradlint.api import check_paths
from gradlint.diagnostic import Diagnostic
from gradlint.observe.compared import Comparison, compare, fix_of, words
from gradlint.observe.files import Files
from gradlint.observe.judging import Found, Judged, judged
from gradlint.observe.ordering import in_closures, ordered
from gradlint.observe.place import ObservedReading
from gradlint.observe.record import Process, Record
from gradlint.observe.replaying import replay
from gradlint.observe.sentences import between, unusual, windows
from gradlint.registry import all_rules
from gradlint.report.lines import safe
from gradlint.show.as_run import Accusation, as_run
from gradlint.show.labels import LABELS
from gradlint.show.loops import Loop, loops_of
from gradlint.show.text import Style, draw, legend

_MOST = 12
"""The maximum number of updates to list."""


def report(found: Sequence[Process], status: int, style: Style) -> Iterator[str]:
    """The lines of the report on the processes of a program."""
    process = found[0]
    files = Files()
    run = judged(replay(process.records, files), files, () if in_closures(process.records) else all_rules())
    yield from (safe(each) for each in (*unusual(process, status), *between(found)))
    yield from _drawn(run, style)
    yield from _updates(process)
    compared = compare(run.found, _static(files))
    yield from _faults(compared)
    yield ""
    yield from (f"  {each}" for each in words(compared))


def _static(files: Files) -> list[Diagnostic]:
    names = [name for name, file in files.known.items() if file is not None]
    return list(check_paths(names)) if names else []


def _drawn(run: Judged, style: Style) -> Iterator[str]:
    timelines = []
    for loop in _loops(run):
        reading = ObservedReading.of(loop, run.files)
        if reading is None:
            continue
        own = [_accusation(each) for each in run.found]
        timeline = as_run(loop, own, reading)
        yield ""
        yield safe(f"{_short(reading.filename)}:{timeline.at.line} training loop in {timeline.function}")
        yield ""
        yield from draw(timeline, style)
        timelines.append(timeline)
    if timelines:
        yield ""
        yield from legend(timelines, style)


def _accusation(found: Found) -> Accusation:
    event = found.scene.event
    shifts = found.rule.promise.windows
    return Accusation(found.rule.code, found.rule.name, LABELS.get(event.what, ""), event.node, found.finding.at, shifts=shifts)


def _loops(run: Judged) -> list[Loop]:
    return list(loops_of((run.simulation,)))


def _updates(process: Process) -> Iterator[str]:
    """The numbers measured at each update."""
    records = ordered(process.records)
    rows = windows(records)[:_MOST]
    if not rows:
        return
    scales = _scales(records)
    several = len({each["optimizer"] for _, each in rows}) > 1
    yield ""
    yield f"  {'update':>6}  {'micro-batches':>13}  {'gradient norm':>13}  {'learning rate':>13}{'  loss scale' if scales else ''}"
    for number, (count, step) in enumerate(rows, 1):
        scale = f"  {scales.get(id(step), ''):>10}" if scales else ""
        name = f"  {step['kind']} {step['optimizer'] + 1}" if several else ""
        yield f"  {number:>6}  {count:>13}  {_number(step['norm']):>13}  {_number(step['rate']):>13}{scale}{name}".rstrip()


def _scales(records: Sequence[Record]) -> dict[int, str]:
    """What the scaler multiplied the losses of each update by."""
    found, now = {}, None
    for each in records:
        if each.what == "backward" and each["factor"] is not None:
            now = each["factor"]
        elif each.what == "step" and now is not None:
            found[id(each)] = f"{now:g}"
    return found


def _number(value: float | None) -> str:
    return f"{value:.4g}" if value is not None else "-"


def _faults(compared: Comparison) -> Iterator[str]:
    for pair in compared.pairs:
        each = pair.found
        row, message, reason = each.row, each.finding.message, each.finding.reason
        if pair.static is not None:  # it knows what the numbers are called
            row, message, reason = pair.static.span.start.row, pair.static.message, pair.static.reason
        severity = each.rule.severity.value
        yield ""
        header = f"{severity}[{each.rule.code}]"
        colour = "red" if severity == "error" else "yellow"
        yield f"{click.style(header, fg=colour, bold=True)} {safe(f'{_short(each.file)}:{row}: {message}')}"
        if reason:
            yield safe(f"  note: {reason}")
        if fix := fix_of(pair):
            yield safe(f"  fix: {fix}")


def _short(name: str) -> str:
    path = Path(name)
    try:
        return os.fspath(path.relative_to(Path.cwd()))
    except ValueError:
        return name
