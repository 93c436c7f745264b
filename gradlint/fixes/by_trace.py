"""Fixes for what only a simulated run shows: written where the events stand, and offered because a run of the result proves them."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from gradlint.edits import Enclose, Move
from gradlint.finding import Fix
from gradlint.fixes.shared import Outcome, divide, withheld
from gradlint.model.syntax.expressions import dotted, last_name, walk
from gradlint.simulate.scene import Scene
from gradlint.simulate.trace import What

_BEFORE_STEP = frozenset((What.CLIP, What.UNSCALE))


def divide_backpropagated(scene: Scene) -> Outcome:
    """Divide what a backward pass is called on, or given, by the accumulation steps."""
    steps, call = scene.steps, scene.event.node
    if steps is None:
        return withheld("N has no name at this call")
    function = _function_of(call, scene)
    if steps.isidentifier() or "." in steps:
        if not _knows(function, steps.partition(".")[0], scene):
            return withheld(f"`{steps}` has no name at this call")
    elif not steps.isdigit():
        return withheld("N has no name at this call")
    loss = _loss_of(call)
    if loss is None:
        return withheld("the loss is not an expression here")
    shared = _called_apart(function, scene)
    if shared is not None:
        return withheld(shared)
    edit = divide(loss, steps)
    if isinstance(call, cst.Call) and isinstance(call.func, cst.Attribute) and call.func.value is loss and not loss.lpar:
        edit = Enclose(loss, f"({edit.before}", f"{edit.after})")
    return Fix(f"Divide the loss by `{steps}`", (edit,)), None


def move_to_step(scene: Scene, message: str) -> Outcome:
    """Move the call that happens too often beside the optimizer's step: what the step needs before it, what follows it behind."""
    here, there = _line_of(scene.event.node, scene), _line_of(scene.step.node, scene)
    if here is None or there is None or here is there:
        return withheld("it shares its line with other code")
    function = _function_of(here, scene)
    if function is not _function_of(there, scene):
        return withheld("the call and the optimizer's step are in different functions")
    if not (isinstance(here.body[0], cst.Expr) and here.body[0].value is scene.event.node):
        return withheld("what it returns is used")
    shared = _called_apart(function, scene)
    if shared is not None:
        return withheld(shared)
    return Fix(message, (Move(here, there, after=scene.event.what not in _BEFORE_STEP),)), None


def _loss_of(call: cst.CSTNode) -> cst.BaseExpression | None:
    """What is backpropagated: the receiver, what a scaler scales there, or the first argument."""
    if not isinstance(call, cst.Call) or not isinstance(call.func, cst.Attribute):
        return None
    if call.args and call.args[0].keyword is None and not call.args[0].star:
        return call.args[0].value
    receiver = call.func.value
    if isinstance(receiver, cst.Call) and last_name(receiver.func) == "scale" and len(receiver.args) == 1:
        return receiver.args[0].value
    return receiver


def _function_of(node: cst.CSTNode, scene: Scene) -> cst.FunctionDef | None:
    """The innermost function that a node stands in; None for the module."""
    inside = (each for each in scene.functions if any(inner is node for inner in walk(each)))
    return min(inside, key=lambda each: sum(1 for _ in walk(each)), default=None)


def _line_of(node: cst.CSTNode, scene: Scene) -> cst.SimpleStatementLine | None:
    """The line of one statement that a node stands in."""
    for statement in scene.statements:
        for line in walk(statement):
            if isinstance(line, cst.SimpleStatementLine) and any(inner is node for inner in walk(line)):
                return line if len(line.body) == 1 else None
    return None


def _knows(function: cst.FunctionDef | None, name: str, scene: Scene) -> bool:
    """Whether a name means something in a function: it is bound there, around it, or in the module."""
    around = [each for each in scene.functions if function is not None and any(inner is function for inner in walk(each))]
    if any(name in set(_bound(each)) for each in around):
        return True
    module = (each for statement in scene.statements for each in _outside_of_functions(statement))
    return any(name in set(_bound_by(each)) for each in module)


def _outside_of_functions(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    if not isinstance(node, (cst.FunctionDef, cst.ClassDef)):
        yield node
        for child in node.children:
            yield from _outside_of_functions(child)


def _bound(function: cst.FunctionDef) -> Iterator[str]:
    for each in walk(function):
        yield from _bound_by(each)


def _bound_by(node: cst.CSTNode) -> Iterator[str]:
    if isinstance(node, cst.Param):
        yield node.name.value
    elif isinstance(node, (cst.AssignTarget, cst.AnnAssign, cst.For, cst.NamedExpr)):
        yield from (each.value for each in walk(node.target) if isinstance(each, cst.Name))
    elif isinstance(node, cst.ImportAlias):
        yield node.evaluated_alias or (dotted(node.name) or "").partition(".")[0]


def _called_apart(function: cst.FunctionDef | None, scene: Scene) -> str | None:
    """Why a change of a function would serve others than the loop: it is called in more than one place."""
    if function is None:
        return None
    name = function.name.value
    calls = sum(
        isinstance(each, cst.Call) and last_name(each.func) == name for statement in scene.statements for each in walk(statement)
    )
    return f"`{name}` is called in more than one place, and the fix would serve all of them" if calls > 1 else None
