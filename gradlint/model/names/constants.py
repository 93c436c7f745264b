"""What a name of a file certainly is, where the file gives it a value once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import libcst as cst

from gradlint.model.names.facts import Facts
from gradlint.model.syntax.expressions import literal


@dataclass(frozen=True, eq=False)
class Constants:
    """The names of a file that are given one value, in one place: no parameter, no option, no field of a data class."""

    facts: Facts

    def given(self, node: cst.CSTNode) -> cst.BaseExpression | None:
        """The expression that a name, or a setting of a class (`CFG.steps`), is given; None for what has another value somewhere."""
        if isinstance(node, cst.Name):
            return self._values.get(node.value) if self.facts.page.bound[node.value] == 1 else None
        if isinstance(node, cst.Attribute) and isinstance(node.value, cst.Name) and node.value.value in self.facts.bases:
            name = node.attr.value
            return self.given(node.attr) if not self.facts.page.bound[f".{name}"] else None
        return None

    def resolved(self, node: cst.BaseExpression) -> cst.BaseExpression:
        """An expression, or what the name that it is was given."""
        seen: list[cst.BaseExpression] = [node]
        while (given := self.given(seen[-1])) is not None and len(seen) < 8:
            seen.append(given)
        return seen[-1]

    def number(self, node: cst.BaseExpression) -> int | float | None:
        """The number that an expression certainly is."""
        value = literal(self.resolved(node))
        return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None

    def string(self, node: cst.BaseExpression) -> str | None:
        """The string that an expression certainly is."""
        value = literal(self.resolved(node))
        return value if isinstance(value, str) else None

    def assigned(self) -> dict[str, cst.BaseExpression]:
        """All names that are given one value, with it."""
        return {name: value for name, value in self._values.items() if self.facts.page.bound[name] == 1}

    @cached_property
    def _values(self) -> dict[str, cst.BaseExpression]:
        plain = ((each.targets[0].target, each.value) for each in self.facts.tree.all(cst.Assign) if len(each.targets) == 1)
        fields = [each for owner in self.facts.tree.all(cst.ClassDef) for each in self.facts.tree.of(cst.AnnAssign, owner)]
        annotated = (
            (each.target, each.value) for each in self.facts.tree.all(cst.AnnAssign) if each.value and each not in fields
        )
        return {target.value: value for target, value in (*plain, *annotated) if isinstance(target, cst.Name)}
