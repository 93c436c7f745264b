"""GRD307 missing-scaler-update; the page is rules/GRD307.md."""

from __future__ import annotations

import libcst as cst

from gradlint.finding import Finding
from gradlint.fixes.by_trace import after_each_step
from gradlint.fixes.shared import withheld
from gradlint.model.syntax.expressions import text
from gradlint.rule import trace_rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene, brief
from gradlint.simulate.trace import What


@trace_rule(
    "GRD307",
    "missing-scaler-update",
    "The GradScaler never updates its factor",
    promise=changing(What.SCALER_UPDATE),
)
def missing_scaler_update(scene: Scene) -> Finding:
    call = scene.event.node
    if isinstance(call, cst.Call) and isinstance(call.func, cst.Attribute):
        fix, note = after_each_step(scene, f"{text(call.func.value)}.update()", "Update the scaler after its step")
    else:
        fix, note = withheld("the scaler has no name at its step")
    message = f"{brief(scene.place)} is never followed by `update()`"
    reason = "without `update()`, the next `unscale_` or `scaler.step` of the same optimizer raises an error"
    return Finding(scene.place, message, reason, fix=fix, note=note)
