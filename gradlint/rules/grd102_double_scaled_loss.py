"""GRD102 double-scaled-loss; the page is rules/GRD102.md."""

from __future__ import annotations

from gradlint.finding import Finding
from gradlint.fixes.division_by_trace import divisor_of, undo_division
from gradlint.rule import trace_rule
from gradlint.simulate.engines.lightning import AUTOMATIC
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene


@trace_rule(
    "GRD102",
    "double-scaled-loss",
    "The loss is divided by the accumulation steps twice",
    promise=changing(factors=True),
    afterwards="the loss is now divided once, no longer twice: with SGD, steps are N times longer, so retune the learning rate",
)
def double_scaled_loss(scene: Scene) -> Finding:
    fix, note = undo_division(scene)
    other = scene.fault.about if scene.fault.about is not None else scene.event.node
    divisor = divisor_of(scene.place)
    again = "Lightning's automatic optimization" if scene.event.through == AUTOMATIC else scene.quoted(other)
    twice = f"it is divided by {scene.quoted(divisor)} here and again by {again}, so " if divisor is not None else ""
    reason = f"{twice}the gradient is N times too small"
    return Finding(
        scene.place,
        "The loss is divided by the accumulation steps twice",
        reason,
        ((other, "it is divided here as well"),),
        fix,
        note,
    )
