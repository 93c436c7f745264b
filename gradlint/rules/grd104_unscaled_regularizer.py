"""GRD104 unscaled-regularizer; the page is rules/GRD104.md."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from gradlint.finding import Finding, Fix
from gradlint.fixes.shared import Outcome, divide, withheld
from gradlint.model.syntax.expressions import text
from gradlint.model.types import Kind, LossScale, Scale, TrainingLoop
from gradlint.rule import rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene


def _shown(scene: Scene) -> Finding:
    message = f"A term of what {scene.here} is given is not divided by {scene.n}, the rest of the loss is: "
    message += "over a window it counts N times as much as intended"
    return Finding(scene.place, message, ((scene.step.node, "the gradients are used here"),))


@rule(
    "GRD104",
    "unscaled-regularizer",
    "A term of the loss is not divided by the accumulation steps, while others are",
    promise=changing(factors=True),
    shown=_shown,
)
def unscaled_regularizer(loop: TrainingLoop) -> Iterator[Finding]:
    seen: set[int] = set()
    for backward in loop.all(Kind.BACKWARD):
        update, scale = loop.update_for(backward), backward.scale
        if update is None or scale is None or scale.scale is not Scale.PARTLY or scale.why != "terms":
            continue
        # The engine divides the sum: what is wrong is the division of a part of it.
        if loop.engine_divides(backward) is not None:
            continue
        for term in scale.undivided_terms:
            if id(term) in seen or loop.grads_rescaled:
                continue
            seen.add(id(term))
            fix, note = _divided(term, scale, loop)
            yield Finding(
                at=term,
                message=f"`{text(term)}` is not divided by {loop.n}, the rest of the loss is: "
                "over a window it counts N times as much as intended",
                related=((backward.node, "the sum is backpropagated here"),),
                fix=fix,
                note=note,
            )


def _divided(term: cst.BaseExpression, scale: LossScale, loop: TrainingLoop) -> Outcome:
    """The term over what its neighbours are divided by, be it N or the number in this very window."""
    tree, n = loop.facts.tree, loop.n_for(term)
    if any(division.inverse for division in scale.divisions if division.by_steps):
        return (Fix(f"Divide the term by `{n}`", (divide(term, n),)), None) if n else withheld("N has no name at this term")
    divisors = {text(division.divisor) for division in scale.divisions if division.by_steps}
    if len(divisors) != 1:
        return withheld("the other terms are not all divided by one expression")
    divisor = divisors.pop()
    together = all(tree.holds(loop.node, d.node) == tree.holds(loop.node, term) for d in scale.divisions if d.by_steps)
    if divisor != n and not together:
        return withheld("the other terms are divided in another function")
    return Fix(f"Divide the term by `{divisor}`", (divide(term, divisor),)), None
