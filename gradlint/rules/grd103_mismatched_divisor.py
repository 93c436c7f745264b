"""GRD103 mismatched-divisor; the page is rules/GRD103.md."""

from __future__ import annotations

from collections.abc import Iterator

from gradlint.diagnostic import Applicability
from gradlint.edits import Replace
from gradlint.finding import Finding, Fix
from gradlint.fixes.shared import atom, divided
from gradlint.model.mismatch import another_count
from gradlint.model.syntax.expressions import text
from gradlint.model.types import Kind, TrainingLoop
from gradlint.rule import rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene


def _shown(scene: Scene) -> Finding:
    message = f"What {scene.here} is given is divided by another number than the micro-batches of a window: "
    message += "the gradient is not the mean over the window"
    return Finding(scene.place, message, ((scene.step.node, "the window ends here"),))


@rule(
    "GRD103",
    "mismatched-divisor",
    "The loss is divided by another count than the window's",
    promise=changing(factors=True),
    shown=_shown,
)
def mismatched_divisor(loop: TrainingLoop) -> Iterator[Finding]:
    yield from _windows_squared(loop)
    steps = loop.steps
    if steps is None or loop.steps_vary or loop.grads_rescaled:
        return
    seen: set[int] = set()
    for backward in loop.all(Kind.BACKWARD):
        update, scale = loop.update_for(backward), backward.scale
        if update is None or scale is None or any(d.by_steps for d in scale.divisions):
            continue
        for division in scale.divisions:
            if id(division.node) in seen or not another_count(division, steps, loop.words):
                continue
            seen.add(id(division.node))
            fix = None
            n = loop.n_for(division.node)
            if n is not None:
                whole = Replace(division.node, divided(division.dividend, n))
                new = whole if division.inverse else Replace(division.divisor, atom(n))
                fix = Fix(f"Divide by `{n}`", (new,), Applicability.UNSAFE)
            yield Finding(
                at=division.node,
                message=f"The loss is divided by `{text(division.divisor)}`, but `{update.source}` runs once every {loop.n}: "
                "the gradient is not the mean over the window",
                related=((update.node, "the window ends here"),),
                fix=fix,
            )


def _windows_squared(loop: TrainingLoop) -> Iterator[Finding]:
    """The engine counts the window by itself, and its step is gated by hand as well."""
    if loop.boundary_told or (loop.engine_steps is not None and loop.engine_steps.value == 1):
        return
    steps = list(loop.all(Kind.OPTIMIZER_STEP))
    # A second call on the other arm lets the engine count every micro-batch.
    for step in steps if len(steps) == 1 else ():
        if step.through == "deepspeed" and step.boundary is not None and step.boundary.modulus is not None:
            if step.boundary.steps.value != 1 and any(b.through == "deepspeed" for b in loop.all(Kind.BACKWARD)):
                yield Finding(
                    at=step.boundary.test,
                    message=f"The engine's `{step.source}` closes a window of its own every N calls, and is called once every "
                    f"`{text(step.boundary.modulus.right)}` micro-batches: the window has N squared of them",
                    related=((step.node, "the engine counts here"),),
                    note="no fix is offered: call the engine's step on every micro-batch",
                )
