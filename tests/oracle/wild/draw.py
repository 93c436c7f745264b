"""Wild plans by independent choices, and the plainer ones of a plan."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Any

from .consistent import consistent
from .plan import AROUND, BUGS, Wild


def draw(chance: random.Random) -> Wild:
    """A plan by independent choices, made consistent."""
    choices = [each for each in fields(Wild) if "options" in each.metadata]
    settings = {each.name: chance.choice(each.metadata["options"]) for each in choices if "late" not in each.metadata}
    around = tuple(each for each in AROUND if chance.randrange(6) == 0)
    bugs = {chance.choice(BUGS) for _ in range(chance.choice((0, 1, 1, 2, 3)))}
    settings |= {each.name: chance.choice(each.metadata["options"]) for each in choices if "late" in each.metadata}
    return consistent(Wild(**settings, around=around, bugs=frozenset(bugs)))


def plans(seed: int, programs: int) -> list[Wild]:
    """So many plans, the same for the same seed; each is drawn apart, so that more of them change none."""
    return [draw(random.Random(f"{seed}, {number}")) for number in range(programs)]


def smaller(plan: Wild) -> Iterator[Wild]:
    """Plans that are one step plainer."""
    for bug in sorted(plan.bugs):
        yield consistent(replace(plan, bugs=plan.bugs - {bug}))
    for each in plan.around:
        yield consistent(replace(plan, around=tuple(other for other in plan.around if other != each)))
    for choice in fields(Wild):
        plainest: dict[str, Any] = {choice.name: choice.default}
        if "options" in choice.metadata and getattr(plan, choice.name) != choice.default:
            yield consistent(replace(plan, **plainest))


def shrink(plan: Wild, fails: Callable[[Wild], bool], tries: int = 120) -> Wild:
    """The plainest plan that is found to fail in the same way."""
    searching = True
    while searching and tries > 0:
        searching = False
        for candidate in smaller(plan):
            tries -= 1
            if candidate != plan and fails(candidate):
                plan, searching = candidate, True
                break
            if tries <= 0:
                break
    return plan
