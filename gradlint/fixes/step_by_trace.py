"""Fixes for a step on every micro-batch: it moves under the guard that zeroes the gradients, or the update gets a new guard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import libcst as cst

from gradlint.edits import Delete, Move
from gradlint.finding import Fix
from gradlint.fixes.decisions import named_anew
from gradlint.fixes.new_guard import guard_update
from gradlint.fixes.places import Places, Suite
from gradlint.fixes.shared import Outcome, in_several_places, unsafe, withheld
from gradlint.fixes.update_by_trace import ORDER, backpropagates, called_apart, ranks_of, update_at
from gradlint.model.syntax.expressions import text
from gradlint.simulate.scene import Scene
from gradlint.simulate.trace import Event, What

_MESSAGE = "Step once per window"
_CLOSING = (What.ZERO, What.SCHEDULE)
_OF_STEP = (What.STEP, What.SCALER_UPDATE)


def step_once(scene: Scene) -> Outcome:
    """Remove a step if another one closes the window, move it to where the window closes, or add a guard to the update."""
    places, step = scene.script.once(Places), scene.event
    unit = update_at(step.node, scene, places)
    if unit is None:
        return withheld("the step is part of a larger statement")
    shared = called_apart(unit, scene, places)
    if shared is not None:
        return withheld(*in_several_places(shared))
    if not step.through and any(each.scaled for each in scene.view.backwards):
        return withheld("first make the step go through the scaler")
    suite = places.suite_of(unit)
    behind = suite[next(place for place, each in enumerate(suite) if each is unit) + 1 :]
    guard = next((each for each in behind if _closes(each, scene, places)), None)
    another = scene.fault.other is not None and scene.fault.other.what is What.STEP
    if (another or guard is not None) and _clears_each_time(scene):
        return withheld("the gradients are also cleared on every micro-batch, so they would not add up")
    if another:
        return Fix("Remove the step inside the window", (Delete(unit),)), None
    if not isinstance(guard, cst.If):
        return guard_update(unit, scene, places)
    return _under(guard, unit, scene, places)


def _clears_each_time(scene: Scene) -> bool:
    """Whether some line clears the gradients as often as the optimizer steps."""
    times = Counter(id(event.node) for event in scene.view.of(What.ZERO))
    return max(times.values(), default=0) >= sum(event.node is scene.event.node for event in scene.view.steps)


def _closes(statement: cst.CSTNode, scene: Scene, places: Places) -> bool:
    """Whether a statement is a condition under which gradients are cleared, or the schedule advances, once per window."""
    if not isinstance(statement, cst.If) or backpropagates(statement, scene, places):
        return False
    return bool(_body(statement)) and any(
        places.holds(each, event.node) for each in _body(statement) for event in _closing(scene)
    )


def _body(guard: cst.If) -> Suite:
    """The statements that run if a condition holds."""
    return guard.body.body if isinstance(guard.body, cst.IndentedBlock) else ()


def _closing(scene: Scene) -> list[Event]:
    """The events that close windows in the usual run."""
    return scene.view.of(*_CLOSING)


def _under(guard: cst.If, unit: cst.CSTNode, scene: Scene, places: Places) -> Outcome:
    """Move the step, adjacent steps and the updates of their scaler under a guard, before the code that follows a step."""
    suite = places.suite_of(unit)
    start, end = (next(place for place, each in enumerate(suite) if each is node) for node in (unit, guard))
    going = [each for each in suite[start:end] if _is_of_step(each, scene, places)]
    anew = named_anew(going, suite[start:end])
    if anew is not None:
        return withheld(f"`{text(anew)}` changes before the guard", anew)
    lost = next(_flushed_behind(scene), None)
    if lost is not None:
        return withheld(f"{scene.quoted(lost.node)} closes the last window after the loop, which would have no step", lost.node)
    before = [place for place, each in enumerate(_body(guard)) if _comes_first(each, scene, places)]
    anchor = _body(guard)[max(before, default=-1) + 1]
    fix = Fix(_MESSAGE, tuple(Move(each, anchor) for each in going))
    if _leaves_some(guard, scene, places):
        return unsafe(fix, "the last, partial window of a pass would no longer reach a step")
    return fix, None


def _is_of_step(statement: cst.CSTNode, scene: Scene, places: Places) -> bool:
    """Whether a statement steps, or updates a scaler that has stepped, and contains no other part of an update."""
    ranks = ranks_of(statement, scene, places)
    return bool(ranks) and ranks <= {ORDER.index(each) for each in _OF_STEP}


def _comes_first(statement: cst.CSTNode, scene: Scene, places: Places) -> bool:
    """Whether a statement under the guard contains a part of the update that comes before the step."""
    ranks = ranks_of(statement, scene, places)
    return bool(ranks) and min(ranks) < ORDER.index(What.STEP)


def _flushed_behind(scene: Scene) -> Iterator[Event]:
    """Zeroings and schedule steps after the loop that steps, if no step follows that loop."""
    loop = scene.loop
    steps = [event for event in scene.view.steps if not any(each is loop for each in event.loops)]
    for event in _closing(scene) if not steps else ():
        before = any(each is loop for other in scene.view.backwards for each in other.loops) and event.micro >= 0
        if before and event.terms and not any(each is loop for each in event.loops):
            yield event


def _leaves_some(guard: cst.If, scene: Scene, places: Places) -> bool:
    """Whether a pass over the data ends with micro-batches after the guard last held."""
    waiting = 0
    for _, event in scene.view.events:
        if event.what is What.BACKWARD:
            waiting += 1
        elif event.what in _CLOSING and places.holds(guard, event.node):
            waiting = 0
        elif event.what is What.END and waiting:
            return True
    return False
