"""The trace of a run: what its machine recorded, as immutable data."""

from __future__ import annotations

from typing import Any

from gradlint.simulate.machine import Machine
from gradlint.simulate.spelling import common, resolved
from gradlint.simulate.stops import TOO_LONG, Stopped
from gradlint.simulate.trace import Stepper, Trace
from gradlint.simulate.values import number, settings_of


def trace_of(machine: Machine, stopped: Stopped | None) -> Trace:
    """The recorded trace."""
    reason = stopped.reason if stopped is not None else ""
    reason = reason or (TOO_LONG if machine.recurses else "")
    names = frozenset(name for name in machine.asked.numbers if machine.counts_steps(name))
    node = stopped.node if stopped is not None else None
    return Trace(
        tuple(machine.events),
        reason,
        node,
        machine.world.n,
        names,
        tuple(_stepper(each, machine.quotients) for each in machine.gradients.optimizers),
        frozenset(machine.risks),
        frozenset(machine.raises),
        cut=stopped is not None,
        settings=dict(machine.asked.numbers),
        actual=dict(machine.asked.actual),
        literals=frozenset(machine.asked.moduli),
        rests=tuple(machine.asked.kept.items()),
        bounded=frozenset(machine.bounded),
        walking=frozenset(machine.walking),
        hooked=tuple(hook.node for hook in machine.hooks),
        norms=tuple(machine.norms),
        gates=frozenset(machine.asked.gates),
        remainders=tuple(machine.remainders),
        bounds=tuple(machine.bounds),
        measured=tuple(machine.measured),
        summands=machine.summands,
        counted=not machine.counted.isdisjoint(machine.asked.gates),
        divisors=machine.divisors,
        called=frozenset(machine.called),
        calls={node: tuple(counts) for node, counts in machine.calls.items()},
        other_n=frozenset(machine.world.not_n & machine.asked.numbers.keys()),
        spelled={
            node: resolved(common(times[0], times[-1]), machine.asked.numbers, machine.counts_steps)
            for node, times in machine.spelled.items()
        },
    )


def _stepper(optimizer: Any, quotients: dict[float, set[int]]) -> Stepper:
    rate = optimizer.arguments.get("lr")
    value = number(rate)
    return Stepper(
        optimizer.number,
        optimizer.identity,
        optimizer.node,
        optimizer.built_by,
        float(value) if value is not None else None,
        settings_of(rate),
        frozenset(quotients.get(float(value), ())) if value is not None else frozenset(),
    )
