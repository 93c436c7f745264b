"""Ranges as long as some data. A loop over one is a pass over the data, without events for its beginning and end."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

import libcst as cst

from gradlint.model.syntax.expressions import literal
from gradlint.simulate.callables import Stream
from gradlint.simulate.machine import Machine
from gradlint.simulate.trace import Bound, What
from gradlint.simulate.values import Beginning, Factor, Num, of_length, whole
from gradlint.simulate.world import last_part, spells_rows


def of_lengths(machine: Machine, of: frozenset[str]) -> bool:
    """Whether some settings are lengths of data that do not depend on N."""
    return any(map(of_length, of)) and not any(map(machine.counts_steps, of)) and of.isdisjoint(machine.in_windows)


def bounds(value: Any) -> frozenset[str]:
    """The settings that determine how often a loop over a range runs."""
    return next((each.of for each in _layers(value) if isinstance(each, Stream) and each.of), frozenset())


def stop_of(value: Any) -> Num | None:
    """The number before which a range ends, if a setting gives it."""
    stop = next((each.stop for each in _layers(value) if isinstance(each, Stream) and each.stop is not None), None)
    return stop if type(stop) is Num else None


def asks(machine: Machine, stop: Num, node: cst.For, item: Any) -> None:
    """Record the comparison in a loop over a range: whether one of its numbers is below the bound that a setting gives."""
    if type(item) is int:
        sides = Factor(float(item)), Factor(float(stop.value), stop.of)
        machine.bounds.append(Bound(node, sides, False, len(machine.events), tuple(machine.loops), True))


def range_of(value: Any) -> range | None:
    """The range that is iterated over, if it is one."""
    found = value.source if isinstance(value, Stream) else value
    return found if isinstance(found, range) else None


def walks_data(machine: Machine, value: Any, node: cst.For) -> bool:
    """Whether a loop is over a range that is as long as some data."""
    if any(isinstance(each, Stream) and each.by_data for each in _layers(value)):
        return True
    return range_of(value) == range(0) and machine.entered.get(node) is not False and _was_filled(machine, bounds(value))


def _was_filled(machine: Machine, of: frozenset[str]) -> bool:
    """Whether a range that is empty in this world is as long as a list filled by the script, in a pass over data or from a file.

    Only the number of rows in a batch may determine its length. The filling must have happened in the running iteration, or
    before those loops in it that do not iterate over data.
    """
    if not all(spells_rows(last_part(name)) for name in of) or any(map(machine.counts_steps, of)):
        return False
    passes = ((event.loops, event.turns) for event in machine.events if event.what is What.END)
    return any(_runs_still(machine, loops, turns) for loops, turns in chain(machine.read, passes))


def _runs_still(machine: Machine, loops: tuple[cst.CSTNode, ...], turns: tuple[int, ...]) -> bool:
    """Whether the iterations in which something was done are still running, and no loop inside them iterates over data."""
    level = len(loops)
    now = tuple(machine.turns.get(each, 0) for each in range(1, level + 1))
    return loops == tuple(machine.loops[:level]) and turns == now and not any(machine.draws[level:])


def _layers(value: Any) -> Iterator[Any]:
    """An iterable, and the iterables inside it."""
    yield value
    while isinstance(value, Stream):
        value = value.source
        yield value


def goes_one_further(node: cst.CSTNode) -> bool:
    """Whether the end of a range is written as something plus 1."""
    end = node.args[1].value if isinstance(node, cst.Call) and len(node.args) > 1 else None
    return isinstance(end, cst.BinaryOperation) and isinstance(end.operator, cst.Add) and literal(end.right) == 1


def pieces_of(machine: Machine, args: list[Any]) -> Any:
    """`range(0, len(batch), size)`: where the pieces of a batch begin. There are as many as a window has micro-batches."""
    size = whole(machine.number_of(args[2]), 1)
    walked = range(0, machine.world.n * max(size, 1), max(size, 1))
    return Stream(map(Beginning, walked), walked)
