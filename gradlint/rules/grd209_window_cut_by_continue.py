"""GRD209 window-cut-by-continue; the page is rules/GRD209.md."""

from __future__ import annotations

from gradlint.finding import Finding, no_fix
from gradlint.rule import trace_rule
from gradlint.simulate.promise import NOTHING
from gradlint.simulate.scene import Scene, brief
from gradlint.simulate.skipping import CLEARED

_KEEP = no_fix("keep the gradients, because they do not contain this micro-batch yet")
_COUNT = no_fix("test the boundary on skipped micro-batches too, or count only those that are used")


@trace_rule(
    "GRD209",
    "window-cut-by-continue",
    "Skipping a micro-batch skips the boundary too, or throws away the rest of the window",
    promise=NOTHING,
)
def window_cut_by_continue(scene: Scene) -> Finding:
    if scene.fault.why == CLEARED:
        message = f"{brief(scene.place)} throws away what the window has accumulated"
        reason = f"{scene.there} still closes the window, so its update has fewer micro-batches than {scene.n}"
        return Finding(scene.place, message, reason, ((scene.step.node, "the rest of the window is used here"),), note=_KEEP)
    message = f"{brief(scene.place)} skips the boundary along with the micro-batch"
    reason = (
        f"if that micro-batch is the last of its window, {scene.there} does not run, and the next update sums nearly twice "
        f"{scene.n} micro-batches"
    )
    return Finding(scene.place, message, reason, ((scene.step.node, "the step that is skipped"),), note=_COUNT)
