"""GRD106 scaled-loss-logged; the page is rules/GRD106.md."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from gradlint.diagnostic import Applicability, Severity
from gradlint.edits import Enclose
from gradlint.finding import Finding, Fix
from gradlint.fixes.shared import Outcome, atom, withheld
from gradlint.model.syntax.expressions import subnodes, text, walk
from gradlint.model.types import Event, Kind, Scale, TrainingLoop
from gradlint.rule import rule


@rule("GRD106", "scaled-loss-logged", "The divided loss is reported as if it were the loss", severity=Severity.INFO)
def scaled_loss_logged(loop: TrainingLoop) -> Iterator[Finding]:
    for report in loop.all(Kind.REPORT):
        scale = report.scale
        if scale is None or scale.scale is not Scale.DIVIDED or report.details.restored or not loop.holds(report):
            continue
        division = next((d for d in reversed(scale.divisions) if d.by_steps and d.value != 1), None)
        if division is None:
            continue
        divisor = text(division.divisor)
        divided = f"multiplied by `{divisor}`" if division.inverse else f"divided by `{divisor}`"
        fix, note = _multiplied(report, loop.n_for(report.node) or (None if division.inverse else divisor), loop)
        yield Finding(
            at=report.node,
            message=f"`{text(report.node)}` is the loss {divided}: what is reported is N times too small",
            related=((division.node, "it is divided here"),),
            fix=fix,
            note=note,
        )


def _multiplied(report: Event, n: str | None, loop: TrainingLoop) -> Outcome:
    holder = next((each for each in walk(loop.node) if any(part is report.node for part in subnodes(each))), None)
    if n is None or holder is None:
        return withheld("N has no name where the loss is reported")
    loose = _is_torn(report.node, holder) and not getattr(report.node, "lpar", ())
    edit = Enclose(report.node, "(" if loose else "", f" * {atom(n)}{')' if loose else ''}")
    return Fix(f"Multiply by `{n}` again", (edit,), Applicability.UNSAFE), None


def _is_torn(node: cst.CSTNode, holder: cst.CSTNode | None) -> bool:
    """Whether a product in place of a node needs parentheses there."""
    if isinstance(holder, cst.BinaryOperation):
        first = isinstance(holder.operator, (cst.Multiply, cst.Divide, cst.FloorDivide, cst.Modulo)) and holder.left is node
        return not first and not isinstance(holder.operator, (cst.Add, cst.Subtract))
    return isinstance(holder, (cst.UnaryOperation, cst.Attribute, cst.Subscript, cst.Call, cst.Await))
