"""GRD501 adam-weight-decay; the page is rules/GRD501.md."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from gradlint.diagnostic import Applicability, Severity
from gradlint.edits import Edit, Enclose, Replace
from gradlint.finding import Finding, Fix
from gradlint.fixes.shared import Outcome, withheld
from gradlint.model.data.built import Construction
from gradlint.model.file import TrainingFile
from gradlint.model.syntax.expressions import text, walk
from gradlint.rule import file_rule


@file_rule(
    "GRD501", "adam-weight-decay", "Adam's weight decay passes through the adaptive denominator", severity=Severity.WARNING
)
def adam_weight_decay(file: TrainingFile) -> Iterator[Finding]:
    for built in file.optimizers:
        if built.decoupled or (built.decoupled is None and not built.decays):
            continue
        decay = next((node for node, nonzero in built.decays if nonzero), None)
        if decay is None:
            continue
        name = built.qualified.rsplit(".", 1)[-1]
        fix, note = _decoupled(built, name, file)
        yield Finding(
            at=built.call,
            message=f"The weight decay of `{name}` passes through the adaptive denominator",
            reason=f"`weight_decay={text(decay)}` is added to the gradient, and divided away for weights with large gradients: "
            "that is L2 regularisation, not weight decay",
            fix=fix,
            note=note,
        )


def _decoupled(built: Construction, name: str, file: TrainingFile) -> Outcome:
    unsafe = Applicability.UNSAFE
    if name != "Adam":
        last = built.call.args[-1] if built.call.args else None
        if last is None:
            return withheld("the call has no arguments")
        return Fix("Decouple the weight decay", (Enclose(last, "", ", decoupled_weight_decay=True"),), unsafe), None
    if isinstance(built.call.func, cst.Attribute):
        return Fix("Use AdamW", (Replace(built.call.func.attr, "AdamW"),), unsafe), None
    imported = _import_of(built.call.func, file)
    if imported is None:
        return withheld("gradlint does not see the import")
    alias, others = imported
    used = sum(isinstance(n, cst.Name) and n.value == "Adam" for s in file.statements for n in walk(s)) - 1
    edits: list[Edit] = [Replace(built.call.func, "AdamW")]
    if "AdamW" not in others:
        edits.append(Replace(alias, "Adam, AdamW" if used > 1 else "AdamW"))
    return Fix("Use AdamW", tuple(edits), unsafe), None


def _import_of(func: cst.BaseExpression, file: TrainingFile) -> tuple[cst.ImportAlias, set[str]] | None:
    for node in file.imports:
        if isinstance(node, cst.ImportFrom) and not isinstance(node.names, cst.ImportStar):
            for alias in node.names:
                if alias.asname is None and isinstance(func, cst.Name) and text(alias.name) == func.value:
                    return alias, {text(each.name) for each in node.names}
    return None
