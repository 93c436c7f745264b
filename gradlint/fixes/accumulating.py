"""Fixes for `accumulate()` of an Accelerator: joins two nested contexts, or adds a missing one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import libcst as cst

from gradlint.edits import Cut, Replace, Unwrap, Wrap
from gradlint.finding import Fix
from gradlint.fixes.places import Places
from gradlint.fixes.shared import Outcome, unsafe, withheld
from gradlint.model.syntax.expressions import text, walk
from gradlint.simulate.scene import Scene
from gradlint.simulate.trace import Event, What

_MESSAGE = "Enter one `accumulate()` for all"
_OF_MICRO_BATCH = (
    What.BACKWARD,
    What.RESCALE,
    What.UNSCALE,
    What.CLIP,
    What.STEP,
    What.SCALER_UPDATE,
    What.ZERO,
    What.SCHEDULE,
    What.AVERAGE,
)
"""These calls belong inside the context, because prepared objects make them act only at the end of a window."""


def join_contexts(scene: Scene) -> Outcome:
    """Pass the models of an inner `accumulate()` to the outer one."""
    places, inner = scene.script.once(Places), scene.event.node
    outer = scene.fault.other.node if scene.fault.other is not None else inner
    if not (isinstance(inner, cst.Call) and isinstance(outer, cst.Call)):
        return withheld("the contexts are created in one place and entered in another")
    if text(inner.func) != text(outer.func):
        return withheld("the two calls name the accelerator differently")
    if not (inner.args and outer.args):
        return withheld("one `accumulate()` has no model argument")
    holder, home = _with_of(inner, places), _with_of(outer, places)
    if holder is None or home is None or places.function_of(holder) is not places.function_of(home):
        return withheld("the two contexts are not `with` statements of one function")
    given, more = (", ".join(text(each).strip().rstrip(",") for each in call.args) for call in (outer, inner))
    joined = f"{text(outer.func)}({given}, {more})"
    if holder is home:
        calls = [each.item for each in home.items]
        place = next(index for index, each in enumerate(calls) if each is outer)
        if calls[place + 1] is not inner or home.items[place].asname is not None or _in_parentheses(outer, inner):
            return withheld("there is other code between the two contexts")
        return Fix(_MESSAGE, (Replace(outer, joined), Cut(outer, inner))), None
    alone = len(holder.items) == 1 and holder.items[0].asname is None and list(home.body.body) == [holder]
    if not alone:
        return withheld("there is other code between the two contexts")
    return Fix(_MESSAGE, (Replace(outer, joined), Unwrap(holder))), None


def _in_parentheses(*calls: cst.Call) -> bool:
    return any(call.lpar for call in calls)


def _with_of(call: cst.Call, places: Places) -> cst.With | None:
    """The `with` statement that enters the context created by a call."""
    found = (each for each in places.around(call) if isinstance(each, cst.With) and any(i.item is call for i in each.items))
    return next(found, None)


def enter_accumulate(scene: Scene) -> Outcome:
    """Put the work of a micro-batch under `accumulate()`, from the forward pass to the last part of its update."""
    places, call = scene.script.once(Places), scene.event.node
    loop = scene.loop
    if not isinstance(call, cst.Call) or not isinstance(call.func, cst.Attribute) or not isinstance(loop, (cst.For, cst.While)):
        return withheld("this file does not contain the loop over the micro-batches")
    body: Sequence[cst.CSTNode] = loop.body.body if isinstance(loop.body, cst.IndentedBlock) else ()
    own = [each for each in scene.run.trace.of(*_OF_MICRO_BATCH) if any(around is loop for around in each.loops)]
    held = {index for event in own for index, each in enumerate(body) if _holds(each, event, places)}
    if not any(places.holds(each, call) for each in body):
        return withheld("the backward pass and the loop are in different functions")
    name = text(call.func.value)
    models = {model: index for index, each in reversed(list(enumerate(body))) for model in _called(each, name, scene)}
    if not models:
        return withheld("gradlint does not see which prepared model the loop trains")
    first, last = min(*models.values(), *held), max(held)
    given = ", ".join(sorted(models, key=lambda each: (models[each], each)))
    fix = Fix(f"Enter `{name}.accumulate()`", (Wrap(body[first], body[last], f"with {name}.accumulate({given}):"),))
    counter = next((each for each in body if _is_count(each)), None)
    return (
        (fix, None)
        if counter is None
        else unsafe(fix, f"`{text(counter).strip()}` counts updates now, and would count micro-batches after the fix")
    )


def _holds(statement: cst.CSTNode, event: Event, places: Places) -> bool:
    """Whether an event happens in a statement or in something it calls."""
    return any(places.holds(statement, node) for node in (event.node, *event.stack))


def _called(statement: cst.CSTNode, name: str, scene: Scene) -> Iterator[str]:
    """The models that a statement calls and an accelerator has prepared."""
    calls = {text(each.func) for each in walk(statement) if isinstance(each, cst.Call)}
    yield from (model for model in _prepared(name, scene) if model in calls)


def _prepared(name: str, scene: Scene) -> Iterator[str]:
    """The names to which the text assigns what an accelerator prepares."""
    for statement in scene.script.statements:
        for each in walk(statement):
            if not (isinstance(each, cst.Assign) and isinstance(each.value, cst.Call)):
                continue
            if text(each.value.func) in (f"{name}.prepare", f"{name}.prepare_model"):
                for target in (each.targets[0].target,):
                    parts = [part.value for part in target.elements] if isinstance(target, cst.Tuple) else [target]
                    yield from map(text, parts)


def _is_count(statement: cst.CSTNode) -> bool:
    """Whether a statement adds one to a counter."""
    small = statement.body[0] if isinstance(statement, cst.SimpleStatementLine) else None
    one = isinstance(small, cst.AugAssign) and isinstance(small.operator, cst.AddAssign)
    return one and isinstance(small, cst.AugAssign) and text(small.value) == "1"
