"""Moves a boundary to the last micro-batch of each window: `i % N == 0` becomes `(i + 1) % N == 0`."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from gradlint.edits import Edit, Replace
from gradlint.finding import Fix
from gradlint.fixes.boundaries import Boundary, Guard, boundary_of
from gradlint.fixes.places import Places
from gradlint.fixes.shared import Outcome, comparison_around, in_several_places, quoted, shifted, unsafe, withheld
from gradlint.model.syntax.expressions import dotted, literal, text, walk
from gradlint.simulate.scene import Scene

_BY_HAND = "the script counts micro-batches itself, and shifting the index would not correct that"


def shift(scene: Scene) -> Outcome:
    """Change every guard of the window to test for its last micro-batch."""
    boundary = boundary_of(scene)
    begins = boundary.begins if boundary is not None else None
    if boundary is None or begins is None:
        return withheld(_BY_HAND)
    if boundary.decides_apart():
        return withheld("a separate test decides when gradients are synchronised")
    edits: list[Edit] = []
    for guard in boundary.guards:
        edit = _edit(boundary, guard, 1 - begins)
        if edit is None:
            return withheld(_BY_HAND)
        edits.append(edit)
    shared = boundary.shared()
    if shared is not None:
        return withheld(*in_several_places(shared))
    fix = Fix("Update on the last micro-batch of each window", tuple(edits))
    other = boundary.asked_elsewhere()
    if other is not None:
        return unsafe(fix, f"{quoted(other)} tests the boundary separately, and would not move with it")
    early = awaited(boundary, scene) if scene.view.first_size == 1 else None
    if early is not None:
        return unsafe(fix, f"{quoted(early)} would read a value before the first update has set it")
    if scene.fault.beside is not None:
        return unsafe(
            fix,
            f"{quoted(scene.fault.beside)} also steps inside the window, and has used the gradients that are cleared there",
        )
    beneath = boundary.beneath()
    if beneath is not None:
        return unsafe(fix, f"{quoted(beneath)} is tested under the guard, where its counter would have other values")
    return fix, None


def _edit(boundary: Boundary, guard: Guard, offset: int) -> Edit | None:
    modulus = f"{shifted(guard.node.left, offset)} % {text(guard.node.right)}"
    around = comparison_around(_holder(boundary, guard), guard.node)
    node: cst.CSTNode = guard.node
    if not isinstance(around, cst.Comparison):
        test, replaced = modulus, f"not {modulus}"
    else:
        target = around.comparisons[0]
        asks = target.comparator if around.left is guard.node else around.left
        operator = _operator(target.operator, literal(asks))
        if operator is None:
            return None
        kept = literal(asks) == 0
        replaced = f"{modulus} {operator} 0"
        node, test = (node, modulus) if kept else (around, replaced)
    skipping = boundary.skips_first(guard)
    return Replace(skipping, replaced) if skipping is not None else Replace(node, test)


def _holder(boundary: Boundary, guard: Guard) -> cst.CSTNode:
    """The condition that contains a remainder, or else the statement around the remainder."""
    if any(each is guard.node for each in walk(guard.test)):
        return guard.test
    return boundary.places.around(guard.node)[0]


def _operator(operator: cst.BaseCompOp, other: object) -> str | None:
    """The operator that compares the shifted remainder with 0. None if the original comparison has no such equivalent."""
    if isinstance(operator, (cst.Equal, cst.Is)):
        return "=="
    if isinstance(operator, cst.NotEqual):
        return "!="
    if (isinstance(operator, cst.GreaterThanEqual) and other == 1) or (isinstance(operator, cst.GreaterThan) and other == 0):
        return "!="
    return "==" if isinstance(operator, cst.LessThan) and other == 1 else None


# Code that needs a value from the first update


def awaited(boundary: Boundary, scene: Scene) -> cst.CSTNode | None:
    """Code outside the guards that reads a name without a usable value before the first update.

    A count of updates is usable as 0, unless the code divides by it or takes its remainder, since 0 is always a multiple.
    """
    blocks = [block for each in boundary.guards if (block := each.block) is not None]
    given = {name for block in blocks for name in _given(block)}
    if not given or scene.loop is None:
        return None
    inside = {id(each) for block in blocks for each in walk(block)}
    outside = [each for each in walk(scene.loop) if id(each) not in inside]
    begun = set(_begun(boundary.places, inside))
    targets = {id(node) for each in outside for node in _targets(each)}
    for each in outside:
        if type(each) is cst.BinaryOperation and isinstance(each.operator, (cst.Divide, cst.FloorDivide, cst.Modulo)):
            side = each.left if isinstance(each.operator, cst.Modulo) else each.right
            if any(dotted(node) in given for node in walk(side)):
                return each
        name = dotted(each) if type(each) is cst.Name and id(each) not in targets else None
        if name in given and name not in begun:
            return each
    return None


def _begun(places: Places, inside: set[int]) -> Iterator[str]:
    """The names that are assigned outside the guards, including parameters."""
    for each in (node for statement in places.module for node in walk(statement)):
        if type(each) is cst.Param:
            yield each.name.value
        elif type(each) is cst.AssignTarget and id(each) not in inside and (name := dotted(each.target)) is not None:
            yield name


def _given(block: cst.CSTNode) -> Iterator[str]:
    """The names that a block assigns."""
    for each in walk(block):
        if isinstance(each, (cst.AssignTarget, cst.AugAssign, cst.AnnAssign)) and (name := dotted(each.target)) is not None:
            yield name


def _targets(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """The names in a statement that are targets, attributes or keywords, not reads."""
    if isinstance(node, (cst.AssignTarget, cst.AnnAssign, cst.For)):
        yield from walk(node.target)
    elif isinstance(node, cst.Attribute):
        yield from walk(node.attr)
    elif isinstance(node, cst.Arg) and node.keyword is not None:
        yield node.keyword
