"""GRD602 sync-skipped-at-boundary; the page is rules/GRD602.md."""

from __future__ import annotations

from gradlint.finding import Finding
from gradlint.fixes.switch_by_trace import decide_as_the_step
from gradlint.rule import trace_rule
from gradlint.simulate.promise import changing
from gradlint.simulate.reducing import TAIL
from gradlint.simulate.reductions import SHARDS
from gradlint.simulate.scene import Scene, brief


@trace_rule(
    "GRD602",
    "sync-skipped-at-boundary",
    "Gradients are not synchronised on the micro-batch that closes the window",
    promise=changing(synchronisation=True),
)
def sync_skipped_at_boundary(scene: Scene) -> Finding:
    fix, note = decide_as_the_step(scene)
    when = "on the last micro-batch of the data" if scene.fault.why == TAIL else "on the micro-batch that closes a window"
    harm = "the processes drift apart" if scene.event.parallel != SHARDS else "the shards that it updates never get them"
    message = f"{brief(scene.place)} skips the reduction at the boundary"
    reason = f"{when}, {scene.there} uses gradients that are not reduced, and {harm}"
    if scene.event.at is scene.event.forward:
        reason = f"its forward pass goes past {scene.event.parallel}, which then reduces nothing: {harm}"
    return Finding(scene.place, message, reason, ((scene.step.node, "this step uses gradients that are not reduced"),), fix, note)
