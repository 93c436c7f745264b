"""GRD208 accumulation-never-entered; the page is rules/GRD208.md."""

from __future__ import annotations

from gradlint.finding import Finding
from gradlint.fixes.accumulating import enter_accumulate
from gradlint.rule import trace_rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene
from gradlint.simulate.trace import What


@trace_rule(
    "GRD208",
    "accumulation-never-entered",
    "The accelerator divides each loss by its accumulation steps, but nothing accumulates",
    promise=changing(What.COUNT, windows=True),
)
def accumulation_never_entered(scene: Scene) -> Finding:
    fix, note = enter_accumulate(scene)
    message = f"The loss is divided by {_steps(scene)}, but nothing accumulates"
    reason = f"{scene.here} divides it, and without `accumulate()` {scene.there} runs on every micro-batch: gradients are N times too small"
    return Finding(scene.place, message, reason, ((scene.step.node, "the optimizer steps here"),), fix, note)


def _steps(scene: Scene) -> str:
    """The accelerator's divisor, as written for the reader."""
    by = scene.event.value
    if by is None or len(by.of) > 1:
        return "N"
    return f"`{next(iter(by.of))}`" if by.of else f"{by.by:g}"
