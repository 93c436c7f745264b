"""Where a name is read."""

from __future__ import annotations

import libcst as cst

from gradlint.model.names.facts import Facts


def reads_of(name: str, holder: cst.CSTNode, facts: Facts) -> list[cst.Name]:
    """Where a name is read below a node: neither a target, nor a parameter, nor the keyword of an argument."""
    tree = facts.tree
    targets = [each.target for each in tree.of(cst.AssignTarget, holder)]
    written = {id(each.value if isinstance(each, cst.Subscript) else each) for each in targets}
    written |= {id(each.name) for each in tree.of(cst.Param, holder)}
    written |= {id(each.keyword) for each in tree.of(cst.Arg, holder)}
    written |= {id(each.attr) for each in tree.of(cst.Attribute, holder)}
    return [each for each in tree.of(cst.Name, holder) if each.value == name and id(each) not in written]
