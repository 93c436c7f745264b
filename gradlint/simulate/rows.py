"""Numbers of rows, which a division by the rows of a batch turns into numbers of batches."""

from __future__ import annotations

from math import prod
from typing import Any

from gradlint.simulate.machine import Machine
from gradlint.simulate.values import BATCHES, EACH_OF, Num, number, settings_of, whole
from gradlint.simulate.world import last_part, spells_epochs, spells_rate, spells_rows


def is_guessed(machine: Machine, total: Any, part: Any) -> bool:
    """Whether the first number is an unknown setting and not a rate, the second is a setting, and neither is N."""
    of = settings_of(total), settings_of(part)
    if any(spells_rate(last_part(each)) for each in of[0]):
        return False
    guessed = machine.asked.numbers.keys() - machine.asked.actual.keys()
    return all(of) and bool(of[0] & guessed) and not any(map(machine.counts_steps, of[0] | of[1]))


def counts_batches(machine: Machine, total: Any, part: Any) -> bool:
    """Whether the number of rows in a dataset is divided by the batch size, for one pass or for all of them."""
    lengths, of = settings_of(total), settings_of(part)
    if not all(each.startswith("len(") or _is_of_epochs(each) for each in lengths) or BATCHES in lengths:
        return False
    by_rows = any(spells_rows(last_part(each)) for each in of) and not any(map(machine.counts_steps, of))
    return by_rows and any(each.startswith("len(") for each in lengths)


def in_batches(machine: Machine, total: Any, part: Any) -> Num:
    """The number of batches that some rows make. The world decides it, however many rows the run has."""
    of = settings_of(total)
    passes = prod(machine.asked.numbers.get(each, 1) for each in of if _is_of_epochs(each))
    if len(of) == 1 and machine.world.length * whole(part) != number(total):
        machine.asked.rows[next(iter(of))] = whole(part)
    return Num(passes * machine.world.length, of | settings_of(part) | {BATCHES})


def as_many_as_batches(machine: Machine, length: Any) -> Any:
    """The length of some data, or the number of rows that fills the batches of a pass if the text compares both."""
    rows = dict(machine.world.rows).get(next(iter(settings_of(length)), ""))
    return Num(machine.world.length * rows, settings_of(length)) if rows is not None else length


def _is_of_epochs(name: str) -> bool:
    """Whether a setting is a number of epochs."""
    return not name.startswith("len(") and spells_epochs(last_part(name))


def counts_all(left: Any, right: Any) -> bool:
    """Whether the length of one dataset out of several is multiplied by the number of datasets."""
    sides = settings_of(left), settings_of(right)
    return any(
        bool(one)
        and {f"len({name.removeprefix(EACH_OF)}" for name in one} == other
        and all(name.startswith(EACH_OF) for name in one)
        for one, other in (sides, sides[::-1])
    )
