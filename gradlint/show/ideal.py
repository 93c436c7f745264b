"""What a loop's rows should be: what the rules found wrong is put right, and everything else stays as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gradlint.model.anchors import RANK
from gradlint.model.types import Cadence, Event, Kind, Phase, TrainingLoop, exclusive
from gradlint.show.clock import Clock, Marks, marks_of, merged
from gradlint.show.grid import Mark
from gradlint.show.lanes import Lane
from gradlint.show.verdicts import CALLS

_TO_UPDATE = frozenset({"GRD203", "GRD204", "GRD301", "GRD304", "GRD305", "GRD401", "GRD404"})
"""Runs once per window instead."""
_GUARDS = frozenset({"GRD201", "GRD202"})
"""The guard holds on the last micro-batch of each window, and on the last of all."""
_ORDER = frozenset({"GRD206", "GRD303", "GRD308", "GRD403"}) | _TO_UPDATE
"""Moves to its place in the update."""
_WHOLE = frozenset(("GRD101 GRD102 GRD103 GRD104 GRD105 GRD106 GRD206 GRD302 GRD303 GRD306 GRD403 GRD603").split())
"""Wrong wherever it runs, and not for being on the wrong micro-batch."""
_LACKING = frozenset({"GRD205", "GRD307", "GRD601"})
"""Right as it is, but for a call that should go with it."""
_CALLED_FOR = {
    "GRD205": ((Kind.ZERO_GRAD, "zero_grad"),),
    "GRD302": ((Kind.UNSCALE, "unscale"),),
    "GRD306": ((Kind.SCALER_UPDATE, "scaler update"), (Kind.UNSCALE, "unscale")),
    "GRD307": ((Kind.SCALER_UPDATE, "scaler update"),),
    "GRD601": ((Kind.NO_SYNC, "no_sync"),),
}
"""What goes with a repair, where it is not there yet."""
_DIVIDED = {"GRD101": "/N", "GRD102": "/N", "GRD103": "/N", "GRD104": "/N", "GRD105": "/tokens"}


@dataclass(frozen=True)
class Plan:
    """The rows as they are, with what is wrong marked, and as they should be."""

    rows: tuple[Lane, ...]
    better: tuple[Lane, ...]


def plan(lanes: Sequence[Lane], loop: TrainingLoop, clock: Clock, codes: dict[int, tuple[str, ...]]) -> Plan:
    """Judge the rows of a loop; `codes` are the findings by the identity of the event."""
    codes = _with_consequences(loop, codes)
    judged = [replace(lane, codes=_codes(lane, codes)) for lane in lanes]
    improved = {id(lane): _improved(lane, loop, clock, codes) for lane in judged}
    lacking = _lacking(judged, improved, clock)
    for absent in lacking:
        improved[id(absent)] = absent
        judged.insert(_place(absent, judged), absent)
    better = list(judged)
    for lane in judged:
        if _ORDER & set(lane.codes):
            better.remove(lane)
            better.insert(_place(lane, better), lane)
    rows = [_marked(lane, improved[id(lane)], absent=lane in lacking) for lane in judged]
    good = [replace(improved[id(lane)], codes=()) for lane in better]
    return Plan(tuple(rows), tuple(_united([lane for lane in good if lane.happens])))


def _united(lanes: Sequence[Lane]) -> list[Lane]:
    """Alternatives that have become alike share a row, as they would have from the beginning."""
    found: list[Lane] = []
    for lane in lanes:
        twin = next((i for i, each in enumerate(found) if lane.alternative and _plain(each) == _plain(lane)), None)
        if twin is not None:
            found[twin] = replace(found[twin], label=_plain(lane)[0])
        elif all(each.kind is not lane.kind for each in found):
            found.append(replace(lane, label=lane.label.removeprefix("or ")))
        else:
            found.append(lane)
    return found


def _plain(lane: Lane) -> tuple[str, Marks]:
    """What a row says and does, whether it runs through a scaler or not."""
    own = ("or", "scaled", "scaler") if lane.kind is Kind.OPTIMIZER_STEP else ("or", "scaled")
    return " ".join(word for word in lane.label.split(" ") if word not in own), lane.marks


def _codes(lane: Lane, codes: dict[int, tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(sorted({code for event in lane.events for code in codes.get(id(event), ())}))


def _with_consequences(loop: TrainingLoop, codes: dict[int, tuple[str, ...]]) -> dict[int, tuple[str, ...]]:
    """What goes with a finding: calls that belong to a step move with it, and a scaler's step asks for a scaled loss."""
    found = dict(codes)
    steps = _accused("GRD204", loop, codes)
    unscaled = [step for step in _accused("GRD306", loop, codes) if step.through == "scaler"]
    for event in loop.events:
        if event.kind is Kind.BACKWARD and any(not exclusive(event.path, step.path) for step in unscaled):
            found[id(event)] = tuple(sorted({*codes.get(id(event), ()), "GRD306"}))
        follows = event.kind in RANK and event.kind not in (Kind.GRAD_SCALE, Kind.OPTIMIZER_STEP)
        if follows and event.cadence is Cadence.PER_MICRO_BATCH and (event.kind is not Kind.SCHEDULER_STEP or not event.args):
            if any(not exclusive(event.path, step.path) for step in steps):
                found[id(event)] = tuple(sorted({*codes.get(id(event), ()), "GRD204"}))
    return found


