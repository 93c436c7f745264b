"""Finds numbers of micro-batches that settings of a Trainer are computed from (GRD701, GRD704)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeGuard

import libcst as cst

from gradlint.edits import AddImport, Enclose
from gradlint.finding import Fix
from gradlint.fixes.shared import Outcome, atom, bare, withheld
from gradlint.model.file import TrainingFile
from gradlint.model.names.facts import Facts
from gradlint.model.syntax.expressions import dotted, last_name, text, walk


def in_micro_batches(
    steps: cst.BaseExpression, window: cst.BaseExpression, statement: cst.BaseStatement, file: TrainingFile
) -> tuple[cst.Call, Outcome] | None:
    """The length of a loader that a number of optimizer steps is computed from without N, and the fix that divides it by N.

    `statement` is the top-level statement with the number. None if the number counts optimizer steps, or nothing shows it.
    """
    facts, given = file.facts, _assigned_beside(statement, file.statements)
    length, names = _loader_length(steps, given)
    if facts is None or length is None or _divides(names, window):
        return None
    reader = None if facts.tree.holds(steps, length) else _other_reader(names, given, facts)
    if reader is not None:
        return length, withheld(f"`{reader}` is also read elsewhere, where it counts micro-batches")
    edit = Enclose(length, "math.ceil(", f" / {atom(text(window))})")
    return length, (Fix("Count optimizer steps", (edit, AddImport("import math"))), None)


def _assigned_beside(statement: cst.BaseStatement, statements: Sequence[cst.BaseStatement]) -> list[cst.Assign]:
    """The assignments in the definition that a statement is, or in all code outside of definitions."""
    definitions = (cst.FunctionDef, cst.ClassDef)
    beside = [statement] if isinstance(statement, definitions) else [s for s in statements if not isinstance(s, definitions)]
    return [each for holder in beside for each in walk(holder) if isinstance(each, cst.Assign)]


def _other_reader(names: set[str], given: Sequence[cst.Assign], facts: Facts) -> str | None:
    """A name between the length and the argument that is read in more than one place."""
    counting: set[str] = set()
    for _ in names:  # a chain has at most as many hops as there are names
        for each in given:
            if any(_counts(part) or dotted(part) in counting for part in walk(each.value)):
                counting |= {name for target in each.targets if (name := dotted(target.target)) in names and name is not None}
    reads = {name: facts.page.reads(name.rpartition(".")[2]) for name in counting}
    return next((name for name in sorted(reads) if (count := reads[name]) is None or count.total() > 1), None)


def _counts(node: cst.CSTNode) -> TypeGuard[cst.Call]:
    return isinstance(node, cst.Call) and last_name(node.func) == "len" and "loader" in text(node).lower()


def _loader_length(node: cst.BaseExpression, given: Sequence[cst.Assign]) -> tuple[cst.Call | None, set[str]]:
    """The `len(loader)` that a value is computed from through assigned names, and all names and divisors on the way."""
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
                queue.extend(each.value for each in given if any(dotted(t.target) == name for t in each.targets))
    return found, names | divisors


def _divides(names: set[str], window: cst.BaseExpression) -> bool:
    """Whether the computation already uses the window's length."""
    return bare(window) in names or any("accum" in name for name in names)
