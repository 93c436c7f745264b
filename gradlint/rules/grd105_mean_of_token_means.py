"""GRD105 mean-of-token-means; the page is rules/GRD105.md."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from gradlint.diagnostic import Applicability, Severity
from gradlint.edits import Enclose, Insert, Replace
from gradlint.finding import Finding, Fix
from gradlint.fixes.shared import Outcome, withheld
from gradlint.model.syntax.expressions import argument, dotted, keywords, last_name, text, walk
from gradlint.model.types import Division, Event, Kind, Scale, TrainingLoop
from gradlint.rule import rule
from gradlint.simulate.promise import changing


@rule(
    "GRD105",
    "mean-of-token-means",
    "Means over unequal token counts are averaged as if they were equal",
    severity=Severity.INFO,
    promise=changing(factors=True),
)
def mean_of_token_means(loop: TrainingLoop) -> Iterator[Finding]:
    if loop.steps is None or loop.grads_rescaled:
        return
    seen: set[int] = set()
    for backward in loop.all(Kind.BACKWARD):
        scale = backward.scale
        if loop.update_for(backward) is None or scale is None or scale.scale is not Scale.DIVIDED:
            continue
        for division in scale.divisions if backward.details.token_mean is not None else ():
            if not division.by_steps or id(division.node) in seen:
                continue
            seen.add(id(division.node))
            fix, note = _by_tokens(backward, division, loop)
            yield Finding(
                at=division.node,
                message=f"Each micro-batch's loss is a mean over its own tokens; divided by {loop.n}, micro-batches with few "
                "tokens weigh as much as those with many",
                related=((backward.node, "the gradients are added up here"),),
                fix=fix,
                note=note,
            )


def _by_tokens(backward: Event, division: Division, loop: TrainingLoop) -> Outcome:
    """Only where the window's micro-batches are at hand as a list can their tokens be counted before the first backward."""
    node, mean = loop.node, backward.details.token_mean
    if not isinstance(node, cst.For) or not loop.walks.windowed or dotted(node.iter) is None or mean is None:
        return withheld("the micro-batches of a window are not at hand as a list")
    if not mean.alone:
        return withheld("the loss is not that mean alone, divided by N on every path")
    call = mean.call
    masked, target = keywords(call).get("ignore_index"), argument(call, 1, "target")
    names = {each.value for each in walk(node.target) if isinstance(each, cst.Name)}
    if masked is None or target is None or dotted(target) not in names or last_name(call.func) != "cross_entropy":
        return withheld("the tokens of a micro-batch cannot be counted here")
    if "reduction" in keywords(call) or any(n.value == "num_tokens" for n in walk(node) if isinstance(n, cst.Name)):
        return withheld("the loss has a reduction of its own")
    count = f"num_tokens = sum(({text(target)} != {text(masked)}).sum() for {text(node.target)} in {text(node.iter)})"
    edits = (
        Insert(node, count),
        Enclose(next(arg for arg in call.args if arg.value is masked), "", ', reduction="sum"'),
        Replace(division.divisor, "num_tokens"),
    )
    return Fix("Divide the sum over the window by its tokens", edits, Applicability.UNSAFE), None
