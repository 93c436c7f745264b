"""GRD207 nested-accumulate; the page is rules/GRD207.md."""

from __future__ import annotations

from gradlint.finding import Finding
from gradlint.fixes.accumulating import join_contexts
from gradlint.rule import trace_rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene, brief
from gradlint.simulate.trace import What


@trace_rule(
    "GRD207",
    "nested-accumulate",
    "Two `accumulate()` contexts around one backward pass count each micro-batch twice",
    promise=changing(What.COUNT, windows=True),
)
def nested_accumulate(scene: Scene) -> Finding:
    fix, note = join_contexts(scene)
    outer = scene.fault.other or scene.event
    message = f"{brief(scene.place)} counts the micro-batch a second time"
    reason = f"{scene.quoted(outer.node)} has counted it already: {_consequence(scene)}"
    return Finding(scene.place, message, reason, ((outer.node, "it is counted here"),), fix, note)


def _consequence(scene: Scene) -> str:
    steps, times = scene.event.value, int(scene.fault.why)
    if steps is None or steps.of or steps.value % times:
        return "with an even N, windows have N/2 micro-batches" if times == 2 else "windows end before they have N micro-batches"
    size = steps.value / times
    window = "each micro-batch is a separate window" if size == 1 else f"windows have {size:g} micro-batches"
    return f"{window}, although the loss is divided by {steps.value:g}"
