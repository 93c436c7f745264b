"""Where a fix may write: the update suite of a window, canonical places in it, and what moves as one piece."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import libcst as cst

from gradlint.model.data.window import Boundary
from gradlint.model.syntax.expressions import dotted, walk
from gradlint.model.syntax.paths import Guard, exclusive
from gradlint.model.types import Event, Kind, TrainingLoop

RANK = {
    Kind.GRAD_SCALE: 0,
    Kind.UNSCALE: 0,
    Kind.CLIP: 1,
    Kind.OPTIMIZER_STEP: 2,
    Kind.SCALER_UPDATE: 3,
    Kind.ZERO_GRAD: 4,
    Kind.SCHEDULER_STEP: 5,
    Kind.EMA_UPDATE: 6,
}
"""The order of one update: unscale, clip, step, update, zero, schedule, average."""


@dataclass(frozen=True)
class Anchor:
    """A place beside a statement."""

    statement: cst.CSTNode
    after: bool


@dataclass(frozen=True)
class Withheld:
    """No place; `reason` says why, for the finding's note."""

    reason: str


def chain(event: Event) -> list[tuple[Guard | None, cst.CSTNode, cst.CSTNode]]:
    """The statements around an event, outermost first, each with the block it stands in and the guard it opens."""
    found: list[tuple[Guard | None, cst.CSTNode, cst.CSTNode]] = [
        (guard, guard.suite, guard.node) for guard in event.path if guard.suite is not None and not guard.implied
    ]
    if event.suite is not None and event.statement is not None:
        found.append((None, event.suite, event.statement))
    return found


def update_suite(loop: TrainingLoop, step: Event) -> cst.CSTNode | Withheld:
    """The block that runs once per update, in which the optimizer steps."""
    steps = [e for e in loop.all(Kind.OPTIMIZER_STEP) if e.cadence is step.cadence and not _apart(e, step) and loop.holds(e)]
    suites = {id(s): s for s in (_suite_of(loop, each) for each in steps) if s is not None}
    if len(suites) != 1:
        return Withheld("the window is closed in more than one place")
    if any(_suite_of(loop, each) is None for each in steps):
        return Withheld("the optimizer's step is not a statement of its own here")
    return next(iter(suites.values()))


def _apart(a: Event, b: Event) -> bool:
    return a.target is not None and b.target is not None and a.target != b.target


def _suite_of(loop: TrainingLoop, step: Event) -> cst.CSTNode | None:
    links = chain(step)
    if loop.walks.windowed and loop.guard is not None:
        return loop.guard.suite if any(suite is loop.guard.suite for _, suite, _ in links) else None
    if step.boundary is None:
        return None
    place = _gate(step, step.boundary)
    if place is None:
        return None
    gate = step.path[place]
    if gate.implied:
        return gate.suite
    later = [g for g in step.path[place + 1 :] if g.suite is not None and not g.implied]
    if later:
        return later[0].suite
    return step.suite if step.statement is not None else None


def gate_of(step: Event) -> Guard | None:
    """The decision that makes a step one of the window's boundary."""
    place = _gate(step, step.boundary) if step.boundary is not None else None
    return step.path[place] if place is not None else None


def beneath_gate(event: Event) -> cst.CSTNode:
    """The statement of the boundary's block that an event is in: its own, or the loop or condition around that."""
    gate = gate_of(event)
    links = chain(event)
    if gate is not None and gate.implied:
        return next((statement for _, block, statement in links if block is gate.suite), event.statement or event.node)
    place = next((i for i, (guard, _, _) in enumerate(links) if guard is gate), None) if gate is not None else None
    return links[place + 1][2] if place is not None and place + 1 < len(links) else event.statement or event.node


def _gate(step: Event, boundary: Boundary) -> int | None:
    for place in range(len(step.path) - 1, -1, -1):
        guard = step.path[place]
        if guard.kind == "branch" and (guard.node is boundary.guard or _tests(guard, boundary)):
            return place
    return None


