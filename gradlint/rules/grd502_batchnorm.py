"""GRD502 batchnorm-under-accumulation; the page is rules/GRD502.md."""

from __future__ import annotations

import math

import libcst as cst

from gradlint.diagnostic import Severity
from gradlint.edits import Replace
from gradlint.finding import Finding, Fix
from gradlint.fixes.shared import Outcome, unsafe, withheld
from gradlint.model.syntax.expressions import last_name, literal, text
from gradlint.rule import trace_rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene


@trace_rule(
    "GRD502",
    "batchnorm-under-accumulation",
    "Batch statistics come from micro-batches, not from the effective batch",
    severity=Severity.INFO,
    promise=changing(),
)
def batchnorm_under_accumulation(scene: Scene) -> Finding:
    fix, note = _grouped(scene.place)
    name = last_name(scene.place)
    message = f"`{name}` normalises by the statistics of one micro-batch"
    return Finding(
        scene.place,
        message,
        "accumulating gradients does not enlarge the batch it sees",
        ((scene.step.node, "the window ends here"),),
        fix,
        note,
    )


def _grouped(call: cst.CSTNode) -> Outcome:
    """Use GroupNorm. The number of groups divides 32 and the channels, and leaves at least two channels in each group.

    A group of one channel would be instance normalisation.
    """
    if not isinstance(call, cst.Call):
        return withheld("the layer has another name here")
    channels = literal(call.args[0].value) if len(call.args) == 1 and call.args[0].keyword is None else None
    if not isinstance(channels, int) or not isinstance(call.func, cst.Attribute):
        return withheld("the number of channels is not a literal here")
    groups = math.gcd(32, channels)
    if channels < 2:
        return withheld("one channel cannot form a group")
    new = f"{text(call.func.value)}.GroupNorm({groups if groups < channels else channels // 2}, {channels})"
    return unsafe(
        Fix("Normalise by groups of channels", (Replace(call, new),)), "it changes the model, and saved weights no longer fit"
    )
