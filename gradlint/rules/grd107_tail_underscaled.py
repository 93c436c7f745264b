"""GRD107 tail-underscaled; the page is rules/GRD107.md."""

from __future__ import annotations

from gradlint.diagnostic import Severity
from gradlint.finding import Finding, no_fix
from gradlint.rule import trace_rule
from gradlint.simulate.promise import NOTHING
from gradlint.simulate.scene import Scene, brief


@trace_rule(
    "GRD107",
    "tail-underscaled",
    "The partial window is divided by N, although the script computes its length",
    severity=Severity.INFO,
    promise=NOTHING,
)
def tail_underscaled(scene: Scene) -> Finding:
    known = scene.fault.about
    told = f"{scene.quoted(known)} micro-batches" if known is not None else "fewer micro-batches"
    message = f"The partial window is divided by {brief(scene.steps or 'N')}, not by its own length"
    reason = f"it has {told}, so its update is smaller than the others"
    related = [(scene.step.node, "the last window ends here")]
    if known is not None:
        related.append((known, "its length is computed here"))
    return Finding(scene.place, message, reason, tuple(related), note=no_fix("you may want to divide by N throughout"))
