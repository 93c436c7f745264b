"""GRD310 scaler-update-skipped; the page is rules/GRD310.md."""

from __future__ import annotations

import libcst as cst

from gradlint.finding import Finding
from gradlint.fixes.scaler_by_trace import update_in_any_case
from gradlint.rule import trace_rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene, brief
from gradlint.simulate.trace import What


@trace_rule(
    "GRD310",
    "scaler-update-skipped",
    "Some data make the loop skip the scaler's update after `unscale_`, so the next `unscale_` raises",
    promise=changing(What.SCALER_UPDATE),
)
def scaler_update_skipped(scene: Scene) -> Finding:
    unscaled, branch = scene.fault.other, scene.fault.about
    assert unscaled is not None and isinstance(branch, cst.If)
    fix, note = update_in_any_case(scene)
    asked, unscale = scene.quoted(branch.test), scene.quoted(unscaled.node)
    message = f"{brief(scene.place)} may be skipped after the gradients were unscaled"
    reason = (
        f"it depends on {asked}, but {unscale} does not: once the update is skipped, the next `unscale_` raises, because PyTorch "
        "allows only one between two updates"
    )
    related = ((unscaled.node, "the gradients are unscaled here"), (branch.test, "this decides about the update"))
    return Finding(scene.place, message, reason, related, fix, note)
