"""Fixes for the division of a loss, for faults in a simulated run. They are offered because a run of the result proves them."""

from __future__ import annotations

from math import isclose

import libcst as cst

from gradlint.edits import Edit, Enclose, Replace
from gradlint.finding import Fix
from gradlint.fixes.divisors import pieces_in
from gradlint.fixes.handing_over import handed_over
from gradlint.fixes.places import Places
from gradlint.fixes.shared import Outcome, by_such_a_number, divide, in_several_places, unsafe, withheld
from gradlint.fixes.update_by_trace import called_apart
from gradlint.model.syntax.expressions import last_name, text, walk
from gradlint.simulate.roots import backwards
from gradlint.simulate.scene import Scene
from gradlint.simulate.trace import What
from gradlint.simulate.views import views
from gradlint.simulate.window_terms import MAY_DIVIDE
from gradlint.simulate.windows import micros_of

_ALONE = "the same backward pass may also be a whole window by itself"
_SMALLER = "the last piece of a batch may be smaller than the others, and would weigh as much"


def divide_backpropagated(scene: Scene) -> Outcome:
    """Divide the backpropagated loss by the accumulation steps, or let the accelerator that counts them divide it."""
    steps, call, places = scene.steps_here, scene.event.node, scene.script.once(Places)
    handing: tuple[Edit, ...] = ()
    loss = _loss_of(call)
    if loss is None or not isinstance(call, cst.Call):
        return withheld("the loss is not written as an expression here")
    pieces = pieces_in(scene, places) if steps is None else None
    shared = called_apart(call, scene, places)
    single = _withheld_for_another(scene)
    if single is not None:
        return single
    if shared is not None and pieces is None:
        return withheld(*in_several_places(shared))
    name = _accelerator_of(scene, places)
    if name is not None:
        return Fix(f"Let `{name}.backward()` divide the loss", (Replace(call, f"{name}.backward({text(loss)})"),)), None
    steps = steps or pieces
    if steps is None:
        handed = handed_over(scene, places)
        if handed is None:
            return withheld("the accumulation steps have no name at this call")
        steps, handing = handed
    if _may_be_absent(scene, steps):
        return withheld(f"`{steps}` may be 0 or None here, since the code tests for that")
    edits = [divided_at(each, steps, places) for each in (call, *_in_other_branches(scene))]
    if None in edits:
        return withheld("the loss is not written as an expression here")
    fix = Fix(f"Divide the loss by `{steps}`", (*(each for each in edits if each is not None), *handing))
    if pieces is not None:
        return unsafe(fix, *(in_several_places(shared) if shared is not None else (_SMALLER,)))
    other = _unknown_arm(scene, places)
    if other is not None:
        return unsafe(
            fix, f"{scene.quoted(other)} is in the other branch, and gradlint does not know whether its loss is divided", other
        )
    hidden = _hidden(scene)
    if hidden is not None:
        return unsafe(fix, f"{scene.quoted(hidden)} may backpropagate another loss, which would stay undivided", hidden)
    return by_such_a_number((fix, None), steps)


def _in_other_branches(scene: Scene) -> list[cst.Call]:
    """The other calls that backpropagate the same loss for other micro-batches of a window, and do not divide it either."""
    event = scene.event
    own = {id(source.node) for source, _ in event.terms}
    mine = {micro for each in scene.view.backwards if each.node is event.node for micro in micros_of(each)}
    others = {id(each.node): each for each in scene.view.backwards if not own.isdisjoint(id(s.node) for s, _ in each.terms)}
    whole = [each for each in others.values() if not any(isclose(factor.by, scene.view.size) for _, factor in each.terms)]
    calls = (each.node for each in whole if each.node is not event.node and micros_of(each).isdisjoint(mine))
    return [each for each in calls if isinstance(each, cst.Call)]


def divided_at(call: cst.CSTNode, steps: str, places: Places) -> Enclose | None:
    """The edit that divides the backpropagated loss. None if it is not written as an expression."""
    loss = _loss_of(call)
    if loss is None or not isinstance(call, cst.Call):
        return None
    loss = _scaled_in(call, places) or loss
    edit = divide(loss, steps)
    if isinstance(call.func, cst.Attribute) and call.func.value is loss and not loss.lpar:
        return Enclose(loss, f"({edit.before}", f"{edit.after})")
    return edit


