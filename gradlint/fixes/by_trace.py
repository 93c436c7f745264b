"""Fixes for faults in a simulated run.

They edit the code at the events, and are offered because a run of the result proves them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

import libcst as cst

from gradlint.edits import Delete, Edit, Insert, Move, Wrap
from gradlint.finding import Fix
from gradlint.fixes.decisions import Decision, adjacent, decision_of, following
from gradlint.fixes.places import Places, Suite
from gradlint.fixes.shared import Outcome, in_several_places, unsafe, withheld
from gradlint.fixes.update_by_trace import (
    anchor_of,
    backpropagates,
    called_apart,
    copies_of,
    line_beside_step,
    outside_of_optimizers,
    own_of,
    step_beside,
    steps_of,
)
from gradlint.model.syntax.expressions import last_name, text, walk, walk_all
from gradlint.simulate.scene import Scene
from gradlint.simulate.trace import COUNTS, What


def move_behind_step(scene: Scene, message: str) -> Outcome:
    """Move a call that runs once per update, but too early, after the optimizer's step in the same block."""
    places, node = scene.script.once(Places), scene.event.node
    line = _statement_of(node, places)
    if line is None:
        return withheld("the call shares its line with other code, or something uses its result")
    shared = called_apart(line, scene, places)
    if shared is not None:
        return withheld(*in_several_places(shared))
    moves: dict[int, Edit] = {}
    stepping = [event.node for event in steps_of(scene)]
    for event in (each for run in scene.runs for each in run.trace.of(scene.event.what) if each.target == scene.event.target):
        piece = _statement_of(event.node, places) or places.line_of(event.node)
        suite = places.suite_of(piece) if piece is not None else ()
        steps = [each for each in suite if any(places.holds(each, step) for step in stepping)]
        if piece is not None and len(steps) == 1 and _leads_to(piece, steps[0], suite, scene, places):
            anchor, _ = anchor_of(steps[0], scene.event.what, scene, places)
            moves[id(piece)] = Move(piece, anchor, after=True)
    if id(line) not in moves:
        return withheld("the optimizer does not step in the same block")
    return Fix(message, tuple(moves.values())), None


def _statement_of(node: cst.CSTNode, places: Places) -> cst.BaseStatement | None:
    """The statement that consists only of a call, or the loop that only sets the gradient of each parameter to None."""
    line = places.line_of(node)
    small = line.body[0] if line is not None else None
    if isinstance(small, cst.Expr) and small.value is node:
        return line
    cleared = isinstance(small, cst.Assign) and len(small.targets) == 1 and small.targets[0].target is node
    around = places.around(node)[1:2] if cleared and len(places.suite_of(line or node)) == 1 else []
    return next((each for each in around if isinstance(each, cst.For) and each.orelse is None), None)


def move_to_step(scene: Scene, message: str, along: Collection[What] = ()) -> Outcome:
    """Move a call next to the optimizer's step, to its place in the update, and copy it to other steps that lack it.

    A call in a branch takes its condition along, and so do similar calls in the other branches. Events of the kinds `along` move
    too if the same decision controls them or they need it.
    """
    places, what = scene.script.once(Places), scene.event.what
    line = line_beside_step(scene, places)
    if line is None:
        return withheld("the call shares its line with other code, or the optimizer steps in another function")
    step = step_beside(line, scene, places)
    if step is None:
        return withheld("the call and the optimizer's step are in different functions")
    shared = called_apart(line, scene, places)
    if shared is not None:
        return withheld(*in_several_places(shared))
    found = decision_of(line, step, {what, *along}, scene, places)
    if isinstance(found, str):
        return withheld(found)
    if places.suite_of(found.statement) is places.suite_of(step):
        waiting = _where_it_counts(found, step, scene, places)
        if waiting is not None:
            return waiting
    if (
        what is What.ZERO
        and not found.same
        and any(isinstance(each, cst.If) and _may_change(each.test, scene) for each in found.pieces)
    ):
        return withheld("the condition around the call may change before the next update")
    edits: list[Edit] = []
    moving = (found, *following(found, step, along, scene, places))
    for each in moving:
        anchor, after = anchor_of(step, what if each is found else What.CLIP, scene, places)
        if not each.guard and any(anchor is piece for piece in each.pieces):
            return withheld("the call is already next to the step")
        own = own_of(places.suite_of(step), scene, places, each.lines)
        edits += each.edits(anchor, after=after) if own is None else map(Delete, each.pieces)
        edits += copies_of(each, step, scene, places) if own is None else ()
    fix = Fix(message, tuple(edits))
    if scene.run.world.settled:
        return unsafe(fix, "with the fix, only the last micro-batch of a window decides which branch runs")
    other = _cleared_beside(scene) if what is What.ZERO else None
    if other is not None:
        return unsafe(fix, f"{scene.quoted(other)} leaves gradients that this call clears")
    reported = dict.fromkeys(name for each in moving for name in each.reported)
    if not reported or scene.loop is None:
        return fix, None
    first = "\n".join(f"{name} = torch.zeros(())" for name in reported)
    shown = ", ".join(f"`{name}`" for name in reported)
    fix = Fix(message, (Insert(scene.loop, first), *edits))
    return unsafe(fix, f"between updates {shown} would keep the value of the last one, and be 0 before the first")


