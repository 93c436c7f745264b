"""Compiles loops."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from itertools import chain
from typing import Any

import libcst as cst

from gradlint.model.syntax.expressions import last_name, walk
from gradlint.simulate import conditions, ranges
from gradlint.simulate.blocks import BREAK, Flowing, Returned, Signal, run_block
from gradlint.simulate.callables import Frame
from gradlint.simulate.comparisons import alternatives
from gradlint.simulate.expressions import expression
from gradlint.simulate.iteration import batches, items_of
from gradlint.simulate.machine import Machine
from gradlint.simulate.stops import Stopped
from gradlint.simulate.targets import assign
from gradlint.simulate.things import Loader, Parameter
from gradlint.simulate.trace import Event, What
from gradlint.simulate.world import PASSES

BESIDE = 2
"""How often a `while` loop runs that does not affect training, if its condition is unknown."""

_NOTHING = object()


def for_loop(compiler: Any, node: cst.For) -> Flowing:
    """Compile `for`."""
    iterable, target, body = expression(node.iter), assign(node.target), compiler.block(node.body)
    orelse = compiler.block(node.orelse.body) if node.orelse is not None else ()
    leads = compiler.aims.of(node.body).leads
    gives = not leads and _gives(node)
    matters = compiler.aims.of(node.body).matters
    compiler.numbered.update((id(call), node) for call in _numberings(node.iter))

    def run(frame: Frame) -> Generator[Any, Any, Signal]:
        machine = frame.machine
        machine.tick(node)
        value = iterable(frame)
        items = _walked(machine, value, node, leads=leads)
        if leads:
            machine.asked.gates |= ranges.bounds(value)
            if ranges.walks_data(machine, value, node):
                machine.walking.add(id(node))
        stop = ranges.stop_of(value) if leads else None
        this = _Execution(machine, node, leads, gives, matters)
        begun = len(machine.events)
        count = 0
        of_weights = isinstance(value, Parameter)  # what happens to one parameter happens to all of them once
        if not of_weights:
            machine.loops.append(node)
            machine.draws.append(0)
        while True:
            try:
                item = next(items)
            except StopIteration:
                break
            if not of_weights:
                machine.begin(item)
            elif isinstance(item, Parameter):
                item = Parameter(owner=item.owner, walked=len(machine.path))
            if stop is not None:
                ranges.asks(machine, stop, node, item)
            target(frame, item)
            signal = yield from run_block(body, frame)
            count += 1
            if signal is BREAK or type(signal) is Returned:
                this.leave()
                return None if signal is BREAK else signal
            if this.is_enough(count):
                break
            if count == PASSES and _passed(machine, begun, node, this.level) >= PASSES:
                break
        this.leave()
        return (yield from run_block(orelse, frame))

    return run


class _Execution:
    """One execution of a loop, from before its first iteration: what it has cost, and whether it has trained anything."""

    def __init__(self, machine: Machine, node: cst.For | cst.While, leads: bool, gives: bool, matters: bool) -> None:
        self.machine, self.node, self.leads, self.gives, self.matters = machine, node, leads, gives, matters
        self.level = len(machine.loops)
        self._left, self._trained = machine.left, len(machine.trained)

    @property
    def _cost(self) -> int:
        return self._left - self.machine.left

    def is_enough(self, count: int) -> bool:
        """Whether a loop that has trained nothing has run often enough: its whole length is nobody's concern."""
        if self.leads or len(self.machine.trained) != self._trained:
            return False
        return count > 2 * self.machine.world.length + 4 or (
            not self.gives and self.machine.patience.is_over(self.node, self._cost, matters=self.matters)
        )

    def leave(self) -> None:
        """Leave the loop, and end the passes that it iterated by hand, if they are at their last batch."""
        self.machine.patience.pays(self.node, self._cost)
        for stream in [each for each in self.machine.spent if each.level >= self.level]:
            self.machine.spent.remove(stream)
            next(stream.items, None)
        close(self.machine, self.level)


def _gives(node: cst.For | cst.While) -> bool:
    """Whether a loop yields items from a generator: the consumer runs between its iterations."""
    return any(type(each) is cst.Yield for each in walk(node.body))


def _numberings(walked: cst.BaseExpression) -> Iterator[cst.Call]:
    """The calls of `enumerate` that a loop iterates over, wrapped in a progress bar or not."""
    while isinstance(walked, cst.Call) and walked.args:
        if last_name(walked.func) == "enumerate":
            yield walked
        walked = walked.args[0].value


def _walked(machine: Machine, value: Any, node: cst.For, *, leads: bool) -> Iterator[Any]:
    """The items of a loop. One that leads to training gets batches if it had none: nobody writes a loop that never runs."""
    items = items_of(machine, value, node)
    known = machine.entered.get(node)
    if not leads or known is False:
        return items
    first = next(items, _NOTHING)
    if first is not _NOTHING:
        machine.entered.setdefault(node, False)
        return chain((first,), items)
    machine.entered[node] = is_range = ranges.range_of(value) is not None
    if is_range:
        return iter(range(machine.world.length))
    return batches(machine, Loader("what is walked", node), node) if known is None else items


def while_loop(compiler: Any, node: cst.While) -> Flowing:
    """Compile `while`."""
    test, body = expression(node.test), compiler.block(node.body)
    ending = alternatives(node.test, cst.And)
    leads = compiler.aims.of(node.body).leads
    gives = not leads and _gives(node)
    matters = compiler.aims.of(node.body).matters
    orelse = compiler.block(node.orelse.body) if node.orelse is not None else ()

    def run(frame: Frame) -> Generator[Any, Any, Signal]:
        machine = frame.machine
        this = _Execution(machine, node, leads, gives, matters)
        machine.loops.append(node)
        machine.draws.append(0)
        count = 0
        while True:
            machine.tick(node)
            machine.compared.clear()
            value = test(frame)
            if leads:
                machine.ends(ending, False)
            known = conditions.certain(value)
            if known is None:
                known = count < (machine.world.length if matters or gives else BESIDE)
            if not known:
                break
            if count and this.is_enough(count):
                break
            if count > 4 * machine.world.length + 40:
                raise Stopped("the loop has no visible end", node)
            machine.begin(None)
            signal = yield from run_block(body, frame)
            count += 1
            if signal is BREAK or type(signal) is Returned:
                this.leave()
                return None if signal is BREAK else signal
        this.leave()
        return (yield from run_block(orelse, frame))

    return run


def close(machine: Machine, level: int) -> None:
    """Leave the loops nested deeper than a level."""
    del machine.loops[level:], machine.draws[level:]


def _passed(machine: Machine, begun: int, node: cst.For, level: int) -> int:
    """In how many iterations of a loop an inner loop began a pass over data that trains, since an event."""
    found = set[int]()
    waiting: dict[str, Event] = {}
    for each in machine.events[begun:]:
        if each.what is What.PASS and node not in (each.node, machine.compiler.numbered.get(id(each.node))):
            waiting[each.text] = each
        elif each.what is What.END:
            waiting.pop(each.text, None)
        elif each.what is What.BACKWARD:
            found |= {passed.turns[level] for passed in waiting.values() if level < len(passed.loops) <= len(each.loops)}
            waiting.clear()
    return len(found)
