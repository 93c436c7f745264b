"""The fix for a synchronisation switch that a simulated run finds off when the optimizer steps."""

from __future__ import annotations

import libcst as cst

from gradlint.edits import Edit, Replace
from gradlint.finding import Fix
from gradlint.fixes.guards import complement, only_asks
from gradlint.fixes.places import Places
from gradlint.fixes.shared import NULLCONTEXT, Outcome, in_several_places, withheld
from gradlint.fixes.update_by_trace import called_apart
from gradlint.model.syntax.expressions import last_name, text
from gradlint.simulate.scene import Scene


def decide_as_the_step(scene: Scene) -> Outcome:
    """Make a switch follow the guard of the step. A run of the result shows whether the switch knows the guard's value."""
    places, guard = scene.script.once(Places), scene.guard
    if scene.event.at is scene.event.forward:
        return withheld("call the wrapped model")
    behind = scene.loop is not None and not any(each is scene.loop for each in scene.step.loops)
    if behind or guard is None or not isinstance(guard, cst.BaseExpression):
        return withheld("also synchronise on the last micro-batch of the data")
    if not only_asks(guard):
        return withheld("the guard of the step may have side effects")
    told = _told(scene.place, guard, places)
    if told is None:
        return withheld("enter `no_sync` only if the condition of the step is false")
    if places.function_of(guard) is not places.function_of(scene.place):
        return withheld("the guard of the step is in another function")
    if isinstance(told[0], Replace) and isinstance(told[0].node, cst.BaseExpression) and text(told[0].node) == told[0].text:
        return withheld("the forward pass must come after the switch is set")
    shared = called_apart(scene.place, scene, places)
    return withheld(*in_several_places(shared)) if shared is not None else (Fix("Synchronise on the boundary", told), None)


def _told(node: cst.CSTNode, guard: cst.BaseExpression, places: Places) -> tuple[Edit, ...] | None:
    """The edits that change a switch: an assigned value, the argument of its setter, or the condition of its context."""
    if isinstance(node, cst.Call) and last_name(node.func) == "set_requires_gradient_sync":
        return (Replace(node.args[0].value, text(guard)),) if len(node.args) == 1 else None
    if isinstance(node, cst.Call):
        return _of_context(node, guard, places)
    line = places.line_of(node)
    statement = line.body[0] if line is not None else None
    if not isinstance(statement, cst.Assign) or len(statement.targets) != 1 or statement.targets[0].target is not node:
        return None
    return (Replace(statement.value, text(guard)),)


def _of_context(node: cst.Call, guard: cst.BaseExpression, places: Places) -> tuple[Edit, ...] | None:
    """The edits for `with model.no_sync():`, with or without a conditional expression, and for Fabric's `enabled`."""
    if last_name(node.func) == "no_backward_sync":
        return _enabled(node, guard)
    if last_name(node.func) != "no_sync":
        return None
    block = next((each for each in places.around(node) if isinstance(each, cst.With)), None)
    for item in block.items if block is not None else ():
        if item.item is node:
            return Replace(node, f"{text(node)} if {complement(guard)} else nullcontext()"), NULLCONTEXT
        if isinstance(item.item, cst.IfExp) and item.item.body is node:
            return (Replace(item.item.test, complement(guard)),)
        if isinstance(item.item, cst.IfExp) and item.item.orelse is node:
            return (Replace(item.item.test, text(guard)),)
    return None


def _enabled(node: cst.Call, guard: cst.BaseExpression) -> tuple[Edit, ...] | None:
    """The edit of the argument with which Fabric leaves the reduction out."""
    if any(each.star for each in node.args) or not 1 <= len(node.args) <= 2:
        return None
    if len(node.args) == 2:
        return (Replace(node.args[1].value, complement(guard)),)
    return (Replace(node, f"{text(node.func)}({text(node.args[0].value)}, enabled={complement(guard)})"),)
