"""GRD401 scheduler-per-micro-batch; the page is rules/GRD401.md."""

from __future__ import annotations

from gradlint.finding import Finding
from gradlint.fixes.by_trace import move_to_step
from gradlint.fixes.shared import unsafe
from gradlint.rule import trace_rule
from gradlint.simulate.pace import counts_updates
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene, brief
from gradlint.simulate.trace import What


@trace_rule(
    "GRD401",
    "scheduler-per-micro-batch",
    "The learning-rate schedule advances more often than the weights do",
    promise=changing(What.SCHEDULE),
    afterwards="the schedule now advances once per update, N times more slowly: its length must count updates",
)
def scheduler_per_micro_batch(scene: Scene) -> Finding:
    fix, note = move_to_step(scene, "Advance the schedule once per update, after the step")
    if fix is not None and not all(counts_updates(event, trace) for event, trace in scene.everywhere):
        schedule = scene.here.removesuffix(".step()`") + "`"
        fix, note = unsafe(fix, f"gradlint does not see what the length of {schedule} counts")
    message = f"{brief(scene.place)} advances more often than the optimizer steps"
    reason = f"{scene.too_often}: the schedule ends N times too early"
    return Finding(scene.place, message, reason, ((scene.step.node, "the weights change here"),), fix, note)
