"""GRD106 scaled-loss-logged; the page is rules/GRD106.md."""

from __future__ import annotations

from gradlint.diagnostic import Severity
from gradlint.finding import Finding
from gradlint.fixes.reports_by_trace import multiply_again
from gradlint.rule import trace_rule
from gradlint.simulate.promise import NOTHING
from gradlint.simulate.scene import Scene, brief


@trace_rule(
    "GRD106",
    "scaled-loss-logged",
    "The divided loss is reported as if it were the loss",
    severity=Severity.INFO,
    promise=NOTHING,
)
def scaled_loss_logged(scene: Scene) -> Finding:
    fix, note = multiply_again(scene)
    message = f"{brief(scene.place)} reports the divided loss"
    reason = f"it is the loss divided by {scene.n}: N times too small"
    division = scene.fault.about
    related = (
        (division, "it is divided here") if division is not None else (scene.view.backwards[0].node, "it is backpropagated here")
    )
    return Finding(scene.place, message, reason, (related,), fix, note)
