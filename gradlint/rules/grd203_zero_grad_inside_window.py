"""GRD203 zero-grad-inside-window; the page is rules/GRD203.md."""

from __future__ import annotations

from gradlint.finding import Finding
from gradlint.fixes.by_trace import move_to_step
from gradlint.rule import trace_rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene, brief
from gradlint.simulate.trace import What


@trace_rule(
    "GRD203",
    "zero-grad-inside-window",
    "Gradients are zeroed more often than the optimizer steps",
    promise=changing(What.ZERO),
)
def zero_grad_inside_window(scene: Scene) -> Finding:
    fix, note = move_to_step(scene, "Zero the gradients once per update, after the step")
    whole = f"window of {scene.n}" if scene.view.size > 1 else "update"
    message = f"{brief(scene.place)} clears gradients before the window is complete"
    reason = f"it runs before the last backward pass of each {whole}, so the gradients it clears reach no step"
    return Finding(scene.place, message, reason, ((scene.step.node, "the accumulated gradients are used here"),), fix, note)
