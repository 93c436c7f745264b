"""GRD104 unscaled-regularizer; the page is rules/GRD104.md."""

from __future__ import annotations

from collections.abc import Iterator

from gradlint.finding import Finding, Fix
from gradlint.fixes.shared import divide
from gradlint.model.syntax.expressions import text
from gradlint.model.types import Kind, Scale, TrainingLoop
from gradlint.rule import rule


@rule("GRD104", "unscaled-regularizer", "A term of the loss is not divided by the accumulation steps, while others are")
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
            n = loop.n_for(term)
            fix = Fix(f"Divide the term by `{n}`", (divide(term, n),)) if n else None
            yield Finding(
                at=term,
                message=f"`{text(term)}` is not divided by {loop.n}, the rest of the loss is: "
                "over a window it counts N times as much as intended",
                related=((backward.node, "the sum is backpropagated here"),),
                fix=fix,
            )
