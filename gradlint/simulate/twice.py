"""A loss that is divided by the accumulation steps twice before its backward pass (GRD102). This needs no known window."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isclose, prod

import libcst as cst

from gradlint.simulate.faults import Fault
from gradlint.simulate.trace import Event, Trace, What
from gradlint.simulate.values import Factor


def divided_twice(trace: Trace, larger: Trace | None) -> Iterator[Fault]:
    """The divisions that repeat another one. A run with a larger N, if `larger` is given, has to show them too."""
    own = _found(trace)
    other = _found(larger) if larger is not None else own
    for key, (event, node) in own.items():
        if key in other:
            step = next((each for each in trace.of(What.STEP) if event.concerns(each.target)), None)
            yield Fault("GRD102", event, step, at=node, about=first_division(event, node, _steps_of(event, trace)[0], trace))


def first_division(event: Event, node: cst.CSTNode, size: float, trace: Trace) -> cst.CSTNode | None:
    """The other division by the size of a window. An engine's division is its backward pass."""
    steps = (each for _, factor in event.terms for each in factor.divisors if trace.divisors.get(each, (0.0, False))[0] == size)
    return next((each for each in steps if each is not node), None)


def superfluous(event: Event, factor: Factor, size: float, trace: Trace) -> cst.CSTNode | None:
    """Of several divisions by the size of a window, the one to remove: not an engine's, and not the first written by hand."""
    own = [each for each in factor.divisors if trace.divisors.get(each, (0.0, False))[0] == size]
    by_hand = [each for each in own if each is not event.node]
    return by_hand[-1] if by_hand and len(own) > 1 else None


def _found(trace: Trace) -> Mapping[int, tuple[Event, cst.CSTNode]]:
    """The first backward pass that each superfluous division affects, by the division's node."""
    found: dict[int, tuple[Event, cst.CSTNode]] = {}
    for event in trace.of(What.BACKWARD):
        engine = event.value is not None and event.value.doubt
        nodes = [] if engine else [_superfluous(event, factor, trace) for _, factor in event.terms]
        for node in nodes if all(nodes) else ():
            if node is not None:
                found.setdefault(id(node), (event, node))
    return found


def _superfluous(event: Event, factor: Factor, trace: Trace) -> cst.CSTNode | None:
    """The division to remove, if a term is divided by N twice and nothing multiplies it by N again."""
    steps = _steps_of(event, trace)
    own = _by_number(factor, trace, steps)
    squares = factor.by / steps[0] ** 2
    if len(own) < 2 or not isclose(squares, max(round(squares), 1)):
        return None
    weight = factor.value * factor.by / prod(factor.weights)
    if isclose(weight / steps[0], max(round(weight / steps[0]), 1)):
        return None
    return superfluous(event, factor, steps[0], trace)


def _steps_of(event: Event, trace: Trace) -> tuple[float, bool]:
    """The number that accumulation divides by: the plain number given to an engine, else N."""
    told = trace.divisors.get(event.node) if event.through else None
    return told if told is not None and told[0] > 1 and not told[1] else (float(trace.n), True)


def _by_number(factor: Factor, trace: Trace, steps: tuple[float, bool]) -> list[cst.CSTNode]:
    """The divisions of a term by a number of accumulation steps."""
    known = ((each, trace.divisors.get(each)) for each in dict.fromkeys(factor.divisors))
    return [each for each, number in known if number == steps]
