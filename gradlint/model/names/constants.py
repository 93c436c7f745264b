"""Finds the values of names that a file assigns only once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import libcst as cst

from gradlint.model.names.facts import Facts
from gradlint.model.syntax.expressions import literal


@dataclass(frozen=True, eq=False)
class Constants:
    """The names of a file with a single value. Parameters, options and fields of data classes are not included."""

    facts: Facts

    def given(self, node: cst.CSTNode) -> cst.BaseExpression | None:
        """The value of a name or of a class setting (`CFG.steps`), or None if it may have another value."""
        if isinstance(node, cst.Name):
            return self._values.get(node.value) if self.facts.page.bound[node.value] == 1 else None
        if isinstance(node, cst.Attribute) and isinstance(node.value, cst.Name) and node.value.value in self.facts.bases:
            name = node.attr.value
            return self.given(node.attr) if not self.facts.page.bound[f".{name}"] else None
        return None

    def resolved(self, node: cst.BaseExpression) -> cst.BaseExpression:
        """An expression, or the value that its name is given."""
        seen: list[cst.BaseExpression] = [node]
        while (given := self.given(seen[-1])) is not None and len(seen) < 8:
            seen.append(given)
        return seen[-1]

    def number(self, node: cst.BaseExpression) -> int | float | None:
        """The number that an expression always has, or None."""
        value = literal(self.resolved(node))
        return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None

    def string(self, node: cst.BaseExpression) -> str | None:
        """The string that an expression always has, or None."""
        value = literal(self.resolved(node))
        return value if isinstance(value, str) else None

    def assigned(self) -> dict[str, cst.BaseExpression]:
        """All names with a single value, and these values."""
        return {name: value for name, value in self._values.items() if self.facts.page.bound[name] == 1}

    @cached_property
    def _values(self) -> dict[str, cst.BaseExpression]:
        plain = ((each.targets[0].target, each.value) for each in self.facts.tree.all(cst.Assign) if len(each.targets) == 1)
        fields = [each for owner in self.facts.tree.all(cst.ClassDef) for each in self.facts.tree.of(cst.AnnAssign, owner)]
        annotated = (
            (each.target, each.value) for each in self.facts.tree.all(cst.AnnAssign) if each.value and each not in fields
        )
        return {target.value: value for target, value in (*plain, *annotated) if isinstance(target, cst.Name)}