def _tests(guard: Guard, boundary: Boundary) -> bool:
    if guard.test is None:
        return False
    return guard.test is boundary.test or any(each is boundary.test for each in walk(guard.test)) or _names(guard, boundary)


def _names(guard: Guard, boundary: Boundary) -> bool:
    """The guard tests a flag whose assignment holds the boundary."""
    targets = flags_of(boundary)
    return guard.test is not None and any(dotted(each) in targets for each in walk(guard.test) if dotted(each))


def flags_of(boundary: Boundary) -> list[str]:
    """The names that the line of a boundary gives its answer to; what is assigned in the block that it opens is none of them."""
    if not isinstance(boundary.guard, cst.SimpleStatementLine):
        return []
    targets = (dotted(node.target) for node in walk(boundary.guard) if isinstance(node, cst.AssignTarget))
    return [each for each in targets if each is not None]


def place_for(kind: Kind, loop: TrainingLoop, step: Event, moving: Event | None = None) -> Anchor | Withheld:
    """The canonical place of a kind of event in the window's update suite."""
    suite = update_suite(loop, step)
    if isinstance(suite, Withheld):
        return suite
    return _placed(kind, [e for e in loop.events if not (moving and exclusive(e.path, moving.path))], suite, loop, moving)


def beside(event: Event, loop: TrainingLoop) -> Anchor | Withheld:
    """The canonical place of an event among the events of its update that stand in the same block."""
    if event.suite is None:
        return Withheld("the call is part of a larger statement")
    others = [e for e in loop.update_of(event) if not exclusive(e.path, event.path)]
    return _placed(event.kind, others, event.suite, loop, event)


def after_step(step: Event, loop: TrainingLoop) -> Anchor | Withheld:
    """Where gradients are zeroed after a step of a loop that has no boundary: in the block that holds the backward pass too."""
    blocks = {id(block) for backward in loop.all(Kind.BACKWARD) for _, block, _ in chain(backward)}
    shared = [block for _, block, _ in chain(step) if id(block) in blocks]
    if not shared or step.frame is not loop.all(Kind.BACKWARD).__next__().frame:
        return Withheld("the step and the backward pass are in different blocks")
    return _placed(Kind.ZERO_GRAD, loop.events, shared[-1], loop, None)


def tail_place(kind: Kind, loop: TrainingLoop, moving: Event) -> Anchor | Withheld | None:
    """The canonical place in the update of the tail, after the loop; None where there is none, or such an event in it."""
    steps = [event for event in loop.tail if event.kind is Kind.OPTIMIZER_STEP]
    if not steps or any(event.kind is kind and not _apart(event, moving) for event in loop.tail):
        return None
    suites = {id(suite): suite for suite in (_tail_suite(loop, step, moving) for step in steps) if suite is not None}
    if len(suites) != 1:
        return Withheld("the tail is closed in more than one place")
    return _placed(kind, loop.tail, next(iter(suites.values())), loop, None)


def _tail_suite(loop: TrainingLoop, step: Event, moving: Event) -> cst.CSTNode | None:
    """The block in which the tail's update stands, if it is in the function of the event that goes there."""
    home = {id(guard) for guard in loop.home}
    links = [(guard, suite) for guard, suite, _ in chain(step) if guard is None or id(guard) not in home]
    if loop.gate(step) is None:
        return links[0][1] if links and step.frame is moving.frame else None
    place = next(
        (i for i, (guard, _) in enumerate(links) if guard is not None and (guard.group, guard.arm) == loop.gate(step)), None
    )
    if place is None or place + 1 >= len(links):
        return None
    gate = links[place][0]
    return links[place + 1][1] if gate is not None and gate.frame is moving.frame else None


