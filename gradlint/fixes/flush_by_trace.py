"""Adds a flush to the guard of an update: `or (i + 1) == len(loader)` runs it on the last micro-batch of the data too."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from gradlint.edits import Edit, Enclose
from gradlint.finding import Fix
from gradlint.fixes.boundaries import Boundary, Guard
from gradlint.fixes.shared import Outcome, in_several_places, quoted, shifted, unsafe, withheld
from gradlint.fixes.walked import walked_by
from gradlint.model.names.vocabulary import LENGTH_ARGUMENTS
from gradlint.model.syntax.expressions import dotted, keywords, walk
from gradlint.simulate.deciding import turn_of
from gradlint.simulate.flushing import steps_behind
from gradlint.simulate.scene import Scene
from gradlint.simulate.trace import Event, What
from gradlint.simulate.views import views


def flush(scene: Scene, boundary: Boundary | None) -> Outcome:
    """Extend every guard of the window to also accept the last micro-batch of the data."""
    if boundary is None:
        return withheld("the guard tests no index that the fix could compare with the length of the loader")
    begun = _pass_of(scene)
    length = walked_by(begun.node, boundary.places) if begun is not None else None
    if begun is None or length is None:
        return withheld("the loader has no name here, so the fix cannot take its length")
    if begun.sized is False:
        return withheld(
            f"`{length}` reads a stream, which has no length: step once more after the loop if a window is left", begun.node
        )
    reason = _unfit(boundary, scene)
    if reason is not None:
        return withheld(reason)
    begins = boundary.begins
    if begins is None or not boundary.decision.restarts:
        return withheld("the index does not restart with each pass over the data")
    home = boundary.places.function_of(begun.node)
    carried = next((name for guard in boundary.guards for name in _carried(guard, home, scene)), None)
    if carried is not None:
        return withheld(f"`{carried}` may go on from one pass over the data to the next")
    if any(boundary.places.function_of(each.test) is not home or not _asks_itself(each) for each in boundary.guards):
        return withheld("the guard is in another function, where the loader has no name")
    edits: list[Edit] = []
    for guard in boundary.guards:
        part = _part(guard)
        if part is None:
            return withheld(f"{quoted(guard.test)} mixes several conditions, and gradlint cannot add a flush to it", guard.test)
        edits.append(_extended(guard, part, shifted(guard.node.left, 1 - begins), length))
    shared = boundary.shared()
    if shared is not None:
        return withheld(*in_several_places(shared))
    fix = Fix(f"Update on the last micro-batch of `{length}` too", tuple(edits))
    other = boundary.asked_elsewhere()
    if other is not None:
        return unsafe(fix, f"{quoted(other)} tests the boundary separately, and would miss the last micro-batch", other)
    told = _told_of_updates(scene)
    if told is not None:
        return unsafe(fix, f"`{told}` may count only full windows, and then the schedule would end before the run")
    if not _has_length(begun, scene):
        return unsafe(fix, f"gradlint does not see whether `{length}` has a length, and `len()` raises if it has none")
    return fix, None


def _carried(guard: Guard, home: cst.FunctionDef | None, scene: Scene) -> Iterator[str]:
    """The counts in a guard that a function gets from its caller and increments, where the run shows no second pass."""
    if home is None or sum(event.what is What.END for _, event in scene.view.events) > 1:
        return
    given = {each.name.value for each in home.params.params}
    asked = {dotted(each) or "" for each in walk(guard.node.left) if isinstance(each, (cst.Name, cst.Attribute))}
    told = {name for name in asked if name in given or "." in name}
    nodes = walk(home.body) if told else ()
    counted = {dotted(each.target) for each in nodes if isinstance(each, cst.AugAssign)}
    begun = {dotted(target.target) for each in nodes if isinstance(each, cst.Assign) for target in each.targets}
    yield from sorted(told & counted - begun)


def _pass_of(scene: Scene) -> Event | None:
    """The start of the pass over the data whose last window is lost. None if no data is iterated."""
    end = scene.fault.other
    if end is not None and end.what is What.BACKWARD:
        return None  # the loop is over a range
    passes = [event for event in scene.view.of(What.PASS) if end is None or end.what is not What.END or event.text == end.text]
    return passes[0] if passes else None


def _unfit(boundary: Boundary, scene: Scene) -> str | None:
    """Why the current guards cannot take a flush."""
    if boundary.decides_apart():
        return "a separate test decides when gradients are synchronised"
    if _before_backward(scene):
        return f"{quoted(boundary.decision.test)} comes before the backward pass, so a flush there would miss its gradients"
    if any(boundary.skips_first(each) is not None for each in boundary.guards):
        return "fix the guard first"
    if boundary.asks_for_an_end():
        return "the guard already contains a flush that never runs"
    if any(view.key == scene.view.key and steps_behind(view) for run in scene.runs for view in views(run.trace)):
        return "fix the step after the loop first"
    return None


def _before_backward(scene: Scene) -> bool:
    """Whether the optimizer steps before the backward pass of its iteration."""
    events = scene.run.trace.events
    place = next(place for place, event in enumerate(events) if event is scene.step)
    following = next((event for event in events[place:] if event.what is What.BACKWARD), None)
    turn = turn_of(scene.step, scene.view)
    return turn is not None and following is not None and turn_of(following, scene.view) == turn


def _asks_itself(guard: Guard) -> bool:
    return any(each is guard.node for each in walk(guard.test))


def _part(guard: Guard) -> cst.BaseExpression | None:
    """The one part of a guard that tests the remainder. None if it is part of something else."""
    node = guard.test
    while isinstance(node, cst.BooleanOperation):
        sides = [side for side in (node.left, node.right) if any(each is guard.node for each in walk(side))]
        if len(sides) != 1:
            return None
        node = sides[0]
    inner = any(isinstance(each, cst.BooleanOperation) for each in walk(node))
    return node if isinstance(node, cst.BaseExpression) and (not inner or node is guard.test) else None


def _extended(guard: Guard, part: cst.BaseExpression, last: str, length: str) -> Edit:
    """Add the alternative next to the part that tests the boundary. Other conditions in the guard still apply to both."""
    test = guard.test
    above = cst.And if guard.closes else cst.Or
    loose = isinstance(test, (cst.IfExp, cst.Lambda, cst.NamedExpr))
    held = part is not test and any(
        isinstance(each, cst.BooleanOperation) and isinstance(each.operator, above) for each in walk(test)
    )
    word, sign = ("or", "==") if guard.closes else ("and", "!=")
    more = f" {word} {last} {sign} len({length})"
    if held:
        return Enclose(part, "(", f"{more})")
    return Enclose(test, "(" if loose else "", f"{')' if loose else ''}{more}")


def _told_of_updates(scene: Scene) -> str | None:
    """The argument that gives an optimizer with a built-in schedule, such as BertAdam, the number of steps in the run."""
    built = [each.node for run in scene.runs for each in run.trace.optimizers]
    told = [word for node in built if isinstance(node, cst.Call) for word in keywords(node)]
    return next((word for word in told if word in LENGTH_ARGUMENTS), None)


def _has_length(begun: Event, scene: Scene) -> bool:
    """Whether the data certainly has a length: its type is known, or the text takes its `len()` wherever the pass begins."""
    arms = {(id(node), arm) for node, arm, _ in begun.path}
    return begun.sized is True or any(
        name in (begun.text, begun.rows) and all((id(node), arm) in arms for node, arm, _ in path)
        for name, path in scene.run.trace.measured
        if name
    )
