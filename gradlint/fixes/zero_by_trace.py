"""A fix for gradients that are never cleared: clear them after the optimizer's step."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from gradlint.edits import Insert
from gradlint.finding import Fix
from gradlint.fixes.places import Places
from gradlint.fixes.shared import Outcome, in_several_places, unsafe, withheld
from gradlint.fixes.update_by_trace import anchor_of, called_apart, outside_of_optimizers, update_at
from gradlint.model.syntax.expressions import last_name, text, walk
from gradlint.simulate.scene import Scene
from gradlint.simulate.trace import Event, What

_PARAMETERS = frozenset(("parameters", "named_parameters", "trainable_parameters"))
_HARMLESS = frozenset(("len", "print", "sum", "save"))


def zero_after_step(scene: Scene) -> Outcome:
    """Insert `optimizer.zero_grad()` after each step of the optimizer, at its place in the update."""
    places = scene.script.once(Places)
    shared = called_apart(scene.step.node, scene, places)
    if shared is not None:
        return withheld(*in_several_places(shared))
    inserts: dict[int, Insert] = {}
    for event in scene.view.steps:
        update, code = update_at(event.node, scene, places), _zeroing(event, scene, places)
        if update is None or code is None:
            return withheld("the optimizer has no name here")
        anchor, _ = anchor_of(update, What.ZERO, scene, places)
        inserts.setdefault(id(update), Insert(anchor, code, after=True))
    fix = Fix("Zero the gradients after the step", tuple(inserts.values()))
    reader = next((each for edit in inserts.values() for each in _readers(edit.anchor, scene, places)), None)
    return (fix, None) if reader is None else unsafe(fix, f"{scene.quoted(reader)} reads the gradients after the step")


def _zeroing(step: Event, scene: Scene, places: Places) -> str | None:
    """The call that clears the gradients a step used, under the loop over optimizers if there is one."""
    call = step.node
    if not isinstance(call, cst.Call) or not isinstance(call.func, cst.Attribute):
        return None
    if step.through == "scaler":
        optimizer = call.args[0].value if call.args else None
    else:
        optimizer = call.func.value if not step.through and not call.args else None
    if optimizer is None:
        return None
    line = f"{text(optimizer)}.zero_grad()"
    around = outside_of_optimizers(call, scene, places)
    return f"for {text(around.target)} in {text(around.iter)}:\n    {line}" if isinstance(around, cst.For) else line


def _readers(anchor: cst.CSTNode, scene: Scene, places: Places) -> Iterator[cst.CSTNode]:
    """Code that may read gradients after a statement, in the rest of the iteration."""
    known = {id(event.node) for run in scene.runs for event in run.trace.events if event.what is not What.CALL}
    for outer in (anchor, *places.around(anchor)[1:]):
        if outer is scene.loop:
            return
        suite = places.suite_of(outer)
        index = next((place for place, each in enumerate(suite) if each is outer), len(suite))
        for node in (each for statement in suite[index + 1 :] for each in walk(statement)):
            if isinstance(node, cst.Attribute) and node.attr.value == "grad":
                yield node
            elif isinstance(node, cst.Call) and id(node) not in known and last_name(node.func) not in _HARMLESS:
                if any(
                    isinstance(each, cst.Call) and last_name(each.func) in _PARAMETERS for arg in node.args for each in walk(arg)
                ):
                    yield node
