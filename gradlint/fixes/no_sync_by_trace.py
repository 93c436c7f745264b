"""Fixes for needless gradient averaging: forward and backward go under `no_sync` except on the last micro-batch."""

from __future__ import annotations

from itertools import pairwise

import libcst as cst

from gradlint.edits import Move, Wrap
from gradlint.finding import Fix
from gradlint.fixes.guards import complement, only_asks
from gradlint.fixes.places import Places, Suite, bound_by
from gradlint.fixes.shared import NULLCONTEXT, Outcome, in_several_places, unsafe, withheld
from gradlint.fixes.update_by_trace import called_apart
from gradlint.model.syntax.expressions import dotted, text, walk
from gradlint.simulate.deciding import decided
from gradlint.simulate.scene import Scene
from gradlint.simulate.trace import What

_DIFFER = "gradients differ between processes until the window ends, and other code may look at them"
_ALONG = "the code between the forward pass and the block moves along"


def hold_back(scene: Scene) -> Outcome:
    """Put the forward and the backward pass under `no_sync` on micro-batches without a step."""
    places, guard, forward = scene.script.once(Places), scene.guard, scene.event.forward
    model = dotted(forward.func) if isinstance(forward, cst.Call) else None
    if model is None or forward is None:
        return withheld("the wrapped model has no name where it is called")
    if not isinstance(guard, cst.BaseExpression) or places.function_of(guard) is not places.function_of(forward):
        return withheld("the function with the forward pass does not decide when the optimizer steps", guard)
    if _decided_elsewhere(scene):
        return withheld("the guard of the step does not decide where windows end", guard)
    if not only_asks(guard):
        return withheld("the guard of the step may have side effects", guard)
    span = _span(scene, forward, places)
    if span is None:
        return withheld("the forward and the backward pass are not separate statements of one block")
    suite, first, last = span
    if any(places.holds(each, scene.step.node) for each in suite[first : last + 1]):
        return withheld("the optimizer steps between the forward and the backward pass, or under the same condition")
    names = {each.value for each in walk(guard) if isinstance(each, cst.Name)}
    if any(names & set(bound_by(each)) for statement in suite[first:] for each in walk(statement)):
        return withheld("the boundary is only known after the forward pass")
    shared = called_apart(forward, scene, places)
    if shared is not None:
        return withheld(*in_several_places(shared))
    test, wrapper = complement(guard), scene.event.wrapped
    if isinstance(wrapper, cst.Call):
        if not places.knows(places.function_of(forward), text(wrapper.func).partition(".")[0]):
            return withheld("the model is only wrapped under a condition, and a plain model has no `no_sync()`")
        test = f"isinstance({model}, {text(wrapper.func)}) and {test}"
    wrap = Wrap(suite[first], suite[last], f"with {model}.no_sync() if {test} else nullcontext():")
    return unsafe(Fix("Reduce the gradients once per window", (wrap, NULLCONTEXT)), _DIFFER)


def _decided_elsewhere(scene: Scene) -> bool:
    """Whether a branch that does not contain the step decides the boundary. The step's own guards then test something else."""
    found = decided(scene.view, scene.step)
    return (
        found is not None and isinstance(found.branch, cst.If) and all(node is not found.branch for node, _, _ in scene.step.path)
    )


def take_forward_in(scene: Scene) -> Outcome:
    """Move the forward pass from the line above into the block that disables synchronisation for the backward pass."""
    places, forward = scene.script.once(Places), scene.event.forward
    around = places.around(scene.event.node)
    block = next((each for each in around if isinstance(each, cst.With) and places.holds(each, scene.place)), None)
    if forward is None or block is None:
        return withheld("move the forward pass into the block")
    suite = places.suite_of(block)
    above = next((one for one, other in pairwise(suite) if other is block), None)
    if not isinstance(above, cst.SimpleStatementLine) or not places.holds(above, forward) or not block.body.body:
        return withheld("move the forward pass into the block")
    return unsafe(Fix("Move the forward pass into the block", (Move(above, block.body.body[0]),)), _ALONG)


def _span(scene: Scene, forward: cst.CSTNode, places: Places) -> tuple[Suite, int, int] | None:
    """The innermost block that contains the forward pass and all backward passes of the loop, with the first and last index."""
    nodes = [forward, *(event.node for event in scene.view.of(What.BACKWARD))]
    for outer in places.around(forward):
        suite = places.suite_of(outer)
        found = [next((place for place, each in enumerate(suite) if places.holds(each, node)), None) for node in nodes]
        known = [place for place in found if place is not None]
        if len(known) == len(nodes):
            return suite, min(known), max(known)
    return None
