"""GRD204 step-inside-window; the page is rules/GRD204.md."""

from __future__ import annotations

from gradlint.finding import Finding
from gradlint.fixes.step_by_trace import step_once
from gradlint.rule import trace_rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene, brief
from gradlint.simulate.trace import What

_WHY = {
    What.STEP: "another step closes the window",
    What.ZERO: "gradients are zeroed once per window",
    What.CLIP: "gradients are clipped once per window",
}


@trace_rule(
    "GRD204",
    "step-inside-window",
    "The optimizer steps on every micro-batch of a loop that means to accumulate",
    promise=changing(What.STEP, What.SCALER_UPDATE),
    afterwards="the optimizer now steps once per window, and no longer on every micro-batch: retune the learning rate",
)
def step_inside_window(scene: Scene) -> Finding:
    fix, note = step_once(scene)
    other = scene.fault.other
    why = _WHY.get(other.what, "") if other is not None else ""
    message = f"{brief(scene.place)} runs on every micro-batch of a loop that accumulates"
    reason = f"{why or 'the loss is divided by the accumulation steps'}, but the optimizer steps N times per window, on partial gradients"
    shown = other.node if other is not None else scene.fault.about
    return Finding(
        scene.place, message, reason, ((shown, "this shows that you mean to accumulate"),) if shown is not None else (), fix, note
    )
