"""GRD305 scaler-update-inside-window; the page is rules/GRD305.md."""

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
    fix, note = move_to_step(scene, "Update the scaler once per update, after the step")
    message = f"{scene.here} runs more often than {scene.there}: "
    message += "the factor can change inside a window, and gradients of different scale are added"
    return Finding(scene.place, message, ((scene.step.node, "the scaler steps here"),), fix, note)


@rule(
    "GRD305",
    "scaler-update-inside-window",
    "The scaler adapts its factor inside a window",
    promise=changing(What.SCALER_UPDATE),
    shown=_shown,
)
def scaler_update_inside_window(loop: TrainingLoop) -> Iterator[Finding]:
    for update in loop.all(Kind.SCALER_UPDATE):
        step = loop.update_for(update)
        if step is None or step.through != "scaler" or update.cadence is not Cadence.PER_MICRO_BATCH:
            continue
        if loop.steps is not None and loop.steps.value == 1:
            continue
        fix, note = into_update(update, step, loop, "Update the scaler once per update, after its step")
        yield Finding(
            at=update.node,
            message=f"`{update.source}` runs on every micro-batch, `{step.source}` once every {loop.n}: "
            "the factor can change inside a window, and gradients of different scale are added",
            related=((step.node, "the scaler steps here"),),
            fix=fix,
            note=note,
        )
