"""Adds a guard to an update that has none. The update then runs on the last micro-batch of each window, by the loop's index."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import libcst as cst

from gradlint.edits import Wrap
from gradlint.finding import Fix
from gradlint.fixes.places import Places
from gradlint.fixes.shared import Outcome, atom, shifted, unsafe, withheld
from gradlint.fixes.update_by_trace import ranks_of
from gradlint.model.syntax.expressions import last_name, text, walk
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene
from gradlint.simulate.trace import What
from gradlint.simulate.world import last_part

_UPDATE = changing(What.UNSCALE, What.CLIP, What.STEP, What.SCALER_UPDATE, What.ZERO, What.SCHEDULE, What.AVERAGE)


def guard_update(update: cst.CSTNode, scene: Scene, places: Places) -> Outcome:
    """Put the whole update under `(i + 1) % N == 0`, or the end of the data."""
    loop = scene.loop
    body: Sequence[cst.CSTNode] = loop.body.body if isinstance(loop, cst.For) and isinstance(loop.body, cst.IndentedBlock) else ()
    index, length = _index(loop) if isinstance(loop, cst.For) else (None, None)
    steps = _divisor(scene, places)
    place = next((place for place, each in enumerate(body) if each is update), None)
    outside = any(not any(each is loop for each in event.loops) for event in scene.view.steps)
    if index is None or length is None or steps is None or place is None or outside:
        return withheld("the loop contains no condition that marks a boundary")
    first = last = place
    while first and ranks_of(body[first - 1], scene, places):
        first -= 1
    while last + 1 < len(body) and ranks_of(body[last + 1], scene, places):
        last += 1
    next_ = shifted(index, 1)
    header = f"if {next_} % {atom(steps)} == 0 or {next_} == len({length}):"
    fix = Fix("Step once per window", (Wrap(body[first], body[last], header),), promise=_UPDATE)
    if not any(event.text.startswith("DataLoader") for event in scene.view.of(What.PASS)):
        return unsafe(fix, f"gradlint does not see whether `{length}` has a length, and `len()` raises if it has none")
    return unsafe(fix, f"only the division of the loss suggests windows of `{steps}`")


def _divisor(scene: Scene, places: Places) -> str | None:
    """The accumulation steps that divide the loss, if they are the same throughout the function of the loop."""
    trace = scene.run.trace
    named = {last_part(name) for name in trace.n_names if trace.settings.get(name) == trace.n}
    nodes = {id(each): each for event in scene.view.backwards for _, factor in event.terms for each in factor.divisors}
    divisions = [(node, by) for node in nodes.values() if (by := _divided_by(node)) is not None]
    found = [(node, by) for node, by in divisions if any(last_name(each) in named for each in walk(by))]
    home = places.function_of(scene.loop) if scene.loop is not None else None
    texts = {text(by) for node, by in found if places.function_of(node) is home}
    return texts.pop() if len(texts) == 1 and len({id(node) for node, _ in found}) >= 1 else None


def _divided_by(node: cst.CSTNode) -> cst.BaseExpression | None:
    """The divisor of a division."""
    if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.Divide):
        return node.right
    if isinstance(node, cst.AugAssign) and isinstance(node.operator, cst.DivideAssign):
        return node.value
    return None


def _index(loop: cst.For) -> tuple[cst.Name | None, str | None]:
    """The name in which `enumerate` counts micro-batches from 0, and the iterable."""
    if not isinstance(loop.target, cst.Tuple) or not isinstance(loop.iter, cst.Call):
        return None, None
    if last_name(loop.iter.func) != "enumerate" or len(loop.iter.args) != 1:
        return None, None
    index, walked = loop.target.elements[0].value, loop.iter.args[0].value
    if isinstance(walked, cst.Call) and last_name(walked.func) in ("tqdm", "trange") and walked.args:
        walked = walked.args[0].value
    given = {text(each) for statement in loop.body.body for each in _assigned(statement)}
    if not isinstance(index, cst.Name) or index.value in given or not isinstance(walked, (cst.Name, cst.Attribute)):
        return None, None
    return index, text(walked)


def _assigned(statement: cst.CSTNode) -> Iterator[cst.CSTNode]:
    return (each.target for each in walk(statement) if isinstance(each, (cst.AssignTarget, cst.AugAssign)))