def _placed(
    kind: Kind, events: Sequence[Event], suite: cst.CSTNode, loop: TrainingLoop, moving: Event | None
) -> Anchor | Withheld:
    """Where an event of a kind goes among the statements of a block that hold events."""
    ranks: dict[int, tuple[cst.CSTNode, list[int]]] = {}
    for event in events:
        if event is moving or event.kind not in RANK:
            continue
        for _, block, statement in chain(event):
            if block is suite and statement is not loop.node:
                ranks.setdefault(id(statement), (statement, []))[1].append(RANK[event.kind])
    rank = RANK[kind]
    stepping = [(s, r) for s, r in ranks.values() if RANK[Kind.OPTIMIZER_STEP] in r]
    if not stepping:
        return Withheld("the optimizer's step is not a statement of its own here")
    mixed = [r for s, r in ranks.values() if min(r) < rank < max(r)]
    if mixed:
        return Withheld("the update is spread over branches that would need the line each on their own")
    order = list(ranks.values())
    if rank < RANK[Kind.OPTIMIZER_STEP]:
        following = [s for s, r in order if (min(r) > rank and max(r) <= RANK[Kind.SCALER_UPDATE]) or s is stepping[0][0]]
        return Anchor(following[0], after=False)
    start = next(i for i, (s, _) in enumerate(order) if s is stepping[-1][0])
    before = [s for s, r in order[start:] if min(r) < rank]
    return Anchor(before[-1], after=True)


def piece(event: Event, loop: TrainingLoop) -> cst.CSTNode | Withheld:
    """What moves with an event: its statement, or the condition that wraps it alone."""
    if event.statement is None or event.suite is None:
        return Withheld("the call is part of a larger statement")
    if _result_used(event, loop):
        return Withheld("its result is used elsewhere")
    unit: cst.CSTNode = event.statement
    suite: cst.CSTNode = event.suite
    for guard, block, statement in reversed(chain(event)[:-1]):
        if guard is not None and guard.kind == "loop" and guard is not loop.guard and not _around(guard, loop):
            if len(getattr(suite, "body", ())) != 1:
                return Withheld("it stands in a loop of its own, with others")
            unit, suite = statement, block
            continue
        if len(getattr(suite, "body", ())) != 1 or guard is None or guard is loop.guard or guard.kind == "loop":
            break
        if guard.kind == "branch" and (guard.arm != 0 or getattr(statement, "orelse", None) is not None):
            return Withheld("it is the only statement of its branch")
        unit, suite = statement, block
    if len(getattr(suite, "body", ())) == 1:
        return Withheld("it is the only statement of its block")
    return unit


def _around(guard: Guard, loop: TrainingLoop) -> bool:
    return any(guard is each for each in loop.home)


def own_condition(event: Event, unit: cst.CSTNode, loop: TrainingLoop, target: Event) -> bool:
    """Whether a condition that does not move along decides about the event, and not about the place it would move to."""
    arms = {(guard.group, guard.arm) for guard in target.path}
    start = next((i + 1 for i, guard in enumerate(event.path) if guard is loop.guard), 0)
    for guard in event.path[start:]:
        if guard.node is unit:
            return False
        if guard.kind in ("branch", "handler") and (guard.group, guard.arm) not in arms and not guard.usual:
            return True
    return False


def _result_used(event: Event, loop: TrainingLoop) -> bool:
    """The call's result has a name that is read elsewhere in the loop: moving it could leave the name unset."""
    statement = event.statement
    if not isinstance(statement, cst.SimpleStatementLine):
        return False
    targets = {
        name.value
        for small in statement.body
        if isinstance(small, (cst.Assign, cst.AnnAssign))
        for target in (small.targets if isinstance(small, cst.Assign) else (small,))
        for name in walk(target.target)
        if isinstance(name, cst.Name)
    }
    if not targets:
        return False
    own = {id(node) for node in walk(statement)}
    return any(isinstance(n, cst.Name) and n.value in targets and id(n) not in own for n in walk(loop.node))
