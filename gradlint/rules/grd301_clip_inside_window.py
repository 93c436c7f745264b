"""GRD301 clip-inside-window; the page is rules/GRD301.md."""

from __future__ import annotations

from collections.abc import Iterator

from gradlint.finding import Finding
from gradlint.fixes.by_trace import move_to_step
from gradlint.fixes.shared import into_update
from gradlint.model.types import Cadence, Kind, TrainingLoop
from gradlint.rule import rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene
from gradlint.simulate.trace import What


def _shown(scene: Scene) -> Finding:
    fix, note = move_to_step(scene, "Clip once per update, just before the step")
    message = f"{scene.here} runs more often than {scene.there}: "
    message += "partial sums are clipped, and the micro-batches of a window weigh differently"
    return Finding(scene.place, message, ((scene.step.node, "the accumulated gradients are used here"),), fix, note)


@rule(
    "GRD301",
    "clip-inside-window",
    "Gradients are clipped before the window is complete",
    promise=changing(What.CLIP),
    shown=_shown,
)
def clip_inside_window(loop: TrainingLoop) -> Iterator[Finding]:
    for clip in loop.all(Kind.CLIP) if not loop.grads_gathered else ():
        update = loop.update_for(clip)
        if update is None or clip.cadence not in (Cadence.PER_MICRO_BATCH, Cadence.INSIDE_WINDOW):
            continue
        if (loop.steps is not None and loop.steps.value == 1) or update.through == "deepspeed":
            continue
        fix, note = into_update(clip, update, loop, "Clip once per update, just before the step")
        yield Finding(
            at=clip.node,
            message=f"`{clip.source}` runs on every micro-batch, `{update.source}` once every {loop.n}: "
            "partial sums are clipped, and the micro-batches of a window weigh differently",
            related=((update.node, "the accumulated gradients are used here"),),
            fix=fix,
            note=note,
        )
