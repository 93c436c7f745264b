"""The fix for a term of a loss that is not divided like the other terms."""

from __future__ import annotations

import libcst as cst

from gradlint.finding import Fix
from gradlint.fixes.divisors import divisor_of, steps_at
from gradlint.fixes.places import Places
from gradlint.fixes.shared import Outcome, divide, withheld
from gradlint.simulate.scene import Scene


def divide_as_the_rest(scene: Scene) -> Outcome:
    """Divide the term by the divisor of the other terms, which is N or the size of the current window."""
    term, places = scene.place, scene.script.once(Places)
    if term is scene.event.node or not isinstance(term, cst.BaseExpression):
        return withheld("the term is not a separate part of the sum")
    engine = scene.event.node
    lasts = [[each for each in factor.divisors if each is not engine][-1:] for _, factor in scene.event.terms]
    divisions = list(dict.fromkeys(each for last in lasts for each in last))
    n = steps_at(term, scene, places)
    if not divisions:
        if n is None:
            return withheld("the accumulation steps have no name at this term")
        return Fix(f"Divide the term by `{n}`", (divide(term, n),)), None
    divisors = {divisor_of(each) for each in divisions}
    divisor = next(iter(divisors))
    if len(divisors) > 1 or divisor is None:
        return withheld("the other terms are not all divided by the same expression")
    if divisor != n and any(places.function_of(each) is not places.function_of(term) for each in divisions):
        return withheld("the other terms are divided in another function")
    return Fix(f"Divide the term by `{divisor}`", (divide(term, divisor),)), None