def _accused(code: str, loop: TrainingLoop, codes: dict[int, tuple[str, ...]]) -> list[Event]:
    return [step for step in loop.all(Kind.OPTIMIZER_STEP) if code in codes.get(id(step), ())]


# One row


def _improved(lane: Lane, loop: TrainingLoop, clock: Clock, codes: dict[int, tuple[str, ...]]) -> Lane:
    """The row as it should be; nothing happens in one that should not be there."""
    if not lane.codes:
        return lane
    marks: Marks = (Mark.NOTHING,) * len(lane.marks)
    for event in lane.events:
        marks = merged(marks, _better(event, loop, clock, codes.get(id(event), ())))
    return replace(lane, marks=marks, label=_better_label(lane))


def _better(event: Event, loop: TrainingLoop, clock: Clock, codes: tuple[str, ...]) -> Marks:
    now = marks_of(event, loop, clock)
    if event.cadence in (Cadence.PER_EPOCH, Cadence.ONCE):
        return now
    if _TO_UPDATE & set(codes) and _in_place_already(event, loop):
        return tuple(Mark.NOTHING for _ in now)
    gated = event.kind is Kind.OPTIMIZER_STEP and "GRD103" in codes
    if gated or _TO_UPDATE & set(codes):
        return _with_the_update(loop, clock)
    if "GRD602" in codes:
        return inside_window(clock)
    if _GUARDS & set(codes):
        closing = once_per_window(clock) if event.cadence is Cadence.PER_UPDATE else inside_window(clock)
        mark = Mark.MAYBE if event.conditional else Mark.HAPPENS
        return tuple(mark if each is Mark.HAPPENS else each for each in closing)
    return now


def _in_place_already(event: Event, loop: TrainingLoop) -> bool:
    """Whether the same is done once per window elsewhere: by another step, or on the other arm of the boundary's test."""
    others = [
        each
        for each in loop.all(event.kind)
        if each.cadence is Cadence.PER_UPDATE and each.target == event.target and each.owner == event.owner
    ]
    if event.kind is Kind.OPTIMIZER_STEP:
        return any(not exclusive(each.path, event.path) for each in others)
    return event.cadence is Cadence.INSIDE_WINDOW and bool(others)


def _with_the_update(loop: TrainingLoop, clock: Clock) -> Marks:
    """Once per window; where a boundary is nobody's to tell, nor is the micro-batch on which that is."""
    once = once_per_window(clock)
    if loop.boundary is None or loop.boundary.phase is not Phase.UNKNOWN:
        return once
    return (once[0], *(Mark.UNKNOWN for _ in clock.shown), once[-1])


def once_per_window(clock: Clock) -> Marks:
    """On the last micro-batch of each window, and on the last of all."""
    return (Mark.NOTHING, *(Mark.HAPPENS if clock.closes(k) else Mark.NOTHING for k in clock.shown), Mark.NOTHING)


