"""GRD503 contrastive-loss-over-micro-batches; the page is rules/GRD503.md."""

from __future__ import annotations

from gradlint.diagnostic import Severity
from gradlint.finding import Finding, no_fix
from gradlint.rule import trace_rule
from gradlint.simulate.promise import NOTHING
from gradlint.simulate.scene import Scene, brief


@trace_rule(
    "GRD503",
    "contrastive-loss-over-micro-batches",
    "A loss that takes its negatives from the batch sees only those of one micro-batch",
    severity=Severity.INFO,
    promise=NOTHING,
)
def contrastive_loss_over_micro_batches(scene: Scene) -> Finding:
    message = f"{brief(scene.place)} takes its negatives from one micro-batch"
    reason = (
        f"it compares the samples of one micro-batch: accumulating {scene.n} of them adds no negatives, as a larger batch would"
    )
    related = ((scene.step.node, "the window ends here"),)
    return Finding(scene.place, message, reason, related, note=no_fix("cache the representations (GradCache)"))
