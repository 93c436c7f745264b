"""Fixes for what a simulated run shows: written where the events stand, and offered because a run of the result proves them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import libcst as cst

from gradlint.edits import Delete, Edit, Enclose, Insert, Move
from gradlint.finding import Fix
from gradlint.fixes.places import Places, Suite
from gradlint.fixes.shared import Outcome, divide, unsafe, withheld
from gradlint.model.syntax.expressions import last_name, text, walk
from gradlint.simulate.scene import Scene
from gradlint.simulate.trace import What

_ORDER = (What.UNSCALE, What.CLIP, What.STEP, What.SCALER_UPDATE, What.ZERO, What.SCHEDULE, What.AVERAGE)
"""In which order the parts of an update come."""


def divide_backpropagated(scene: Scene) -> Outcome:
    """Divide what a backward pass is called on, or given, by the accumulation steps."""
    steps, call, places = scene.steps, scene.event.node, Places(scene.statements)
    if steps is None:
        return withheld("N has no name at this call")
    if steps.isidentifier() or "." in steps:
        if not places.knows(places.function_of(call), steps.partition(".")[0]):
            return withheld(f"`{steps}` has no name at this call")
    elif not steps.isdigit():
        return withheld("N has no name at this call")
    loss = _loss_of(call)
    if loss is None:
        return withheld("the loss is not an expression here")
    shared = called_apart(call, scene, places)
    if shared is not None:
        return withheld(shared)
    edit = divide(loss, steps)
    if isinstance(call, cst.Call) and isinstance(call.func, cst.Attribute) and call.func.value is loss and not loss.lpar:
        edit = Enclose(loss, f"({edit.before}", f"{edit.after})")
    return Fix(f"Divide the loss by `{steps}`", (edit,)), None


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


def move_behind_step(scene: Scene, message: str) -> Outcome:
    """Move a call that comes once an update, and too early, behind what steps the optimizer in its own suite."""
    places, node = Places(scene.statements), scene.event.node
    line = places.line_of(node)
    if line is None or not (isinstance(line.body[0], cst.Expr) and line.body[0].value is node):
        return withheld("it shares its line with other code, or what it returns is used")
    shared = called_apart(line, scene, places)
    if shared is not None:
        return withheld(shared)
    moves: dict[int, Edit] = {}
    for event in scene.view.of(scene.event.what):
        piece = places.line_of(event.node)
        suite = places.suite_of(piece) if piece is not None else ()
        steps = [each for each in suite if any(places.holds(each, step.node) for step in scene.view.steps)]
        if piece is not None and len(steps) == 1 and _leads_to(piece, steps[0], suite, scene, places):
            anchor, _ = anchor_of(steps[0], scene.event.what, scene, places)
            moves[id(piece)] = Move(piece, anchor, after=True)
    if id(line) not in moves:
        return withheld("the optimizer does not step beside it")
    return Fix(message, tuple(moves.values())), None


def move_to_step(scene: Scene, message: str) -> Outcome:
    """Move a call beside the optimizer's step, to its place in an update, and write it beside the other steps that lack it."""
    places, node = Places(scene.statements), scene.event.node
    line = places.line_of(node)
    if line is None:
        return withheld("it shares its line with other code")
    if not (isinstance(line.body[0], cst.Expr) and line.body[0].value is node):
        return withheld("what it returns is used")
    step = step_beside(line, scene, places)
    if step is None:
        return withheld("the call and the optimizer's step are in different functions")
    shared = called_apart(line, scene, places)
    if shared is not None:
        return withheld(shared)
    piece = places.piece_of(line)
    if places.holds(piece, step):
        return withheld("it stands under a condition of its own")
    if scene.event.what is What.ZERO and isinstance(piece, cst.If) and _may_change(piece.test, scene):
        return withheld("the condition that it stands under may be another one by the next update")
    anchor, after = anchor_of(step, scene.event.what, scene, places)
    if anchor is piece:
        return withheld("it stands beside the step already")
    if _own(places.suite_of(step), scene, places) is not None:
        return (
            withheld("the update has one of its own")
            if len(places.suite_of(piece)) < 2
            else (Fix(message, (Delete(piece),)), None)
        )
    return Fix(message, (Move(piece, anchor, after=after), *copies_of(text(piece), step, scene, places))), None


def _may_change(test: cst.CSTNode, scene: Scene) -> bool:
    """Whether a condition names what the text gives a value more than once."""
    names = {each.value for each in walk(test) if isinstance(each, cst.Name)} - {"self"}
    nodes = [each for statement in scene.statements for each in walk(statement)]
    given = Counter(last_name(each.target) for each in nodes if isinstance(each, cst.AssignTarget))
    return any(given[name] > 1 for name in names) or any(
        last_name(e.target) in names for e in nodes if isinstance(e, cst.AugAssign)
    )


def step_beside(line: cst.CSTNode, scene: Scene, places: Places) -> cst.CSTNode | None:
    """What steps the optimizer in the function of a line: the step's own line, a call that leads to it, or a loop over optimizers."""
    function = places.function_of(line)
    for node in (scene.step.node, *reversed(scene.step.stack)):
        if places.function_of(node) is function:
            found = outside_of_optimizers(node, scene, places)
            return None if found is line else found
    return None