def inside_window(clock: Clock) -> Marks:
    """On every other micro-batch."""
    return (Mark.NOTHING, *(Mark.NOTHING if clock.closes(k) else Mark.HAPPENS for k in clock.shown), Mark.NOTHING)


def _better_label(lane: Lane) -> str:
    label = lane.label
    for code in lane.codes:
        if code in _DIVIDED and lane.kind is Kind.BACKWARD:
            label = f"{label.partition('/')[0]}{_DIVIDED[code]}"
    if "GRD306" in lane.codes and lane.kind is Kind.BACKWARD and "scaled" not in label:
        return label.replace("backward ", "backward scaled ", 1)
    if "GRD306" in lane.codes and lane.kind is Kind.OPTIMIZER_STEP and "scaler" not in label:
        return label.replace("step", "scaler step", 1)
    return label.removesuffix("/N") if lane.kind is Kind.REPORT else label


def _marked(lane: Lane, better: Lane, *, absent: bool) -> Lane:
    """The row as it is, each mark that should not be there and each that is lacking told apart."""
    if not absent:
        lane = replace(lane, codes=tuple(code for code in lane.codes if code not in _LACKING))
    # What is on the right micro-batches already, and accused all the same, stands in the wrong place of them.
    whole = bool(lane.codes) and (bool(_WHOLE & set(lane.codes)) or lane.marks == better.marks)
    marks = []
    for now, then in zip((Mark.NOTHING,) * len(lane.marks) if absent else lane.marks, better.marks, strict=True):
        runs = now in (Mark.HAPPENS, Mark.MAYBE)
        if runs and (whole or then in (Mark.NOTHING, Mark.UNKNOWN)):
            marks.append(Mark.WRONG)
        elif now is Mark.NOTHING and then in (Mark.HAPPENS, Mark.MAYBE):
            marks.append(Mark.MISSING)
        else:
            marks.append(now)
    return replace(lane, marks=tuple(marks))


# Rows that are lacking, and their order


def _lacking(lanes: Sequence[Lane], improved: dict[int, Lane], clock: Clock) -> list[Lane]:
    """The rows that are not there and should be, as they should be."""
    kinds = {each.kind for each in lanes}
    found: dict[Kind, Lane] = {}
    accused = [(code, lane) for lane in lanes for code in lane.codes if CALLS.get(code) is lane.kind]
    for code, at_fault in accused:
        for kind, label in _CALLED_FOR.get(code, ()):
            needed = kind is not Kind.UNSCALE or Kind.CLIP in kinds
            if needed and kind not in kinds and kind not in found:
                marks = inside_window(clock) if kind is Kind.NO_SYNC else improved[id(at_fault)].marks
                found[kind] = Lane(kind, label, (), marks)
            if kind in found:
                found[kind] = replace(found[kind], codes=tuple(sorted({*found[kind].codes, code})))
    return list(found.values())


def _place(lane: Lane, order: Sequence[Lane]) -> int:
    """Where a row belongs among the others: in the order of one update, after the last backward pass."""
    if lane.kind not in RANK:
        return next((i for i, each in enumerate(order) if each.kind is Kind.BACKWARD), 0)
    start = max((i + 1 for i, each in enumerate(order) if each.kind is Kind.BACKWARD), default=0)
    own = [i for i, each in enumerate(order) if i >= start and each.kind is Kind.OPTIMIZER_STEP and _same(each, lane)]
    rank = RANK[lane.kind]
    if rank <= RANK[Kind.OPTIMIZER_STEP]:
        later = (i for i, each in enumerate(order) if i >= start and RANK.get(each.kind, -1) > rank)
        return next(later, own[0] if own else len(order))
    start = own[-1] if own else start
    earlier = [i + 1 for i, each in enumerate(order) if i >= start and RANK.get(each.kind, rank) < rank]
    return earlier[-1] if earlier else len(order)


def _same(step: Lane, lane: Lane) -> bool:
    return step.target is None or lane.target is None or step.target == lane.target
