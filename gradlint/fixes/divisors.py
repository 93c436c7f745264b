"""Finds the divisor of a loss, as written in the text, if it means the same at another place."""

from __future__ import annotations

import re

import libcst as cst

from gradlint.fixes.guards import only_asks
from gradlint.fixes.places import Places, bound_by
from gradlint.model.syntax.expressions import last_name, text, walk
from gradlint.simulate.scene import Scene

_DIVIDING = frozenset(("div", "divide", "true_divide"))
"""The tensor methods that divide."""


def divisor_at(division: cst.CSTNode | None, place: cst.CSTNode, scene: Scene, places: Places) -> str | None:
    """The divisor of a division, if a place in the same function can use it; otherwise N, if it has a name there."""
    if division is not None and places.function_of(division) is places.function_of(place):
        found = divisor_of(division)
        if found is not None:
            return found
    return steps_at(place, scene, places)


def divisor_of(division: cst.CSTNode) -> str | None:
    """The divisor of an expression or a statement. None if it multiplies by an inverse."""
    if isinstance(division, cst.BinaryOperation) and isinstance(division.operator, (cst.Divide, cst.FloorDivide)):
        return text(division.right)
    if isinstance(division, cst.AugAssign) and isinstance(division.operator, (cst.DivideAssign, cst.FloorDivideAssign)):
        return text(division.value)
    if isinstance(division, cst.Call) and len(division.args) == 1:
        return text(division.args[0].value) if (last_name(division.func) or "").rstrip("_") in _DIVIDING else None
    return None


def steps_at(place: cst.CSTNode, scene: Scene, places: Places) -> str | None:
    """N, by a name that is known at a place."""
    name = re.match(r"\w+", scene.steps or "")
    known = name is not None and (name[0].isdigit() or places.knows(places.function_of(place), name[0]))
    return scene.steps if known else None


def pieces_in(scene: Scene, places: Places) -> str | None:
    """The number of pieces into which a loop over a range cuts a batch, if that loop is the window of the backward pass."""
    loop = next((each for each in places.around(scene.event.node) if isinstance(each, (cst.For, cst.While))), None)
    if not isinstance(loop, cst.For) or loop is not scene.loop or places.holds(loop, scene.step.node):
        return None
    if (
        not isinstance(loop.iter, cst.Call)
        or text(loop.iter.func) != "range"
        or not all(only_asks(each.value) for each in loop.iter.args)
    ):
        return None
    names = {each.value for each in walk(loop.iter) if isinstance(each, cst.Name)}
    anew = names & {name for each in walk(loop) for name in bound_by(each)}
    return f"len({' '.join(text(loop.iter).split())})" if not anew else None
