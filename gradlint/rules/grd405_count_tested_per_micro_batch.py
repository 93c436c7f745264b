"""GRD405 update-counter-tested-per-micro-batch; the page is rules/GRD405.md."""

from __future__ import annotations

from gradlint.diagnostic import Severity
from gradlint.finding import Finding
from gradlint.fixes.into_guard import ask_where_it_counts
from gradlint.rule import trace_rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene, brief
from gradlint.simulate.trace import What


@trace_rule(
    "GRD405",
    "update-counter-tested-per-micro-batch",
    "A count of updates is tested on every micro-batch, so its action runs several times per count",
    severity=Severity.WARNING,
    promise=changing(What.CALL),
)
def update_counter_tested_per_micro_batch(scene: Scene) -> Finding:
    done = scene.fault.other
    assert done is not None
    fix, note = ask_where_it_counts(scene)
    message = f"{brief(scene.place)} counts updates, but is tested on every micro-batch"
    often = f"up to {scene.n} times for one count"
    reason = f"the count goes up with {scene.there}, once every {scene.n}, so {scene.quoted(done.node)} runs {often}"
    related = ((scene.step.node, "an update is made here"), (done.node, "this runs several times"))
    return Finding(scene.place, message, reason, related, fix, note)
