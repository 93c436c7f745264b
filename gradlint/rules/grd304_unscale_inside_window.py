"""GRD304 unscale-inside-window; the page is rules/GRD304.md."""

from __future__ import annotations

from collections.abc import Iterator

from gradlint.finding import Finding, Fix
from gradlint.fixes.by_trace import move_to_step
from gradlint.fixes.shared import Outcome, into_update, withheld
from gradlint.model.bystanders import named
from gradlint.model.types import Cadence, Event, Kind, TrainingLoop, exclusive
from gradlint.rule import rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene
from gradlint.simulate.trace import What


def _shown(scene: Scene) -> Finding:
    fix, note = move_to_step(scene, "Unscale once per update, before the step")
    message = f"{scene.here} runs more often than {scene.there}: "
    message += "the second call of a window raises, or scaled and unscaled gradients mix"
    return Finding(scene.place, message, ((scene.step.node, "the scaler steps here"),), fix, note)


@rule(
    "GRD304",
    "unscale-inside-window",
    "Gradients are unscaled before the window is complete",
    promise=changing(What.UNSCALE, What.CLIP),
    shown=_shown,
)
def unscale_inside_window(loop: TrainingLoop) -> Iterator[Finding]:
    for unscale in loop.all(Kind.UNSCALE):
        update = loop.update_for(unscale)
        if update is None or unscale.cadence not in (Cadence.PER_MICRO_BATCH, Cadence.INSIDE_WINDOW):
            continue
        if loop.steps is not None and loop.steps.value == 1:
            continue
        fix, note = _with_clips(unscale, update, loop)
        yield Finding(
            at=unscale.node,
            message=f"`{unscale.source}` runs on every micro-batch, `{update.source}` once every {loop.n}: "
            "the second call of a window raises, or scaled and unscaled gradients mix",
            related=((update.node, "the scaler steps here"),),
            fix=fix,
            note=note,
        )


def _with_clips(unscale: Event, update: Event, loop: TrainingLoop) -> Outcome:
    """Into the update, with the clips that need it and run as often: left behind, they would bound scaled gradients."""
    message = "Unscale once per update, before clip and step"
    outcome = into_update(unscale, update, loop, message)
    edits = list(outcome[0].edits) if outcome[0] is not None else []
    for clip in loop.all(Kind.CLIP) if edits else ():
        if clip.index < unscale.index or clip.cadence is not unscale.cadence or exclusive(clip.path, unscale.path):
            continue
        fix, _ = into_update(clip, update, loop, message)
        if fix is None:
            return withheld(f"{named(clip.node, loop)} would bound scaled gradients, and cannot move along")
        edits += fix.edits
    return (Fix(message, tuple(edits)), None) if edits else outcome
