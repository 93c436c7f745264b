"""GRD105 mean-of-token-means; the page is rules/GRD105.md."""

from __future__ import annotations

from gradlint.diagnostic import Severity
from gradlint.finding import Finding
from gradlint.fixes.tokens_by_trace import divide_by_tokens
from gradlint.rule import trace_rule
from gradlint.simulate.promise import changing
from gradlint.simulate.scene import Scene


@trace_rule(
    "GRD105",
    "mean-of-token-means",
    "Means over unequal token counts are averaged as if they were equal",
    severity=Severity.INFO,
    promise=changing(factors=True),
)
def mean_of_token_means(scene: Scene) -> Finding:
    fix, note = divide_by_tokens(scene)
    reason = f"each loss is a mean over its own tokens, and dividing by {scene.n} averages these means as if they were equal"
    related = ((scene.event.node, "the gradients are added up here"),) if scene.place is not scene.event.node else ()
    return Finding(scene.place, "Micro-batches with few tokens weigh as much as those with many", reason, related, fix, note)