def anchor_of(step: cst.CSTNode, what: What, scene: Scene, places: Places) -> tuple[cst.CSTNode, bool]:
    """The statement of an update that something belongs beside, and whether behind it."""
    suite = places.suite_of(step)
    rank, index = _ORDER.index(what), next(place for place, each in enumerate(suite) if each is step)
    if rank < _ORDER.index(What.STEP):
        while index and (ranks := _ranks(suite[index - 1], scene, places)) and min(ranks) > rank:
            index -= 1
        return suite[index], False
    while index + 1 < len(suite) and (ranks := _ranks(suite[index + 1], scene, places)) and max(ranks) < rank:
        index += 1
    return suite[index], True


def _ranks(statement: cst.CSTNode, scene: Scene, places: Places) -> set[int]:
    """Which parts of an update a statement holds; none of one that backpropagates, which nothing is moved across."""
    if _backpropagates(statement, scene, places):
        return set()
    events = scene.run.trace.events
    return {_ORDER.index(each.what) for each in events if each.what in _ORDER and places.holds(statement, each.node)}


def copies_of(piece: str, step: cst.CSTNode, scene: Scene, places: Places) -> Iterator[Edit]:
    """The same call beside the other steps of the loop's function, as at its tail, where they have none."""
    seen = {id(step)}
    function = places.function_of(step)
    for event in scene.view.steps:
        here = next((node for node in (event.node, *reversed(event.stack)) if places.function_of(node) is function), None)
        line = outside_of_optimizers(here, scene, places) if here is not None else None
        if line is None or id(line) in seen:
            continue
        seen.add(id(line))
        anchor, after = anchor_of(line, scene.event.what, scene, places)
        own = _own(places.suite_of(line), scene, places)
        if own is None:
            yield Insert(anchor, piece.strip(), after=after)
        elif after and own is not anchor and _precedes(own, line, places.suite_of(line)):
            yield Move(own, anchor, after=True)


def _own(suite: Suite, scene: Scene, places: Places) -> cst.CSTNode | None:
    """The statement of a suite that does there what happens too often, or too early, in the loop."""
    same = [event for event in scene.view.of(scene.event.what) if event.node is not scene.event.node]
    return next((each for each in suite if any(places.holds(each, event.node) for event in same)), None)


def _precedes(one: cst.CSTNode, other: cst.CSTNode, suite: Suite) -> bool:
    order = [each for each in suite if each is one or each is other]
    return len(order) == 2 and order[0] is one


def _leads_to(piece: cst.CSTNode, step: cst.CSTNode, suite: Suite, scene: Scene, places: Places) -> bool:
    """Whether a statement comes before a step in its suite, and what is moved may cross what stands between.

    A loop that backpropagates is no step, and a zeroing before a backward pass is for that one.
    """
    start = next(place for place, each in enumerate(suite) if each is piece)
    end = next(place for place, each in enumerate(suite) if each is step)
    crossed = suite[start : end + 1] if scene.event.what is What.ZERO else (step,)
    return start < end and not any(_backpropagates(each, scene, places) for each in crossed)


def after_each_step(scene: Scene, code: str, message: str) -> Outcome:
    """Write a line behind the optimizer's step, and behind the others that the loop has in that function."""
    places, function = Places(scene.statements), None
    inserts: dict[int, Insert] = {}
    for event in (scene.event, *scene.view.steps):
        if not inserts:
            function = places.function_of(event.node)
        elif places.function_of(event.node) is not function:
            continue
        line = outside_of_optimizers(event.node, scene, places)
        if line is None:
            return withheld("the step has no line of its own")
        inserts.setdefault(id(line), Insert(line, code, after=True))
    fix = Fix(message, tuple(inserts.values()))
    shared = called_apart(scene.event.node, scene, places)
    return unsafe(fix, shared) if shared is not None else (fix, None)


def outside_of_optimizers(step: cst.CSTNode, scene: Scene, places: Places) -> cst.CSTNode | None:
    """The line of a step, or the loop over optimizers that it stands in."""
    statement: cst.CSTNode | None = places.line_of(step)
    for outer in places.around(step):
        if isinstance(outer, cst.For) and not _backpropagates(outer, scene, places):
            statement = outer
    return statement


def _backpropagates(statement: cst.CSTNode, scene: Scene, places: Places) -> bool:
    """Whether a statement holds a backward pass, or a call that leads to one."""
    passes = scene.run.trace.of(What.BACKWARD)
    return any(places.holds(statement, node) for each in passes for node in (each.node, *each.stack))


def called_apart(node: cst.CSTNode, scene: Scene, places: Places) -> str | None:
    """Why a change of a function would serve others than the loop: a call of it is not one that the runs came to."""
    function = places.function_of(node)
    if function is None:
        return None
    events = scene.run.trace.events
    met, others = {id(call) for event in events for call in event.stack}, {id(event.node) for event in events}
    calls = [call for call in _calls_of(function, scene) if id(call) not in others]
    if len(calls) < 2 or all(id(call) in met for call in calls):
        return None
    return f"`{function.name.value}` is called in more than one place, and the fix would serve all of them"


def _calls_of(function: cst.FunctionDef, scene: Scene) -> Iterator[cst.Call]:
    """The calls that may be of a function, by its name: of a function by that alone, of a method on whatever has methods."""
    is_method = bool(function.params.params) and function.params.params[0].name.value in ("self", "cls")
    for statement in scene.statements:
        for each in walk(statement):
            if isinstance(each, cst.Call) and last_name(each.func) == function.name.value:
                if isinstance(each.func, cst.Attribute) == is_method:
                    yield each
