"""Settings whose assumed number keeps a run from a backward pass: `if epoch >= args.adversarial_from: ...`."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

import libcst as cst

from gradlint.simulate.machine import Machine
from gradlint.simulate.values import Factor
from gradlint.simulate.world import last_part, spells_process

_ORDERS: dict[type, Callable[[Any, Any], bool]] = {
    cst.LessThan: operator.lt,
    cst.LessThanEqual: operator.le,
    cst.GreaterThan: operator.gt,
    cst.GreaterThanEqual: operator.ge,
}


def meets(machine: Machine, branch: cst.CSTNode, leads: tuple[bool, bool], taken: bool) -> None:
    """Records which number would lead a branch to its other arm, if that arm has a backward pass and was never taken.

    `leads` holds for each arm whether it has one.
    """
    asked = machine.asked
    if leads[0 if taken else 1]:
        asked.thresholds[branch] = None
    if leads[1 if taken else 0] and branch not in asked.thresholds:
        found = next(_crossings(machine), None)
        if found is not None:
            asked.thresholds[branch] = found


def _crossings(machine: Machine) -> Iterator[tuple[str, float]]:
    """The settings compared in the running condition, each with a number that would turn the comparison over."""
    for node, left, right, holds in machine.compared:
        order = _ORDERS.get(type(node.comparisons[0].operator)) if isinstance(node, cst.Comparison) else None
        if order is None:
            continue
        for one, other, turned in ((right, left, False), (left, right, True)):
            name = _only_setting(machine, one, other)
            for number in (other.value, other.value + 1, other.value - 1) if name else ():
                if number >= 0 and order(*((number, other.value) if turned else (other.value, number))) is not holds:
                    yield name, number
                    break


def _only_setting(machine: Machine, side: Factor, other: Factor) -> str:
    """The setting that one side of a comparison is; "" if it is computed, or counts accumulation steps or processes."""
    name = next(iter(side.of)) if len(side.of) == 1 else ""
    plain = name in machine.asked.numbers and machine.asked.numbers[name] == side.value and name not in other.of
    return name if plain and not (machine.counts_steps(name) or spells_process(last_part(name))) else ""
