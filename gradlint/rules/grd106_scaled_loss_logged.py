"""GRD106 scaled-loss-logged; the page is rules/GRD106.md."""

from __future__ import annotations

from collections.abc import Iterator

from gradlint.diagnostic import Applicability, Severity
from gradlint.edits import Replace
from gradlint.finding import Finding, Fix
from gradlint.model.syntax import text, walk
from gradlint.model.types import Kind, Scale, TrainingLoop
from gradlint.repair import atom
from gradlint.rule import rule


@rule("GRD106", "scaled-loss-logged", "The divided loss is reported as if it were the loss", severity=Severity.INFO)
def scaled_loss_logged(loop: TrainingLoop) -> Iterator[Finding]:
    for report in loop.all(Kind.REPORT):
        scale = report.scale
        if scale is None or scale.scale is not Scale.DIVIDED or report.restored or not loop.holds(report):
            continue
        division = next((d for d in reversed(scale.divisions) if d.by_steps and d.value != 1), None)
        if division is None:
            continue
        n = loop.n_for(report.node) or text(division.divisor)
        here = any(each is report.node for each in walk(loop.node))
        fix = Fix(f"Multiply by `{n}` again", (Replace(report.node, f"{text(report.node)} * {atom(n)}"),), Applicability.UNSAFE)
        yield Finding(
            at=report.node,
            message=f"`{text(report.node)}` is the loss divided by `{text(division.divisor)}`: what is reported is N times too small",
            related=((division.node, "it is divided here"),),
            fix=fix if here else None,
        )
