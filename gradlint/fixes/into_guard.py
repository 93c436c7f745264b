"""A fix for a test of an update count on every micro-batch: it moves to where the count goes up."""

from __future__ import annotations

import libcst as cst

from gradlint.edits import Move
from gradlint.finding import Fix
from gradlint.fixes.places import Places
from gradlint.fixes.shared import Outcome, unsafe, withheld
from gradlint.model.syntax.expressions import dotted, walk
from gradlint.simulate.scene import Scene


def ask_where_it_counts(scene: Scene) -> Outcome:
    """Move a condition to the end of the guard directly above it, if that guard counts the updates."""
    places, test = scene.script.once(Places), scene.place
    asking = next((each for each in places.around(test) if isinstance(each, cst.If) and each.test is test), None)
    if asking is None or asking.orelse is not None:
        return withheld("the `if` has another branch")
    suite = places.suite_of(asking)
    place = next((index for index, each in enumerate(suite) if each is asking), 0)
    guard = suite[place - 1] if place else None
    if not isinstance(guard, cst.If) or guard.orelse is not None or not isinstance(guard.body, cst.IndentedBlock):
        return withheld("the test does not directly follow the guard that counts updates")
    names = {dotted(each) for each in walk(test) if isinstance(each, (cst.Name, cst.Attribute))}
    lines = (small for line in guard.body.body if isinstance(line, cst.SimpleStatementLine) for small in line.body)
    if not any(isinstance(each, cst.AugAssign) and dotted(each.target) in names for each in lines):
        return withheld("the test does not directly follow the guard that counts updates")
    fix = Fix("Test it where the count goes up", (Move(asking, guard.body.body[-1], after=True),))
    return unsafe(fix, "with the fix, nothing happens before the first update, at a count of 0")
