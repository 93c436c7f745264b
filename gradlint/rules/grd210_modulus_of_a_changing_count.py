"""GRD210 modulus-of-a-changing-count; the page is rules/GRD210.md."""

from __future__ import annotations

from gradlint.finding import Finding, no_fix
from gradlint.rule import trace_rule
from gradlint.simulate.promise import NOTHING
from gradlint.simulate.scene import Scene, brief

_COUNT = no_fix("count the micro-batches since the last step, and step once there are N")


@trace_rule(
    "GRD210",
    "modulus-of-a-changing-count",
    "N changes during training and the boundary tests a remainder, so window sizes are irregular",
    promise=NOTHING,
)
def modulus_of_a_changing_count(scene: Scene) -> Finding:
    message = f"Windows end at a remainder of {brief(scene.steps or 'N')}, which changes"
    reason = f"when it changes, {scene.there} closes a window that is smaller or larger than either of its values"
    return Finding(scene.place, message, reason, ((scene.step.node, "the weights change here"),), note=_COUNT)
