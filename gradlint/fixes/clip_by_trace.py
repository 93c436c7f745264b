"""Fixes for gradient clipping: adds the missing unscaling before it, or moves it after the backward pass."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

import libcst as cst

from gradlint.edits import Insert, Move
from gradlint.finding import Fix
from gradlint.fixes.decisions import decision_of, named_anew
from gradlint.fixes.guards import only_asks
from gradlint.fixes.places import Places
from gradlint.fixes.shared import Outcome, in_several_places, unsafe, withheld
from gradlint.fixes.update_by_trace import anchor_of, called_apart, copies_of, outside_of_optimizers, step_beside
from gradlint.model.syntax.expressions import bound_in_class, text, walk
from gradlint.simulate.scene import Scene
from gradlint.simulate.trace import Event, What


def unscale_first(scene: Scene) -> Outcome:
    """Insert `scaler.unscale_(optimizer)` before a clip, for every optimizer that the scaler steps in that update."""
    places, clip = scene.script.once(Places), _first_clip(scene)
    line = places.line_of(clip.node)
    if line is None:
        return withheld("the clip is part of a larger statement")
    stand_in = _stand_in(scene)
    if stand_in is not None:
        return withheld(f"`{stand_in}` may replace the scaler, and has no `unscale_`")
    steps = list(_steps_after(clip, scene))
    if not steps:
        return withheld("first move the clip into the update")
    if any(places.function_of(step.node) is not places.function_of(line) for step in steps):
        return withheld("the scaler or the optimizer has no name where the gradients are clipped")
    header = _only_where_scaled(line, clip, steps, places)
    if header is None:
        return withheld("the clip also runs when nothing is scaled")
    calls = [call for step in steps if (call := _unscaling(step, line, scene, places)) is not None]
    if len(calls) < len(steps):
        return withheld("the scaler or the optimizer has no name where the gradients are clipped")
    fix = Fix("Unscale the gradients first", (Insert(line, _under(header, list(dict.fromkeys(calls)))),))
    shared = called_apart(line, scene, places)
    return unsafe(fix, *in_several_places(shared)) if shared is not None else (fix, None)


def _only_where_scaled(line: cst.CSTNode, clip: Event, steps: list[Event], places: Places) -> str | None:
    """The `if` header for a condition of the scaler's steps that the clip does not have, or "" if there is none.

    Returns None if that condition cannot be tested at the clip.
    """
    arms = {(id(node), arm) for node, arm, _ in clip.path}
    extra = {id(node): (node, arm) for step in steps for node, arm, _ in step.path if (id(node), arm) not in arms}
    if not extra:
        return ""
    suite = places.suite_of(line)
    node, arm = next(iter(extra.values()))
    start = next(index for index, each in enumerate(suite) if each is line)
    end = next((index for index, each in enumerate(suite) if each is node), None)
    if len(extra) > 1 or end is None or not isinstance(node, cst.If) or arm > 1 or isinstance(node.orelse, cst.If):
        return None
    if not only_asks(node.test) or named_anew(node.test, suite[start:end]) is not None:
        return None
    test = " ".join(text(node.test).split())
    return f"if {test}:" if arm == 0 else f"if not ({test}):"


def _under(header: str, lines: list[str]) -> str:
    code = "\n".join(lines)
    return f"{header}\n{textwrap.indent(code, '    ')}" if header else code


def move_behind_backward(scene: Scene, message: str) -> Outcome:
    """Move a clip from before the backward pass to just before the step, and unscale there if a scaler steps."""
    places, node = scene.script.once(Places), scene.event.node
    line = places.line_of(node)
    if line is None or not (isinstance(line.body[0], cst.Expr) and line.body[0].value is node):
        return withheld("the call shares its line with other code, or something uses its result")
    step = step_beside(line, scene, places)
    if step is None:
        return withheld("the call and the optimizer's step are in different functions")
    shared = called_apart(line, scene, places)
    if shared is not None:
        return withheld(*in_several_places(shared))
    piece = places.piece_of(line)
    if not any(places.holds(each, step) for each in places.suite_of(piece)):
        return withheld("the call has its own condition")
    found = decision_of(line, step, {scene.event.what}, scene, places)
    if isinstance(found, str):
        return withheld(found)
    anchor, after = anchor_of(step, scene.event.what, scene, places)
    copies = tuple(copies_of(found, step, scene, places))
    if not scene.step.scaled or scene.event.through:
        return Fix(message, (Move(piece, anchor, after=after), *copies)), None
    unscale = None if copies or scene.view.of(What.UNSCALE) else _named_at(line, scene, places)
    if unscale is None:
        return withheld("the gradients must be unscaled first, and gradlint cannot tell where")
    return Fix(message, (Insert(anchor, unscale, after=after), Move(piece, anchor, after=after))), None


def _named_at(line: cst.CSTNode, scene: Scene, places: Places) -> str | None:
    """The call that unscales the gradients of the step, if a line can use its names because it is in the same function."""
    return (
        _unscaling(scene.step, line, scene, places) if places.function_of(scene.step.node) is places.function_of(line) else None
    )


def _stand_in(scene: Scene) -> str | None:
    """A class in the text that scales and steps like a scaler but has no `unscale_`."""
    for statement in scene.script.statements:
        for each in walk(statement):
            if isinstance(each, cst.ClassDef) and not each.bases:
                names = bound_in_class(each)
                if {"scale", "step"} <= names and "unscale_" not in names:
                    return each.name.value
    return None


def _first_clip(scene: Scene) -> Event:
    """The first clip of the same update. Gradients are unscaled once, for all clips."""
    events = scene.run.trace.events
    first = scene.event
    for event in reversed(events[: next(place for place, each in enumerate(events) if each is first)]):
        if event.what is What.BACKWARD:
            break
        if event.what is What.CLIP and event.scaled and not event.through:
            first = event
    return first


def _steps_after(clip: Event, scene: Scene) -> Iterator[Event]:
    """The scaler's steps that use the clipped gradients, or none if another backward pass comes first."""
    events = scene.run.trace.events
    place = next(index for index, event in enumerate(events) if event is clip)
    seen = False
    for event in events[place:]:
        if event.what is What.BACKWARD:
            return
        if event.what is What.STEP and event.through == "scaler":
            if not set(event.held).isdisjoint(clip.held):
                seen = True
                yield event
        elif seen and event.what is What.SCALER_UPDATE:
            return


def _unscaling(step: Event, line: cst.CSTNode, scene: Scene, places: Places) -> str | None:
    """The call that unscales the gradients of a step, to insert before a line.

    If the step is in a loop over optimizers that does not contain the line, the call gets the same loop.
    """
    call = step.node
    if not isinstance(call, cst.Call) or not isinstance(call.func, cst.Attribute) or not call.args:
        return None
    unscale = f"{text(call.func.value)}.unscale_({text(call.args[0].value)})"
    around = outside_of_optimizers(call, scene, places)
    if isinstance(around, cst.For) and not places.holds(around, line):
        return f"for {text(around.target)} in {text(around.iter)}:\n    {unscale}"
    return unscale
