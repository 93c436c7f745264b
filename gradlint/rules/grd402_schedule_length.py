"""GRD402 schedule-length-in-micro-batches; the page is rules/GRD402.md."""

from __future__ import annotations

from gradlint.diagnostic import Severity
from gradlint.finding import Finding
from gradlint.fixes.schedule_lengths import in_updates
from gradlint.fixes.told_lengths import Told
from gradlint.rule import trace_rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene


@trace_rule(
    "GRD402",
    "schedule-length-in-micro-batches",
    "The schedule's length counts micro-batches, but it advances once per update",
    severity=Severity.WARNING,
    promise=changing(),
)
def schedule_length_in_micro_batches(scene: Scene) -> Finding:
    told, advance = Told(scene), scene.quoted(scene.event.node)
    fix, note = in_updates(told)
    named = f"`{told.length.name}`" if told.length.name else "the length of the schedule"
    if told.product:
        reason = f"{named} is multiplied by {told.steps}, but the prepared {advance} advances once per update"
    else:
        reason = f"{named} counts {told.counted}, but {advance} runs once every {told.steps}"
    return Finding(
        scene.place,
        "The schedule is N times too long: its length counts micro-batches",
        reason,
        ((scene.event.node, "the schedule advances here"),),
        fix,
        note,
    )
