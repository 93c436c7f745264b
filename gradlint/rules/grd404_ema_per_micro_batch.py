"""GRD404 ema-per-micro-batch; the page is rules/GRD404.md."""

from __future__ import annotations

from collections.abc import Iterator

from gradlint.diagnostic import Severity
from gradlint.finding import Finding
from gradlint.fixes.by_trace import move_to_step
from gradlint.fixes.shared import into_update
from gradlint.model.types import Kind, TrainingLoop
from gradlint.rule import rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene
from gradlint.simulate.trace import What


def _shown(scene: Scene) -> Finding:
    fix, note = move_to_step(scene, "Update the average once per update, after the step")
    message = f"{scene.here} runs more often than {scene.there}: the average forgets N times too fast"
    return Finding(scene.place, message, ((scene.step.node, "the weights change here"),), fix, note)


@rule(
    "GRD404",
    "ema-per-micro-batch",
    "Weight averages are updated more often than the weights",
    severity=Severity.WARNING,
    promise=changing(What.AVERAGE),
    shown=_shown,
)
def ema_per_micro_batch(loop: TrainingLoop) -> Iterator[Finding]:
    for average in loop.all(Kind.EMA_UPDATE):
        update = loop.update_for(average)
        if update is None or not average.cadence.more_often_than(update.cadence) or update.through == "deepspeed":
            continue
        if loop.steps is not None and loop.steps.value == 1:
            continue
        fix, note = into_update(average, update, loop, "Average once per update, after the step")
        yield Finding(
            at=average.node,
            message=f"`{average.source}` runs on every micro-batch, `{update.source}` once every {loop.n}: "
            "the average forgets N times too fast",
            related=((update.node, "the weights change here"),),
            fix=fix,
            note=note,
        )
