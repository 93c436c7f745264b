"""GRD306 scaler-bypassed; the page is rules/GRD306.md."""

from __future__ import annotations

from gradlint.finding import Finding
from gradlint.fixes.scaler_by_trace import scale_the_loss, step_through_scaler
from gradlint.rule import trace_rule
from gradlint.simulate.precision import MIXED
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene, brief
from gradlint.simulate.trace import What


@trace_rule(
    "GRD306",
    "scaler-bypassed",
    "Scaled gradients meet a plain step, or plain gradients a scaler's step",
    promise=changing(What.STEP, What.SCALER_UPDATE),
)
def scaler_bypassed(scene: Scene) -> Finding:
    if scene.fault.why == MIXED and (step := scene.fault.other) is not None:
        fix, note = scale_the_loss(scene)
        message = f"{brief(scene.place)} adds unscaled gradients to scaled ones"
        reason = f"{brief(step.node)} divides all of them by the scaler's factor, so this loss counts 65536 times too little"
        return Finding(scene.place, message, reason, ((step.node, "all gradients are unscaled here"),), fix, note)
    if scene.event.scaled:
        fix, note = scale_the_loss(scene)
        message = f"{brief(scene.place)} unscales gradients that were never scaled"
        reason = "it divides them by the scaler's factor, so updates start out 65536 times too small"
        there = "the loss is backpropagated unscaled here"
    else:
        fix, note = step_through_scaler(scene)
        message = f"{brief(scene.place)} applies gradients that are still scaled"
        reason = "they carry the GradScaler's factor, so updates start out 65536 times too large"
        there = "the loss is scaled here"
    backward = scene.fault.other
    return Finding(scene.place, message, reason, ((backward.node, there),) if backward is not None else (), fix, note)
