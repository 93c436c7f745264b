"""GRD302 clip-without-unscale; the page is rules/GRD302.md."""

from __future__ import annotations

from gradlint.finding import Finding
from gradlint.fixes.clip_by_trace import unscale_first
from gradlint.rule import trace_rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene, brief
from gradlint.simulate.trace import What


@trace_rule(
    "GRD302",
    "clip-without-unscale",
    "Gradients are clipped while they still carry the GradScaler's factor",
    promise=changing(What.UNSCALE),
)
def clip_without_unscale(scene: Scene) -> Finding:
    fix, note = unscale_first(scene)
    scaled = scene.event.held and scene.run.trace.events[scene.event.held[-1]].node
    related = [(scaled, "the loss is scaled here")] if scaled else []
    message = f"{brief(scene.place)} clips gradients that are still scaled"
    reason = "the GradScaler has multiplied them (by 65536 at first), but the threshold is meant for unscaled gradients"
    return Finding(scene.place, message, reason, (*related, (scene.step.node, "the gradients are unscaled only here")), fix, note)
