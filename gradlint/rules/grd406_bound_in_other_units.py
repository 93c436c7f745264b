"""GRD406 bound-in-other-units; the page is rules/GRD406.md."""

from __future__ import annotations

from gradlint.diagnostic import Severity
from gradlint.finding import Finding, no_fix
from gradlint.rule import trace_rule
from gradlint.simulate.limits import TOO_LONG
from gradlint.simulate.promise import NOTHING
from gradlint.simulate.scene import Scene, brief

_EITHER = no_fix("convert the limit or move the counter, but other code may read either")


@trace_rule(
    "GRD406",
    "bound-in-other-units",
    "A loop's limit counts micro-batches but its counter counts updates, or the other way round",
    severity=Severity.WARNING,
    promise=NOTHING,
)
def bound_in_other_units(scene: Scene) -> Finding:
    if scene.fault.why == TOO_LONG:
        message = f"{brief(scene.place, 44)} limits updates by a number of micro-batches"
        reason = f"the count goes up with {scene.there}, once every {scene.n} micro-batches: training runs N times too long"
    else:
        message = f"{brief(scene.place, 44)} limits micro-batches by a number of updates"
        reason = f"{scene.there} makes one update every {scene.n} micro-batches: training ends after about 1/N of them"
    return Finding(scene.place, message, reason, ((scene.step.node, "an update is made here"),), note=_EITHER)
