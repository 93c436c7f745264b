"""Finds the update of a simulated run in its text, and the place for each of its parts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import libcst as cst

from gradlint.edits import Edit, Insert, Move
from gradlint.fixes.decisions import Decision
from gradlint.fixes.places import Places, Suite
from gradlint.model.names.vocabulary import Role, role_of_spelling
from gradlint.model.syntax.expressions import last_name, receiver_name, text, walk, walk_all
from gradlint.simulate.scene import Scene
from gradlint.simulate.trace import Event, What

ORDER = (What.UNSCALE, What.CLIP, What.STEP, What.SCALER_UPDATE, What.ZERO, What.SCHEDULE, What.AVERAGE)
"""The order of the parts of an update."""


def line_beside_step(scene: Scene, places: Places) -> cst.SimpleStatementLine | None:
    """The line of the fault's event, or of a call that leads to it, in a function on the way to the optimizer's step."""
    stepping = {id(places.function_of(node)) for node in (scene.step.node, *scene.step.stack)}
    for node in (scene.event.node, *reversed(scene.event.stack)):
        if id(places.function_of(node)) in stepping:
            return places.line_of(node)
    return None


def step_beside(line: cst.CSTNode, scene: Scene, places: Places) -> cst.CSTNode | None:
    """The statement in a line's function that steps: the step itself, a call that leads to it, or an `if` that always steps."""
    function = places.function_of(line)
    for node in (scene.step.node, *reversed(scene.step.stack)):
        if places.function_of(node) is function:
            found = update_at(node, scene, places)
            return None if found is line else found
    return None


def update_at(node: cst.CSTNode, scene: Scene, places: Places) -> cst.CSTNode | None:
    """The statement of a step, including a loop over optimizers and any `if` around it whose branches all step."""
    found = outside_of_optimizers(node, scene, places)
    rank = ORDER.index(scene.event.what)
    for outer in places.around(found) if found is not None else ():
        if not isinstance(outer, cst.If):
            continue
        if not _always_steps(outer, scene, places) or backpropagates(outer, scene, places):
            break
        if rank < ORDER.index(What.STEP) and min(ranks_of(outer, scene, places)) < rank:
            break  # code before this part in the branches would not be before it outside of them
        found = outer
    return found


def _always_steps(node: cst.CSTNode | None, scene: Scene, places: Places) -> bool:
    """Whether a statement always steps the optimizer."""
    if isinstance(node, cst.If):
        return _always_steps(node.body, scene, places) and _always_steps(node.orelse, scene, places)
    if isinstance(node, cst.IndentedBlock):
        return any(_always_steps(each, scene, places) for each in node.body)
    if isinstance(node, (cst.Else, cst.With, cst.For)):
        return _always_steps(node.body, scene, places)
    if node is None:
        return False
    return any(places.holds(node, each) for event in steps_of(scene) for each in (event.node, *event.stack)) or (
        _spells_step(node) and not any(places.holds(node, event.node) for run in scene.runs for event in run.trace.events)
    )


def _spells_step(statement: cst.CSTNode) -> bool:
    """Whether a statement steps an optimizer by the names in it. Nothing else is known of code that no run reaches."""
    for each in walk(statement):
        func = each.func if isinstance(each, cst.Call) else None
        owner = receiver_name(each) if func is not None and last_name(func) == "step" else None
        if role_of_spelling(owner or "") in (Role.OPTIMIZER, Role.SCALER) or (
            func is not None and last_name(func) == "optimizer_step"
        ):
            return True
    return False


def steps_of(scene: Scene) -> list[Event]:
    """The steps of the optimizer in all runs."""
    number = scene.step.target
    return [event for run in scene.runs or (scene.run,) for event in run.trace.of(What.STEP) if event.target == number]


def anchor_of(step: cst.CSTNode, what: What, scene: Scene, places: Places) -> tuple[cst.CSTNode, bool]:
    """The statement of an update that a part belongs next to, and whether it goes after that statement."""
    suite = places.suite_of(step)
    rank, index = ORDER.index(what), next(place for place, each in enumerate(suite) if each is step)
    if rank < ORDER.index(What.STEP):
        while index and _follows(suite[index - 1], rank, scene, places):
            index -= 1
        return suite[index], False
    while index + 1 < len(suite) and (ranks := ranks_of(suite[index + 1], scene, places)) and max(ranks) < rank:
        index += 1
    return suite[index], True


def _follows(statement: cst.CSTNode, rank: int, scene: Scene, places: Places) -> bool:
    """Whether a statement before the step must stay after a part: it is a later part of the update, or receives gradients."""
    if backpropagates(statement, scene, places):
        return False
    ranks = ranks_of(statement, scene, places)
    if ranks:
        return min(ranks) > rank
    calls = (event for event in scene.run.trace.of(What.CALL, What.RESCALE) if places.holds(statement, event.node))
    return any(each.what is What.RESCALE or not each.handed.isdisjoint(_OF_GRADIENTS) for each in calls)


