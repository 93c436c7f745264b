"""From events to the rows of the picture: alternatives of one call share a row, and so do calls of one helper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import libcst as cst

from gradlint.model.syntax.expressions import dotted
from gradlint.model.types import Cadence, Engine, Event, Kind, LossScale, Scale, TrainingLoop, exclusive
from gradlint.show.clock import Clock, Marks, marks_of, merged
from gradlint.show.grid import Mark

_LABELS = {
    Kind.BACKWARD: "backward",
    Kind.OPTIMIZER_STEP: "step",
    Kind.ZERO_GRAD: "zero_grad",
    Kind.CLIP: "clip",
    Kind.UNSCALE: "unscale",
    Kind.SCALER_UPDATE: "scaler update",
    Kind.SCHEDULER_STEP: "schedule",
    Kind.EMA_UPDATE: "EMA",
    Kind.GRAD_SCALE: "scale gradients",
    Kind.NO_SYNC: "no_sync",
    Kind.REPORT: "report loss/N",
}
_LIGHTNING = "lightning, automatically"


@dataclass(frozen=True, eq=False)
class Lane:
    """A row in the making; `codes` are the rules that accuse it, an `alternative` runs in the place of another one."""

    kind: Kind
    label: str
    events: tuple[Event, ...]
    marks: Marks
    codes: tuple[str, ...] = ()
    alternative: bool = False

    @property
    def target(self) -> str | None:
        return next((event.target for event in self.events if event.target is not None), None)

    @property
    def owner(self) -> str | None:
        return next((event.owner for event in self.events if event.owner is not None), None)

    @property
    def happens(self) -> bool:
        return any(mark is not Mark.NOTHING for mark in self.marks)


def lanes_of(loop: TrainingLoop, clock: Clock, codes: dict[int, tuple[str, ...]]) -> list[Lane]:
    """The rows of a loop in the order in which they run; `codes` are the findings by the identity of the event."""
    groups: list[list[Event]] = []
    for event in loop.events:
        if (event.kind is Kind.REPORT and id(event) not in codes) or _never(event, loop):
            continue
        home = next((group for group in groups if _joins(event, group, loop, clock)), None)
        if home is None:
            groups.append([event])
        else:
            home.append(event)
    drafts = [_lane(group, loop, clock, codes) for group in _in_order(groups)]
    drafts = [lane for lane in drafts if lane.happens]
    return [_named(lane, drafts, loop) for lane in drafts]


def _never(event: Event, loop: TrainingLoop) -> bool:
    """A call in a helper, under the boundary's test, on the arm of the helper's call on which that test fails."""
    if event.cadence is not Cadence.INSIDE_WINDOW or event.boundary is None or event.kind in (Kind.BACKWARD, Kind.NO_SYNC):
        return False
    test = event.boundary.test
    twins = (each for each in loop.all(event.kind) if each.node is event.node and each.cadence is Cadence.PER_UPDATE)
    return any(twin.boundary is not None and twin.boundary.test is test for twin in twins)


def _in_order(groups: Sequence[list[Event]]) -> list[list[Event]]:
    """The groups as they run: of two alternatives each is compared with what runs in the same iteration."""
    left = sorted(groups, key=_start)
    ordered = []
    while left:
        ready = (group for group in left if not any(_before(other, group) for other in left if other is not group))
        ordered.append(next(ready, left[0]))
        left.remove(ordered[-1])
    return ordered


def _start(group: Sequence[Event]) -> int:
    inside = [event.index for event in group if not _around(event)]
    return min(inside or [event.index for event in group])


def _before(a: Sequence[Event], b: Sequence[Event]) -> bool:
    """Whether all of one group runs before what it can run together with of another."""
    pairs = [(x, y) for x in a for y in b if not exclusive(x.path, y.path) and not _around(x) and not _around(y)]
    return bool(pairs) and all(x.index < y.index for x, y in pairs)


def _around(event: Event) -> bool:
    return event.cadence in (Cadence.PER_EPOCH, Cadence.ONCE)


def _joins(event: Event, group: Sequence[Event], loop: TrainingLoop, clock: Clock) -> bool:
    if group[0].kind is not event.kind or any(_apart(event, other) for other in group):
        return False
    if _around(event) or all(map(_around, group)) or any(event.node is other.node for other in group):
        return True
    inner = [other for other in group if not _around(other)]
    alike = all(marks_of(event, loop, clock) == marks_of(other, loop, clock) for other in inner)
    return alike and all(exclusive(event.path, other.path) and _alike(event, other, loop) for other in inner)


def _apart(a: Event, b: Event) -> bool:
    return any(x is not None and y is not None and x != y for x, y in ((a.target, b.target), (a.owner, b.owner)))


def _alike(a: Event, b: Event, loop: TrainingLoop) -> bool:
    return a.kind is not Kind.BACKWARD or loss_words(a, loop, ()) == loss_words(b, loop, ())


def _lane(group: Sequence[Event], loop: TrainingLoop, clock: Clock, codes: dict[int, tuple[str, ...]]) -> Lane:
    marks = marks_of(group[0], loop, clock)
    for event in group[1:]:
        marks = merged(marks, marks_of(event, loop, clock))
    found = tuple(sorted({code for event in group for code in codes.get(id(event), ())}))
    return Lane(group[0].kind, _LABELS[group[0].kind], tuple(group), marks, found)


def _named(lane: Lane, lanes: Sequence[Lane], loop: TrainingLoop) -> Lane:
    """The lane with what tells it from others of its kind."""
    peers = [each for each in lanes if each.kind is lane.kind]
    other = any(
        peer is not lane and all(exclusive(a.path, b.path) for a in peer.events for b in lane.events)
        for peer in peers[: peers.index(lane)]
    )
    targets = {(each.target, each.owner) for each in peers}
    label = label_of(lane, loop, several=len(peers if lane.kind is Kind.BACKWARD else targets) > 1)
    return replace(lane, label=f"or {label}" if other else label, alternative=other)


def label_of(lane: Lane, loop: TrainingLoop, *, several: bool = False) -> str:
    """The event's name in the field, with the loss that is backpropagated or the optimizer that steps."""
    if lane.kind is Kind.BACKWARD:
        first = lane.events[0]
        words = loss_words(first, loop, lane.codes, (_first_name(first.loss) if several else None) or "loss")
        scaled = "scaled " if all(event.scaled for event in lane.events) else ""
        return f"backward {scaled}{words}"
    through_scaler = lane.kind is Kind.OPTIMIZER_STEP and all(event.through == "scaler" for event in lane.events)
    name = _owner(lane.events[0]) if several and (lane.target or lane.owner) else None
    return f"{'scaler ' if through_scaler else ''}{lane.label}{f' {name}' if name else ''}"


