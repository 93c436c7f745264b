"""GRD504 graphs-kept-over-the-window; the page is rules/GRD504.md."""

from __future__ import annotations

from gradlint.diagnostic import Severity
from gradlint.finding import Finding, no_fix
from gradlint.rule import trace_rule
from gradlint.simulate.promise import NOTHING
from gradlint.simulate.scene import Scene, brief


@trace_rule(
    "GRD504",
    "graphs-kept-over-the-window",
    "The losses of a window are summed with their graphs, which takes the memory of the large batch",
    severity=Severity.INFO,
    promise=NOTHING,
)
def graphs_kept_over_the_window(scene: Scene) -> Finding:
    message = f"{brief(scene.place)} keeps the graphs of a whole window in memory"
    reason = f"it runs once for all {scene.n} micro-batches, so the loop needs the memory of the large batch"
    related = tuple(
        {id(source.node): (source.node, "each of these losses keeps its graph") for source, _ in scene.event.terms}.values()
    )
    return Finding(scene.place, message, reason, related[:1], note=no_fix("other code may read the sum"))
