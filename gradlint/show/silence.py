"""Explains why a rule reports a training loop, or is silent about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from gradlint.diagnostic import Diagnostic
from gradlint.model.syntax.expressions import brief
from gradlint.rule import Rule
from gradlint.show.grid import Mark, Timeline
from gradlint.show.labels import LABELS
from gradlint.show.lanes import Lane
from gradlint.show.loops import Loop
from gradlint.show.reading import Reading
from gradlint.show.timeline import Drawn
from gradlint.show.words import often, updates
from gradlint.simulate.trace import What


@dataclass(frozen=True)
class _Subject:
    """What a rule is about: the kinds of event that it judges, and what to say about a loop without any."""

    kinds: tuple[What, ...]
    without: str = ""


_LOSS = _Subject((What.BACKWARD,))
_WINDOW = _Subject((What.STEP,))
_ZERO = _Subject((What.ZERO,), "nothing sets gradients to zero")
_CLIP = _Subject((What.CLIP,), "nothing clips gradients")
_UNSCALE = _Subject((What.UNSCALE,), "nothing unscales gradients")
_SCALER = _Subject((What.STEP, What.UNSCALE, What.SCALER_UPDATE), "no GradScaler scales the loss")
_SCHEDULE = _Subject((What.SCHEDULE,), "no learning-rate schedule advances in it")
_AVERAGE = _Subject((What.AVERAGE,), "no average of the weights is updated in it")
_REPORT = _Subject((What.REPORT,), "no loss is reported in it")
_PROCESSES = _Subject((What.BACKWARD,), "no model is wrapped for several processes")
_TRAINER = _Subject((), "the rule is about loops that a Trainer runs")
_SUBJECTS = {
    **dict.fromkeys("GRD101 GRD102 GRD103 GRD104 GRD105 GRD107 GRD503 GRD504".split(), _LOSS),
    **dict.fromkeys("GRD106 GRD108".split(), _REPORT),
    **dict.fromkeys("GRD203 GRD206".split(), _ZERO),
    **dict.fromkeys("GRD301 GRD303 GRD308 GRD309".split(), _CLIP),
    "GRD304": _UNSCALE,
    **dict.fromkeys("GRD302 GRD305 GRD306 GRD307 GRD310".split(), _SCALER),
    **dict.fromkeys("GRD401 GRD402 GRD403".split(), _SCHEDULE),
    "GRD404": _AVERAGE,
    **dict.fromkeys("GRD601 GRD602 GRD603".split(), _PROCESSES),
    **dict.fromkeys("GRD407 GRD701 GRD702 GRD703 GRD704".split(), _TRAINER),
}
_OF_WINDOWS = frozenset(
    "GRD101 GRD102 GRD103 GRD104 GRD105 GRD106 GRD107 GRD108 GRD201 GRD202 GRD203 GRD204 GRD209 GRD210 GRD211 GRD301 GRD304 GRD305 "
    "GRD401 GRD402 GRD404 GRD405 GRD406 GRD502 GRD503 GRD504 GRD601 GRD602".split()
)
"""Rules that find something only in a loop that accumulates, or is meant to."""


def why(rule: Rule, drawn: Drawn, *, runs: bool) -> Iterator[str]:
    """Yield one line for each training loop of a file. `runs` says whether the settings let the rule run."""
    for loop, lanes, timeline in drawn.loops:
        place = drawn.reading.at(loop.node) if loop.node is not None else timeline.at
        yield f"{timeline.filename}:{place.pointer} {timeline.function}: {_of_loop(rule, drawn, (loop, lanes, timeline), runs)}"


def _of_loop(rule: Rule, drawn: Drawn, drawing: tuple[Loop, tuple[Lane, ...], Timeline], runs: bool) -> str:
    loop, lanes, timeline = drawing
    own = _rows(loop, lanes, drawn.reading)
    silent = f"{rule.code} is silent here, since"
    reported = _first(rule, drawn.found, own)
    if reported is not None:
        where = drawn.reading.place(reported.span.start.row).words
        if not runs:
            return f"{silent} the settings turn it off; with `--select {rule.code}` it reports {where}: {reported.sentence}"
        return f"{rule.code} reports {where}: {reported.sentence}"
    silenced = _first(rule, drawn.silenced, own)
    if silenced is not None:
        where = drawn.reading.place(silenced.span.start.row).words
        return f"{silent} a comment at {where} silences it: {silenced.sentence}"
    return f"{silent} {_since(rule, loop, lanes, timeline, drawn.reading)}"


def _first(rule: Rule, found: Sequence[Diagnostic], own: Callable[[int], bool]) -> Diagnostic | None:
    return next((each for each in found if each.code == rule.code and own(each.span.start.row)), None)


def _rows(loop: Loop, lanes: Sequence[Lane], reading: Reading) -> Callable[[int], bool]:
    """Return whether a row of the text belongs to a loop: it is inside the loop, or has one of its calls."""
    source = reading.source
    span = source.span(loop.node) if loop.node is not None else None
    calls = {source.row_of(node) for lane in lanes for node in lane.nodes}
    first, last = (source.row_column(each)[0] for each in span) if span is not None else (1, 0)
    return lambda row: first <= row <= last or row in calls or span is None


def _since(rule: Rule, loop: Loop, lanes: Sequence[Lane], timeline: Timeline, reading: Reading) -> str:
    """Return why a rule finds nothing."""
    subject = _SUBJECTS.get(rule.code, _WINDOW)
    kinds = {LABELS[what] for what in subject.kinds}
    met = [lane for lane in lanes if lane.kind in kinds]
    if subject.without and not loop.trace.ended and not _has(subject, loop, met):
        return subject.without
    if timeline.unknown is not None:
        return f"gradlint cannot judge the loop: {timeline.unknown.why} ({timeline.unknown.at.words})"
    if loop.size < 2 and rule.code in _OF_WINDOWS:
        return "the loop does not accumulate: the weights change after each micro-batch"
    seen = "; ".join(_seen(lane, lanes, reading) for lane in met[:3])
    if subject is _WINDOW and loop.size > 1:
        seen = f"with N = {loop.size}, the loop updates after micro-batch {updates(loop, lanes)}"
    return f"no simulated run shows the fault{f': {seen}' if seen else ''}"


def _has(subject: _Subject, loop: Loop, met: Sequence[Lane]) -> bool:
    """Whether a loop has what a rule is about."""
    events = [event for run in loop.runs for event in run.trace.events]
    if subject is _SCALER:
        return any(event.scaled for event in events)
    if subject is _PROCESSES:
        return any(event.parallel for event in events)
    if subject is _REPORT:
        return any(event.what is What.REPORT for event in events)
    return bool(met)


def _seen(lane: Lane, lanes: Sequence[Lane], reading: Reading) -> str:
    """Return what the runs show for one row."""
    node = min(lane.nodes, key=reading.at)
    steps = {each.marks for each in lanes if each.kind == LABELS[What.STEP]}
    if lane.kind == LABELS[What.BACKWARD]:
        said = lane.label.removeprefix("or ").removeprefix("backward ")
        return f"`{brief(node)}` at {reading.at(node).words} backpropagates {said}"
    if all(mark is Mark.NOTHING for mark in lane.marks[1:-1]):
        return f"`{brief(node)}` at {reading.at(node).words} runs outside of the loop"
    return f"`{brief(node)}` at {reading.at(node).words} runs {often(lane, steps)}"