def _first_name(node: cst.BaseExpression | None) -> str | None:
    """The name that a loss begins with, whatever it is divided by."""
    while isinstance(node, cst.BinaryOperation):
        node = node.left
    return _short(node)


def _short(node: cst.CSTNode | None) -> str | None:
    """A dotted name, without the object that everything in a method belongs to."""
    name = dotted(node) if node is not None else None
    return name.removeprefix("self.") if name is not None else None


def _owner(event: Event) -> str | None:
    """The optimizer, as the code names it."""
    return _short(event.args[0].value if event.through == "scaler" and event.args else event.receiver)


def loss_words(event: Event, loop: TrainingLoop, codes: Sequence[str], name: str = "loss") -> str:
    """What a backward pass is given: the loss, and what it was divided by."""
    scale = event.scale or LossScale(Scale.UNKNOWN)
    engine = _engine_divides(event, loop)
    if "GRD102" in codes:
        return f"{name}/N/N"
    if "GRD103" in codes and scale.divisions:
        return f"{name}/{dotted(scale.divisions[0].divisor) or _number(scale.divisions[0].value)}"
    if engine is not False:
        return f"{name}/N" if engine and scale.scale is Scale.UNDIVIDED else f"{name}/?"
    if scale.scale is Scale.PARTLY:
        return f"{name}/N in part"
    unknown = "/?" if loop.steps is not None else ""
    return name + {Scale.DIVIDED: "/N", Scale.UNDIVIDED: ""}.get(scale.scale, unknown)


def _number(value: float | None) -> str:
    return f"{value:g}" if value is not None else "?"


def _engine_divides(event: Event, loop: TrainingLoop) -> bool | None:
    """Whether the engine that runs the backward pass divides by N; None where that depends on what is not in sight."""
    given = loop.engine_steps
    if event.through == _LIGHTNING:
        return True
    if event.through == "deepspeed":
        return given is None or given.value != 1
    if event.through != "accelerator":
        return False
    if given is None:
        return True if loop.engine is Engine.ACCELERATE else None
    return given.value != 1 if given.source is not None else None


def by_lightning(loop: TrainingLoop) -> bool:
    """Whether the loop is one that Lightning runs by itself."""
    return any(event.through == _LIGHTNING for event in loop.all(Kind.BACKWARD))
