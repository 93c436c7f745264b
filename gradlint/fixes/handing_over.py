"""Hands the accumulation steps over to a function that has no name for them: as a new parameter, and at each of its calls."""

from __future__ import annotations

import libcst as cst

from gradlint.edits import Edit, Enclose
from gradlint.fixes.definitions import Definitions
from gradlint.fixes.places import Places
from gradlint.fixes.told_lengths import steps_at
from gradlint.model.syntax.expressions import last_name, walk, walk_all
from gradlint.simulate.scene import Scene
from gradlint.simulate.trace import What
from gradlint.simulate.world import last_part


def handed_over(scene: Scene, places: Places) -> tuple[str, tuple[Edit, ...]] | None:
    """Return the name of the new parameter of the function around the event, and the edits that hand it over.

    Return None if the function is a method, has optional parameters, or is used in any other way than by calls that a run makes
    where N has a name.
    """
    function = places.function_of(scene.event.node)
    calls = _calls(scene, function) if function is not None and _is_plain(function, places) else []
    names = scene.script.once(Definitions)
    given = [steps_at(scene, each, names) for each in calls]
    if function is None or not calls or None in given or not all(map(_may_grow, calls)):
        return None
    name = last_part(given[0] or "")
    used = {each.value for each in walk(function) if isinstance(each, cst.Name)}
    if not name.isidentifier() or name in used or _is_mentioned(function, calls, scene):
        return None
    edits: list[Edit] = [Enclose(function.params.params[-1].name, "", f", {name}")]
    for call, steps in zip(calls, given, strict=True):
        full = all(arg.keyword is None for arg in call.args) and len(call.args) == len(function.params.params)
        edits.append(Enclose(call.args[-1].value, "", f", {steps}" if full else f", {name}={steps}"))
    return name, tuple(edits)


def _is_plain(function: cst.FunctionDef, places: Places) -> bool:
    """Whether a function of a module takes only required parameters without annotations, and can take one more."""
    given, module = function.params, any(each is function for each in places.module)
    others = given.kwonly_params or given.posonly_params or given.star_kwarg or isinstance(given.star_arg, cst.Param)
    plain = all(each.default is None and each.annotation is None for each in given.params)
    return bool(module and given.params and not others and plain and not isinstance(given.params[-1].comma, cst.Comma))


def _calls(scene: Scene, function: cst.FunctionDef) -> list[cst.Call]:
    """The calls of a function through which runs reach the event."""
    events = (event for run in scene.runs for event in run.trace.of(What.BACKWARD) if event.node is scene.event.node)
    stacked = (node for event in events for node in event.stack if isinstance(node, cst.Call))
    return list({id(each): each for each in stacked if last_name(each.func) == function.name.value}.values())


def _may_grow(call: cst.Call) -> bool:
    """Whether another argument can be written behind the last one."""
    last = call.args[-1] if call.args else None
    starred = any(each.star for each in call.args)
    return last is not None and not starred and not last.value.lpar and not isinstance(last.comma, cst.Comma)


def _is_mentioned(function: cst.FunctionDef, calls: list[cst.Call], scene: Scene) -> bool:
    """Whether anything but its definition, imports and these calls names the function."""
    nodes = scene.script.once(walk_all)
    known = {id(node) for call in calls for node in walk(call.func)} | {id(function.name)}
    known |= {id(node) for each in nodes if isinstance(each, cst.ImportAlias) for node in walk(each)}
    return any(isinstance(each, cst.Name) and each.value == function.name.value and id(each) not in known for each in nodes)
