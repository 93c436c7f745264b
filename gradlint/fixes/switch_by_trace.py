"""The fix for a switch of the reduction over processes that a simulated run shows to be off where the optimizer steps."""

from __future__ import annotations

import libcst as cst

from gradlint.edits import Replace
from gradlint.finding import Fix
from gradlint.fixes.by_trace import called_apart
from gradlint.fixes.places import Places
from gradlint.fixes.shared import Outcome, withheld
from gradlint.model.syntax.expressions import last_name, text, walk
from gradlint.simulate.scene import Scene


def decide_as_the_step(scene: Scene) -> Outcome:
    """Tell a switch what the guard of the step asks for; whether that is known where the switch stands, a run of the result shows."""
    places, guard = Places(scene.statements), scene.guard
    told = _told(scene.place, places)
    if told is None:
        return withheld("leave `no_sync` on the micro-batch that steps, with the complement of the guard of the step")
    if guard is None or not isinstance(guard, cst.BaseExpression):
        return withheld("synchronise on the last micro-batch of the data too")
    if places.function_of(guard) is not places.function_of(told):
        return withheld("the guard of the step stands in another function")
    if text(told) == text(guard):
        return withheld("the forward pass has to come after what the switch is told")
    if any(isinstance(each, (cst.NamedExpr, cst.Await)) or _acts(each) for each in walk(guard)):
        return withheld("the guard of the step may do more than ask")
    shared = called_apart(told, scene, places)
    return withheld(shared) if shared is not None else (Fix("Synchronise on the boundary", (Replace(told, text(guard)),)), None)


def _told(node: cst.CSTNode, places: Places) -> cst.BaseExpression | None:
    """What a switch is told: what is assigned to it, or handed to the method that sets it."""
    if isinstance(node, cst.Call):
        return node.args[0].value if last_name(node.func) == "set_requires_gradient_sync" and len(node.args) == 1 else None
    line = places.line_of(node)
    statement = line.body[0] if line is not None else None
    if not isinstance(statement, cst.Assign) or len(statement.targets) != 1 or statement.targets[0].target is not node:
        return None
    return statement.value


def _acts(node: cst.CSTNode) -> bool:
    """Whether a node is a call that may do something."""
    return isinstance(node, cst.Call) and last_name(node.func) != "len"
