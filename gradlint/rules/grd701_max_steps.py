"""GRD701 max-steps-in-micro-batches; the page is rules/GRD701.md."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeGuard

import libcst as cst

from gradlint.diagnostic import Severity
from gradlint.edits import AddImport, Enclose
from gradlint.finding import Finding, Fix
from gradlint.fixes.shared import Outcome, atom, bare, withheld
from gradlint.model.syntax.expressions import dotted, keywords, last_name, literal, text, walk
from gradlint.model.types import TrainingFile
from gradlint.rule import file_rule

_WINDOW = {"Trainer": "accumulate_grad_batches", "TrainingArguments": "gradient_accumulation_steps"}


@file_rule(
    "GRD701",
    "max-steps-in-micro-batches",
    "`max_steps` counts optimizer steps, but is computed from the number of micro-batches",
    severity=Severity.WARNING,
)
def max_steps_in_micro_batches(file: TrainingFile) -> Iterator[Finding]:
    facts = file.facts
    if facts is None or not any(name.endswith(tuple(_WINDOW)) for name in facts.called):
        return
    for statement in file.statements:
        for call in facts.tree.calls(statement):
            setting = _WINDOW.get((last_name(call.func) or "").replace("Seq2Seq", ""))
            given = keywords(call) if setting is not None else {}
            window, steps = given.get(setting or ""), given.get("max_steps")
            if window is None or steps is None or literal(window) in (1, None):
                continue
            length, names = _loader_length(steps, statement)
            if length is None or _divides(names, window):
                continue
            new = Enclose(length, "math.ceil(", f" / {atom(text(window))})")
            outcome: Outcome = Fix("Count optimizer steps", (new, AddImport("import math"))), None
            reader = None if facts.tree.holds(steps, length) else _other_reader(names, statement, file)
            if reader is not None:
                outcome = withheld(f"`{reader}` is read elsewhere too, where it counts micro-batches")
            yield Finding(
                at=steps,
                message=f"`max_steps={text(steps)}` counts the micro-batches of `{text(length)}`, but a step is taken once every "
                f"`{text(window)}`: training runs N times too long",
                related=((window, "the window is set here"),),
                fix=outcome[0],
                note=outcome[1],
            )


def _other_reader(names: set[str], holder: cst.CSTNode, file: TrainingFile) -> str | None:
    """A name on the way from the length to the argument that more than one place reads."""
    given = [each for each in walk(holder) if isinstance(each, cst.Assign)]
    counting: set[str] = set()
    for _ in names:  # as many hops as there are names
        for each in given:
            if any(_counts(part) or dotted(part) in counting for part in walk(each.value)):
                counting |= {name for target in each.targets if (name := dotted(target.target)) in names and name is not None}
    reads = {name: file.facts.page.reads(name.rpartition(".")[2]) for name in counting} if file.facts else {}
    return next((name for name in sorted(reads) if (count := reads[name]) is None or count.total() > 1), None)


def _counts(node: cst.CSTNode) -> TypeGuard[cst.Call]:
    return isinstance(node, cst.Call) and last_name(node.func) == "len" and "loader" in text(node).lower()


def _loader_length(node: cst.BaseExpression, holder: cst.CSTNode) -> tuple[cst.Call | None, set[str]]:
    """The `len(loader)` that a value is computed from, through local names, and every name and divisor on the way."""
    names: set[str] = set()
    divisors: set[str] = set()
    found: cst.Call | None = None
    queue: list[cst.CSTNode] = [node]
    while queue and len(names) < 50:
        for each in walk(queue.pop()):
            if _counts(each):
                found = each
            if isinstance(each, cst.BinaryOperation) and isinstance(each.operator, (cst.Divide, cst.FloorDivide)):
                divisors.add(bare(each.right))
            name = dotted(each) if isinstance(each, (cst.Name, cst.Attribute)) else None
            if name and name not in names:
                names.add(name)
                queue.extend(
                    n.value
                    for n in walk(holder)
                    if isinstance(n, cst.Assign) and any(dotted(t.target) == name for t in n.targets)
                )
    return found, names | divisors


def _divides(names: set[str], window: cst.BaseExpression) -> bool:
    """The window's length takes part in the computation already."""
    return bare(window) in names or any("accum" in name for name in names)
