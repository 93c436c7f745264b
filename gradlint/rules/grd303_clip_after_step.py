"""GRD303 clip-after-step; the page is rules/GRD303.md."""

from __future__ import annotations

from collections.abc import Iterator

from gradlint.edits import Move
from gradlint.finding import Finding, Fix
from gradlint.fixes.shared import Outcome, together, withheld
from gradlint.model.anchors import Withheld, beside, own_condition, piece
from gradlint.model.bystanders import unsettled
from gradlint.model.types import Event, Kind, TrainingLoop, exclusive
from gradlint.rule import rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene
from gradlint.simulate.trace import What


def _shown(scene: Scene) -> Finding:
    message = f"{scene.here} comes after {scene.there}: the step has used the gradients as they were"
    return Finding(scene.place, message, ((scene.step.node, "the step comes first"),))


@rule(
    "GRD303",
    "clip-after-step",
    "Gradients are clipped after the step that they should bound",
    promise=changing(What.CLIP),
    shown=_shown,
)
def clip_after_step(loop: TrainingLoop) -> Iterator[Finding]:
    for clip in loop.all(Kind.CLIP) if loop.shows_backward else ():
        update = loop.update_of(clip)
        steps = [event for event in update if event.kind is Kind.OPTIMIZER_STEP]
        near = [s for s in steps if s.cadence is clip.cadence and not exclusive(s.path, clip.path) and s.through != "deepspeed"]
        if not near or not any(clip is event for event in update) or any(s.index > clip.index for s in near):
            continue
        if any(near[-1].index < b.index < clip.index for b in loop.all(Kind.BACKWARD)):
            continue
        fix, note = _before(clip, near[0], loop)
        yield Finding(
            at=clip.node,
            message=f"`{clip.source}` comes after `{near[-1].source}`: the step has used the gradients as they were",
            related=((near[-1].node, "the step comes first"),),
            fix=fix,
            note=note,
        )


def _before(clip: Event, step: Event, loop: TrainingLoop) -> Outcome:
    unit = piece(clip, loop)
    if isinstance(unit, Withheld):
        return withheld(unit.reason)
    if own_condition(clip, unit, loop, step):
        return withheld("it stands under a condition of its own")
    place = beside(clip, loop)
    if isinstance(place, Withheld):
        return withheld(place.reason)
    units = together(clip, unit, step, loop)
    reason = next((why for each in units if (why := unsettled(clip, each, place, loop)) is not None), None)
    if reason is not None:
        return withheld(reason)
    moves = tuple(Move(each, place.statement, place.after) for each in units)
    return Fix("Clip before the step", moves), None
