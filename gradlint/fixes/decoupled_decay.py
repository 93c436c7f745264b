"""Rewrites an optimizer of the Adam family so that its weight decay does not pass through the adaptive denominator."""

from __future__ import annotations

import libcst as cst

from gradlint.edits import Edit, Enclose, Replace
from gradlint.finding import Fix
from gradlint.fixes.shared import Outcome, unsafe, withheld
from gradlint.model.data.built import Construction
from gradlint.model.file import TrainingFile
from gradlint.model.syntax.expressions import text, walk

_OTHERWISE = "decoupled decay regularises differently, so you may have to tune its value again"


def decoupled(built: Construction, name: str, file: TrainingFile) -> Outcome:
    """Replace Adam with AdamW, including the import. Other optimizers of the family get `decoupled_weight_decay=True`."""
    if name != "Adam":
        last = built.call.args[-1] if built.call.args else None
        if last is None:
            return withheld("the call has no arguments")
        return unsafe(Fix("Decouple the weight decay", (Enclose(last, "", ", decoupled_weight_decay=True"),)), _OTHERWISE)
    if isinstance(built.call.func, cst.Attribute):
        return unsafe(Fix("Use AdamW", (Replace(built.call.func.attr, "AdamW"),)), _OTHERWISE)
    imported = _import_of(built.call.func, file)
    if imported is None:
        return withheld("gradlint does not see the import")
    alias, others = imported
    used = sum(isinstance(n, cst.Name) and n.value == "Adam" for s in file.statements for n in walk(s)) - 1
    edits: list[Edit] = [Replace(built.call.func, "AdamW")]
    if "AdamW" not in others:
        edits.append(Replace(alias, "Adam, AdamW" if used > 1 else "AdamW"))
    return unsafe(Fix("Use AdamW", tuple(edits)), _OTHERWISE)


def _import_of(func: cst.BaseExpression, file: TrainingFile) -> tuple[cst.ImportAlias, set[str]] | None:
    for node in file.imports:
        if isinstance(node, cst.ImportFrom) and not isinstance(node.names, cst.ImportStar):
            for alias in node.names:
                if alias.asname is None and isinstance(func, cst.Name) and text(alias.name) == func.value:
                    return alias, {text(each.name) for each in node.names}
    return None
