"""GRD202 dropped-tail; the page is rules/GRD202.md."""

from __future__ import annotations

from gradlint.diagnostic import Severity
from gradlint.finding import Finding
from gradlint.fixes.boundaries import boundary_of
from gradlint.fixes.flush_by_trace import flush
from gradlint.model.syntax.expressions import text
from gradlint.rule import trace_rule
from gradlint.simulate.deciding import decided
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene, brief


@trace_rule(
    "GRD202",
    "dropped-tail",
    "The last, partial window of a finite loader never reaches the optimizer",
    severity=Severity.WARNING,
    promise=changing(windows=True),
    afterwards="the optimizer now steps on the last, partial window: a schedule of `len(loader) // N` updates per pass ends before the run",
)
def dropped_tail(scene: Scene) -> Finding:
    found, boundary = decided(scene.view, scene.step), boundary_of(scene)
    fix, note = flush(scene, boundary)
    n = scene.n if boundary is None else f"`{text(boundary.node.right)}`"
    flushed = ""
    if boundary is not None and boundary.asks_for_an_end() and boundary.skips_first(boundary.guards[0]) is None:
        flushed = "the flush does not run on passes longer than a window, and "
    message = f"The last, partial window never reaches {brief(scene.step.node)}"
    reason = f"it runs only on full windows of {n}: {flushed}"
    reason += "the gradients of the leftover micro-batches are thrown away, or leak into the next pass"
    place = found.test if found is not None else scene.guard or scene.place
    return Finding(place, message, reason, ((scene.step.node, "only full windows reach this step"),), fix, note)
