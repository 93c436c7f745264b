"""The fix for a number that is reported N times too small: multiply it by N where it is taken from the loss."""

from __future__ import annotations

import libcst as cst

from gradlint.edits import Enclose
from gradlint.finding import Fix
from gradlint.fixes.divisors import divisor_at
from gradlint.fixes.places import Places
from gradlint.fixes.shared import Outcome, atom, unsafe, withheld
from gradlint.model.syntax.expressions import subnodes, walk_all
from gradlint.simulate.scene import Scene


def multiply_again(scene: Scene) -> Outcome:
    """Multiply a number by the divisor of the loss, or by N."""
    place, places = scene.place, scene.script.once(Places)
    if scene.fault.why:
        return withheld(scene.fault.why)
    nodes = scene.script.once(walk_all)
    holder = next((each for each in nodes if any(part is place for part in subnodes(each))), None)
    if place is scene.event.node or holder is None:
        return withheld("the reported value is not written as an expression")
    n = divisor_at(scene.fault.about, place, scene, places)
    if n is None:
        return withheld("the accumulation steps have no name where the loss is reported")
    loose = _is_torn(place, holder) and not getattr(place, "lpar", ())
    edit = Enclose(place, "(" if loose else "", f" * {atom(n)}{')' if loose else ''}")
    return unsafe(Fix(f"Multiply by `{n}` again", (edit,)), "whoever reads the number may already correct for the division")


def _is_torn(node: cst.CSTNode, holder: cst.CSTNode | None) -> bool:
    """Whether a product needs parentheses if it replaces a node."""
    if isinstance(holder, cst.BinaryOperation):
        first = isinstance(holder.operator, (cst.Multiply, cst.Divide, cst.FloorDivide, cst.Modulo)) and holder.left is node
        return not first and not isinstance(holder.operator, (cst.Add, cst.Subtract))
    return isinstance(holder, (cst.UnaryOperation, cst.Attribute, cst.Subscript, cst.Call, cst.Await))
