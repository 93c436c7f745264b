"""GRD103 mismatched-divisor; the page is rules/GRD103.md."""

from __future__ import annotations

from gradlint.finding import Finding, no_fix
from gradlint.fixes.division_by_trace import divide_by_steps, divisor_of
from gradlint.rule import trace_rule
from gradlint.simulate.losses import SQUARED
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene, brief


@trace_rule(
    "GRD103",
    "mismatched-divisor",
    "The loss is divided by a number other than the window's size",
    promise=changing(factors=True),
)
def mismatched_divisor(scene: Scene) -> Finding:
    if scene.fault.why == SQUARED:
        return _of_windows(scene)
    fix, note = divide_by_steps(scene)
    divisor, steps = divisor_of(scene.place), f"`{scene.steps_here}`" if scene.steps_here else scene.n
    by = f"{brief(divisor)}, not by" if divisor is not None else "a number that is not"
    reason = f"{scene.there} runs once every {steps}, so the gradient is not the mean over the window"
    return Finding(
        scene.place,
        f"The loss is divided by {by} the size of its window",
        reason,
        ((scene.step.node, "the window ends here"),),
        fix,
        note,
    )


def _of_windows(scene: Scene) -> Finding:
    steps = f"`{scene.steps}`" if scene.steps else "N"
    return Finding(
        at=scene.guard if scene.guard is not None else scene.place,
        message="The engine counts windows instead of micro-batches",
        reason=f"{scene.here} closes a window every N calls, and is called once every {steps} micro-batches: the window has N² of them",
        related=((scene.place, "the engine counts here"),),
        note=no_fix("call the engine's step on every micro-batch"),
    )