def _scaled_in(call: cst.Call, places: Places) -> cst.BaseExpression | None:
    """The loss that a context scales, if the backward pass uses its result: `with scale_loss(loss, ...) as scaled`."""
    name = call.func.value if isinstance(call.func, cst.Attribute) else None
    for around in places.around(call):
        for item in around.items if isinstance(around, cst.With) else ():
            given = item.asname.name if item.asname is not None else None
            if isinstance(given, cst.Name) and isinstance(name, cst.Name) and given.value == name.value:
                scales = isinstance(item.item, cst.Call) and last_name(item.item.func) == "scale_loss" and item.item.args
                return item.item.args[0].value if scales and isinstance(item.item, cst.Call) else None
    return None


def _unknown_arm(scene: Scene, places: Places) -> cst.CSTNode | None:
    """A backward pass in another branch whose terms may or may not be divided."""
    own = {id(node): arm for node, arm, _ in scene.event.path}
    events = [event for run in scene.runs for event in run.trace.of(What.BACKWARD)]
    for event in events if own else ():
        apart = any(own.get(id(node), arm) != arm for node, arm, _ in event.path)
        if apart and (event.through in MAY_DIVIDE or any(factor.doubt for _, factor in event.terms)):
            return event.node
    inner = [node for node, _, _ in scene.event.path if scene.loop is None or places.holds(scene.loop, node)]
    passes = backwards([node for node in inner if isinstance(node, cst.If)])
    met = {id(event.node) for event in events} if passes else set()
    return next((each for each in passes if id(each) not in met), None)


def _hidden(scene: Scene) -> cst.CSTNode | None:
    """A call of unknown code whose name suggests a backward pass. Its gradients would no longer match the divided loss."""
    calls = (each for each in walk(scene.loop) if isinstance(each, cst.Call)) if scene.loop is not None else ()
    others = [each for each in calls if _names_another(last_name(each.func) or "")]
    events = (event for run in scene.runs for event in run.trace.of(What.BACKWARD) if others)
    known = {id(node) for event in events for node in (event.node, *event.stack)}
    return next((each for each in others if id(each) not in known), None)


def _names_another(name: str) -> bool:
    """Whether a name suggests a backward pass but is not `backward` itself."""
    return "backward" in name.lower() and name != "backward"


def _may_be_absent(scene: Scene, steps: str) -> bool:
    """Whether the program tests if there is a number of steps, other than on the way to the backward pass."""
    tests = [node.test for node, _, _ in scene.event.path if isinstance(node, cst.If)]
    told = any(text(each) == steps for test in tests for each in walk(test) if isinstance(each, (cst.Name, cst.Attribute)))
    return any(scene.run.asked.absent.values()) and not told


def _withheld_for_another(scene: Scene) -> Outcome | None:
    """Withhold a division that would be wrong for another loop: there, each backward pass of the same call is a whole window."""
    for view in views(scene.run.trace):
        for event in view.backwards if view.size == 1 and view.key[0] == scene.view.key[0] else ():
            if event.node is scene.event.node:
                call = next((each for each in reversed(event.stack) if isinstance(each, cst.Call)), None)
                return withheld(*in_several_places(call)) if call is not None else withheld(_ALONE, event.node)
    return None


def _accelerator_of(scene: Scene, places: Places) -> str | None:
    """The accelerator whose context surrounds a backward pass that bypasses it, by its name in the function."""
    counts = [scene.run.trace.events[place] for place in scene.event.inside]
    for node in [each.node for each in counts] if not scene.event.through else ():
        if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
            if places.function_of(node) is places.function_of(scene.event.node):
                return text(node.func.value)
    return None


def _loss_of(call: cst.CSTNode) -> cst.BaseExpression | None:
    """The backpropagated loss: the receiver of the call, the argument of its `scale()`, or the first argument."""
    if not isinstance(call, cst.Call) or not isinstance(call.func, cst.Attribute):
        return None
    if call.args and call.args[0].keyword is None and not call.args[0].star:
        return call.args[0].value
    receiver = call.func.value
    if isinstance(receiver, cst.Call) and last_name(receiver.func) == "scale" and len(receiver.args) == 1:
        return receiver.args[0].value
    return receiver