_OF_GRADIENTS = frozenset(("gradient", "parameters"))
"""Kinds of arguments that give unknown code access to gradients."""


def ranks_of(statement: cst.CSTNode, scene: Scene, places: Places) -> set[int]:
    """The parts of an update that a statement contains.

    Empty if the statement backpropagates, because nothing moves across a backward pass.
    """
    if backpropagates(statement, scene, places):
        return set()
    events = [event for run in scene.runs or (scene.run,) for event in run.trace.events]
    return {ORDER.index(each.what) for each in events if each.what in ORDER and places.holds(statement, each.node)}


def copies_of(found: Decision, step: cst.CSTNode, scene: Scene, places: Places) -> Iterator[Edit]:
    """Copy the lines to the other steps in the function that lack them, such as after the loop or in another branch."""
    seen = {id(step)}
    function, suite = places.function_of(step), places.suite_of(found.statement)
    own_run = {id(event) for event in scene.view.steps}
    for event in (*scene.view.steps, *steps_of(scene)):
        here = next((node for node in (event.node, *reversed(event.stack)) if places.function_of(node) is function), None)
        line = update_at(here, scene, places) if here is not None else None
        if line is None or id(line) in seen:
            continue
        if id(event) not in own_run and not any(places.holds(each, line) for each in suite):
            continue
        seen.add(id(line))
        anchor, after = anchor_of(line, scene.event.what, scene, places)
        own = own_of(places.suite_of(line), scene, places, found.lines)
        if own is None:
            yield Insert(anchor, found.written, after=after)
        elif after and own is not anchor and _precedes(own, line, places.suite_of(line)):
            yield Move(own, anchor, after=True)


def own_of(suite: Suite, scene: Scene, places: Places, going: Collection[cst.CSTNode] = ()) -> cst.CSTNode | None:
    """The statement in a block that already does what the fault's event does. The moving lines do not count.

    A clip of other weights does not either: different parts of a model may share a name.
    """
    same = [
        event
        for event in scene.view.of(scene.event.what)
        if event.node is not scene.event.node and not any(places.holds(each, event.node) for each in going)
        if event.what is not What.CLIP or _subject(event.node) == _subject(scene.event.node)
    ]
    return next((each for each in suite if any(places.holds(each, event.node) for event in same)), None)


def _subject(call: cst.CSTNode) -> str:
    """What a call is given first."""
    return text(call.args[0].value) if isinstance(call, cst.Call) and call.args else ""


def _precedes(one: cst.CSTNode, other: cst.CSTNode, suite: Suite) -> bool:
    order = [each for each in suite if each is one or each is other]
    return len(order) == 2 and order[0] is one


def outside_of_optimizers(step: cst.CSTNode, scene: Scene, places: Places) -> cst.CSTNode | None:
    """The line of a step, or the loop over optimizers around it."""
    statement: cst.CSTNode | None = places.line_of(step)
    for outer in places.around(step):
        if isinstance(outer, cst.For) and not backpropagates(outer, scene, places):
            statement = outer
    return statement


def backpropagates(statement: cst.CSTNode, scene: Scene, places: Places) -> bool:
    """Whether a statement contains a backward pass, or a call that leads to one."""
    passes = [event for run in scene.runs or (scene.run,) for event in run.trace.of(What.BACKWARD)]
    return any(places.holds(statement, node) for each in passes for node in (each.node, *each.stack))


def called_apart(node: cst.CSTNode, scene: Scene, places: Places) -> cst.Call | None:
    """A call of the function around a node that the run does not reach. A change of the function affects it, too."""
    function = places.function_of(node)
    if function is None:
        return None
    calls = list(_calls_of(function, scene))
    if len(calls) < 2:
        return None
    events = scene.run.trace.events
    met, others = {id(call) for event in events for call in event.stack}, {id(event.node) for event in events}
    calls = [call for call in calls if id(call) not in others]
    return next((call for call in calls if id(call) not in met), None) if len(calls) > 1 else None


def _calls_of(function: cst.FunctionDef, scene: Scene) -> Iterator[cst.Call]:
    """The calls that may call a function, matched by name. Methods only match calls on an object."""
    is_method = bool(function.params.params) and function.params.params[0].name.value in ("self", "cls")
    nodes = scene.script.once(walk_all)
    modules = _told_to_evaluate(nodes) if function.name.value == "train" else set()
    for each in nodes:
        if type(each) is cst.Call and last_name(each.func) == function.name.value:
            if isinstance(each.func, cst.Attribute) == is_method and text(each.func).rpartition(".")[0] not in modules:
                yield each


def _told_to_evaluate(nodes: Iterable[cst.CSTNode]) -> set[str]:
    """The objects on which `eval()` is called, if no class of the text defines it. Their `train()` only sets a mode."""
    told: set[str] = set()
    for each in nodes:
        if type(each) is cst.FunctionDef and each.name.value == "eval":
            return set()
        if type(each) is cst.Call and isinstance(each.func, cst.Attribute) and each.func.attr.value == "eval":
            told.add(text(each.func.value))
    return told