def _cleared_beside(scene: Scene) -> cst.CSTNode | None:
    """A backward pass, such as a generator's, whose gradients the call clears and which is no part of the optimizer's update."""
    own = {id(scene.run.trace.events[place].node) for place in scene.step.held}
    for run in scene.runs:
        events = run.trace.events
        cleared = (place for each in run.trace.of(What.ZERO) if each.node is scene.event.node for place in each.held)
        for place in cleared:
            if id(events[place].node) not in own:
                return events[place].node
    return None


def _where_it_counts(found: Decision, step: cst.CSTNode, scene: Scene, places: Places) -> Outcome | None:
    """If an accelerator skips the step inside a window, makes the lines next to it skip as well. Otherwise returns None.

    Zeroing the gradients of a prepared optimizer is skipped as well, so it moves after the step.
    """
    name = _accelerator(found, scene, places)
    if name is None:
        return None
    if scene.event.what is What.ZERO:
        if own_of(places.suite_of(step), scene, places, found.lines) is not None:
            return Fix(
                "Remove this zeroing, since the gradients are zeroed after the step", tuple(map(Delete, found.pieces))
            ), None
        if _receiver(scene.event.node) == _receiver(scene.step.node):
            anchor, _ = anchor_of(step, What.ZERO, scene, places)
            return Fix("Zero the gradients after the step", tuple(found.edits(anchor, after=True))), None
        if not _leads_from(step, found, places):
            return withheld("move the call after the optimizer's step, and let the optimizer zero the gradients")
    if any(last_name(each) == "sync_gradients" for piece in found.pieces for each in walk(piece)):
        return withheld("the call already tests `sync_gradients`")
    wraps = tuple(Wrap(block[0], block[-1], f"if {name}.sync_gradients:") for block in adjacent(found.statement, found.pieces))
    return Fix(f"Run it only if `{name}.sync_gradients`", wraps), None


def _accelerator(found: Decision, scene: Scene, places: Places) -> str | None:
    """The accelerator that counts the micro-batches of the loop, by its name in the function."""
    counts = [event.node for event in scene.run.trace.of(What.COUNT) if places.holds(scene.loop or event.node, event.node)]
    funcs = [node.func for node in counts if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute)]
    function = places.function_of(found.statement)
    own = [each for each in funcs if each.attr.value == COUNTS and places.function_of(each) is function]
    return text(own[-1].value) if own and not scene.step.through else None


def _receiver(call: cst.CSTNode) -> str | None:
    """The object that a method is called on."""
    return text(call.func.value) if isinstance(call, cst.Call) and isinstance(call.func, cst.Attribute) else None


def _leads_from(step: cst.CSTNode, found: Decision, places: Places) -> bool:
    """Whether the lines come after the step."""
    order = [each for each in places.suite_of(step) if each is step or each is found.statement]
    return len(order) == 2 and order[0] is step


def _may_change(test: cst.CSTNode, scene: Scene) -> bool:
    """Whether a condition reads a name that the text assigns more than once."""
    names = {each.value for each in walk(test) if isinstance(each, cst.Name)} - {"self"}
    nodes = scene.script.once(walk_all)
    given = Counter(last_name(each.target) for each in nodes if isinstance(each, cst.AssignTarget))
    return any(given[name] > 1 for name in names) or any(
        last_name(e.target) in names for e in nodes if isinstance(e, cst.AugAssign)
    )


def _leads_to(piece: cst.CSTNode, step: cst.CSTNode, suite: Suite, scene: Scene, places: Places) -> bool:
    """Whether a statement comes before a step in its block, and the call can move across the code in between.

    A loop that backpropagates is not a step, and a zeroing before a backward pass belongs to that pass.
    """
    start = next(place for place, each in enumerate(suite) if each is piece)
    end = next(place for place, each in enumerate(suite) if each is step)
    crossed = suite[start : end + 1] if scene.event.what is What.ZERO else (step,)
    return start < end and not any(backpropagates(each, scene, places) for each in crossed)


def after_each_step(scene: Scene, code: str, message: str) -> Outcome:
    """Insert a line after the optimizer's step, and after the loop's other steps in the same function."""
    places, function = scene.script.once(Places), None
    inserts: dict[int, Insert] = {}
    for event in (scene.event, *scene.view.steps):
        if not inserts:
            function = places.function_of(event.node)
        elif places.function_of(event.node) is not function:
            continue
        line = outside_of_optimizers(event.node, scene, places)
        if line is None:
            return withheld("the step shares its line with other code")
        inserts.setdefault(id(line), Insert(line, code, after=True))
    fix = Fix(message, tuple(inserts.values()))
    shared = called_apart(scene.event.node, scene, places)
    return unsafe(fix, *in_several_places(shared)) if shared is not None else (fix, None)
