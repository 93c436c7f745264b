"""GRD105 mean-of-token-means; the page is rules/GRD105.md."""

from __future__ import annotations

from collections.abc import Iterator

from gradlint.diagnostic import Severity
from gradlint.finding import Finding
from gradlint.model.types import Kind, Scale, TrainingLoop
from gradlint.rule import rule


@rule(
    "GRD105",
    "mean-of-token-means",
    "Means over unequal token counts are averaged as if they were equal",
    severity=Severity.INFO,
)
def mean_of_token_means(loop: TrainingLoop) -> Iterator[Finding]:
    if loop.steps is None or loop.grads_rescaled:
        return
    seen: set[int] = set()
    for backward in loop.all(Kind.BACKWARD):
        scale = backward.scale
        if loop.update_for(backward) is None or scale is None or scale.scale is not Scale.DIVIDED or not backward.masks_tokens:
            continue
        for division in scale.divisions:
            if division.by_steps and id(division.node) not in seen:
                seen.add(id(division.node))
                yield Finding(
                    at=division.node,
                    message=f"Each micro-batch's loss is a mean over its own tokens; divided by {loop.n}, micro-batches with few "
                    "tokens weigh as much as those with many",
                    related=((backward.node, "the gradients are added up here"),),
                    note="no fix is offered: the window's micro-batches are not at hand as a list to count their tokens first",
                )
