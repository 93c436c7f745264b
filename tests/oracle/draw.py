"""Plans by independent choices, and the plainer ones of a plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from typing import Any

from .consistent import consistent
from .plan import EARLY_BUGS, LATE_BUGS, NOISE, Plan

Choose = Callable[[Sequence[Any]], Any]


def draw(choose: Choose, late: Choose) -> Plan:
    """A plan by independent choices, made consistent; `late` makes those that came to the generator later."""
    choices = [each for each in fields(Plan) if "options" in each.metadata]
    settings = {each.name: choose(each.metadata["options"]) for each in choices if "late" not in each.metadata}
    noise = tuple(each for each in NOISE if choose((False, False, False, True)))
    few = choose((0, 1, 1, 2, 2, 3, 4))
    bugs = {choose(EARLY_BUGS) for _ in range(few)}
    settings |= {each.name: late(each.metadata["options"]) for each in choices if "late" in each.metadata}
    bugs |= {each for each in LATE_BUGS if late((False, False, False, False, False, True))}
    return consistent(Plan(**settings, noise=noise, bugs=frozenset(bugs)))


def smaller(plan: Plan) -> Iterator[Plan]:
    """Plans that are one step plainer, the largest steps first."""
    for bug in sorted(plan.bugs):
        yield consistent(replace(plan, bugs=plan.bugs - {bug}))
    for noise in plan.noise:
        yield replace(plan, noise=tuple(each for each in plan.noise if each != noise))
    for each in fields(Plan):
        plainest: dict[str, Any] = {each.name: each.default}
        if "options" in each.metadata and getattr(plan, each.name) != each.default:
            yield consistent(replace(plan, **plainest))
