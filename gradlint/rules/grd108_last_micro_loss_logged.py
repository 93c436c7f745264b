"""GRD108 last-micro-loss-logged; the page is rules/GRD108.md."""

from __future__ import annotations

from gradlint.diagnostic import Severity
from gradlint.finding import Finding, no_fix
from gradlint.rule import trace_rule
from gradlint.simulate.promise import NOTHING
from gradlint.simulate.scene import Scene, brief


@trace_rule(
    "GRD108",
    "last-micro-loss-logged",
    "The loss logged once per update is only that of the window's last micro-batch",
    severity=Severity.INFO,
    promise=NOTHING,
)
def last_micro_loss_logged(scene: Scene) -> Finding:
    message = f"{brief(scene.place)} logs only the loss of the window's last micro-batch"
    reason = f"{scene.there} follows all {scene.n} of them, so the log has the noise of one"
    related = ((scene.view.backwards[0].node, "the loss of each micro-batch"), (scene.step.node, "the update"))
    return Finding(scene.place, message, reason, related, note=no_fix("the code does not compute the mean over the window"))
