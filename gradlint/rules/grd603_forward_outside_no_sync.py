"""GRD603 forward-outside-no-sync; the page is rules/GRD603.md."""

from __future__ import annotations

from gradlint.diagnostic import Severity
from gradlint.finding import Finding
from gradlint.fixes.no_sync_by_trace import take_forward_in
from gradlint.rule import trace_rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene, brief


@trace_rule(
    "GRD603",
    "forward-outside-no-sync",
    "Only the backward pass is under `no_sync`, but the forward pass decides",
    severity=Severity.WARNING,
    promise=changing(synchronisation=True),
)
def forward_outside_no_sync(scene: Scene) -> Finding:
    fix, note = take_forward_in(scene)
    backward = scene.quoted(scene.event.node)
    reason = f"DistributedDataParallel decides at the forward pass: with only {backward} under {scene.here}, gradients are still reduced"
    return Finding(
        scene.place,
        f"The forward pass runs outside {brief(scene.place)}",
        reason,
        ((scene.event.node, "the backward pass is here"),),
        fix,
        note,
    )
