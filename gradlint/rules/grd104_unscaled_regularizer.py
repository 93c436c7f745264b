"""GRD104 unscaled-regularizer; the page is rules/GRD104.md."""

from __future__ import annotations

from gradlint.finding import Finding
from gradlint.fixes.terms_by_trace import divide_as_the_rest
from gradlint.rule import trace_rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene


@trace_rule(
    "GRD104",
    "unscaled-regularizer",
    "A term of the loss is not divided by the accumulation steps, while others are",
    promise=changing(factors=True),
    afterwards="the penalty is now divided with the rest of the loss: it weighs 1/N of what it did",
)
def unscaled_regularizer(scene: Scene) -> Finding:
    fix, note = divide_as_the_rest(scene)
    term = "a term of the loss" if scene.place is scene.event.node else scene.here
    reason = f"{term} is not divided by {scene.n}, so over a window it weighs N times as much as intended"
    return Finding(
        scene.place,
        "A term of the loss is not divided like the rest of it",
        reason,
        ((scene.event.node, "the sum is backpropagated here"),),
        fix,
        note,
    )
