"""The plainest program that still shows a failure."""

from __future__ import annotations

from collections.abc import Callable

from .draw import smaller
from .plan import Plan


def shrink(plan: Plan, fails: Callable[[Plan], bool], tries: int = 200) -> Plan:
    """Take plainer choices one by one for as long as the program fails in the same way."""
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
