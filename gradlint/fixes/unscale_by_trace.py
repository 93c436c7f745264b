"""Writes the unscaling that a clip lacks, where a simulated run shows which scaler steps which optimizer."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from gradlint.edits import Insert
from gradlint.finding import Fix
from gradlint.fixes.by_trace import called_apart, outside_of_optimizers
from gradlint.fixes.places import Places
from gradlint.fixes.shared import Outcome, unsafe, withheld
from gradlint.model.syntax.expressions import text
from gradlint.simulate.scene import Scene
from gradlint.simulate.trace import Event, What


def unscale_first(scene: Scene) -> Outcome:
    """Write `scaler.unscale_(optimizer)` before a clip, for every optimizer that the scaler steps in that update."""
    places, clip = Places(scene.statements), _first_clip(scene)
    line = places.line_of(clip.node)
    if line is None:
        return withheld("the clip is part of a larger statement")
    steps = list(_steps_after(clip, scene))
    if not steps:
        return withheld("the clip belongs into the update first")
    if any(places.function_of(step.node) is not places.function_of(line) for step in steps):
        return withheld("the scaler and the optimizer have no names at the clip")
    arms = {(id(node), arm) for node, arm, _ in clip.path}
    if any((id(node), arm) not in arms for step in steps for node, arm, _ in step.path):
        return withheld("the clip also runs where nothing is scaled")
    calls = [call for step in steps if (call := _unscaling(step, scene, places)) is not None]
    if len(calls) < len(steps):
        return withheld("the scaler and the optimizer have no names at the clip")
    fix = Fix("Unscale the gradients first", (Insert(line, "\n".join(dict.fromkeys(calls))),))
    shared = called_apart(line, scene, places)
    return unsafe(fix, shared) if shared is not None else (fix, None)


def _first_clip(scene: Scene) -> Event:
    """The first clip of the update that the fault's own is in: gradients are unscaled once, for all of them."""
    events = scene.run.trace.events
    first = scene.event
    for event in reversed(events[: next(place for place, each in enumerate(events) if each is first)]):
        if event.what is What.BACKWARD:
            break
        if event.what is What.CLIP and event.scaled and not event.through:
            first = event
    return first


def _steps_after(clip: Event, scene: Scene) -> Iterator[Event]:
    """The scaler's steps that a clip is for; none where another backward pass comes before them."""
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


def _unscaling(step: Event, scene: Scene, places: Places) -> str | None:
    """The call that unscales what a step uses, under the loop over optimizers that it stands in."""
    call = step.node
    if not isinstance(call, cst.Call) or not isinstance(call.func, cst.Attribute) or not call.args:
        return None
    line = f"{text(call.func.value)}.unscale_({text(call.args[0].value)})"
    around = outside_of_optimizers(call, scene, places)
    if isinstance(around, cst.For):
        return f"for {text(around.target)} in {text(around.iter)}:\n    {line}"
    return line
