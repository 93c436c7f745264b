"""Finds out what a loss term was divided by, from two runs with different window sizes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from enum import Enum
from math import isclose

from gradlint.simulate.trace import Trace
from gradlint.simulate.values import OVER_ROWS, WITHOUT_STEPS, Factor
from gradlint.simulate.views import View
from gradlint.simulate.window_terms import CLOSE, Term, terms


class State(Enum):
    """How a term was scaled on its way to the gradients."""

    DIVIDED = "divided by the size of its window"
    UNDIVIDED = "not divided"
    WEIGHTED = "multiplied by settings that are no sizes"
    TWICE = "divided twice"
    OTHERWISE = "divided by another count"
    SUMMED = "a sum over the rows of its micro-batch, which adds up to the sum over the window"
    UNKNOWN = "not known"


def states_of(view: View, larger: View | None) -> dict[int, State]:
    """How each term of the loss was scaled on its way to the gradients."""
    theirs = terms(larger) if larger is not None else {}
    return {key: _state(term, view, theirs.get(key), larger) for key, term in terms(view).items()}


def open_terms(view: View, larger: View) -> Iterator[Term]:
    """The terms that are not known to be divided by the window size, even if each micro-batch's loss is taken as given."""
    theirs = terms(larger)
    for key, term in terms(view).items():
        other = theirs.get(key)
        if _state(_counted(term), view, _counted(other) if other is not None else None, larger) is not State.DIVIDED:
            yield term


def _counted(term: Term) -> Term:
    """A term without its doubt, if the doubt has nothing to do with the number of micro-batches."""
    return replace(term, doubt="") if term.doubt in WITHOUT_STEPS else term


def _state(term: Term, view: View, other: Term | None, larger: View | None) -> State:
    factor = term.factor.value * view.size
    if term.doubt == OVER_ROWS and not term.factor.divisors:
        return State.SUMMED
    if term.doubt or factor == 0.0:
        return State.UNKNOWN
    if larger is None or larger.size == view.size:
        return _of_literal(term, view)
    if other is None or other.doubt or other.factor.value == 0.0:
        return State.UNKNOWN
    ratio, sizes = other.factor.value * larger.size / factor, larger.size / view.size
    if isclose(ratio, 1.0, rel_tol=CLOSE):
        return State.DIVIDED
    if isclose(ratio, 1 / sizes, rel_tol=CLOSE):
        return State.TWICE
    if not isclose(ratio, sizes, rel_tol=CLOSE):
        return State.OTHERWISE if _by_other_setting(term, view) else State.UNKNOWN
    return _of_constant(term, view)


def _of_constant(term: Term, view: View) -> State:
    """A factor that does not depend on the window size."""
    if isclose(term.factor.value, 1.0, rel_tol=CLOSE) and not (term.factor.divisors and term.factor.of):
        return State.UNDIVIDED
    if not term.factor.divisors:
        return State.WEIGHTED if term.factor.of or _whole(term.factor) else State.UNDIVIDED
    if _by_other_setting(term, view):
        return State.OTHERWISE
    actual = view.actual
    divisor = _whole(term.factor)
    alone = divisor and actual and not term.factor.of and _divided_once(term, divisor)
    return State.OTHERWISE if alone and actual != divisor else State.UNKNOWN


def _of_literal(term: Term, view: View) -> State:
    """A window whose size does not depend on a setting."""
    value, size = term.factor.value, view.size
    if any(isclose(weight * size, 1.0, rel_tol=CLOSE) for weight in term.factor.weights) and len(term.factor.weights) > 1:
        return State.DIVIDED
    if isclose(value * size, 1.0, rel_tol=CLOSE) or (term.factor.divisors and isclose(term.factor.by, size, rel_tol=CLOSE)):
        return State.DIVIDED
    if isclose(value, 1.0, rel_tol=CLOSE) and not (term.factor.divisors and term.factor.of):
        return State.UNKNOWN if view.optimizer.rate_by else State.UNDIVIDED
    if isclose(value * size * size, 1.0, rel_tol=CLOSE) and len(term.factor.divisors) > 1:
        return State.TWICE
    if term.factor.of:
        return State.UNKNOWN
    if term.factor.divisors:
        divisor = _whole(term.factor)
        return State.OTHERWISE if divisor and view.literal and _divided_once(term, divisor) else State.UNKNOWN
    return State.WEIGHTED if _whole(term.factor) else State.UNDIVIDED


def _divided_once(term: Term, divisor: int) -> bool:
    """Whether the text itself divides a term once, and not by the number of terms that it averages.

    A plain backward pass only divides by what the text passes to it. An engine divides without being asked.
    """
    divisors = term.factor.divisors
    by_engine = divisors[0] is term.event.node and term.event.through not in ("", "scaler")
    return len(divisors) == 1 and not by_engine and _together(term) < divisor


def _together(term: Term) -> int:
    """How many terms of one micro-batch have the same weight as this one in a backward pass: the loss may be their mean."""
    alike = (source.micro for source, each in term.event.terms if isclose(each.value, term.factor.value, rel_tol=CLOSE))
    return max(Counter(alike).values(), default=0)


def _whole(factor: Factor) -> int:
    """The whole number above 1 that a factor divides by; 0 if there is none."""
    inverse = abs(factor.by) if factor.divisors else 1.0 / abs(factor.value)
    near = round(inverse)
    return near if near > 1 and isclose(inverse, near, rel_tol=CLOSE) else 0


def _by_other_setting(term: Term, view: View) -> bool:
    """Whether another accumulation setting than the window's divides a term.

    Both must come from one configuration, or have different known values.
    """
    trace = view.trace
    named = [name for name in term.factor.of if name in trace.n_names | trace.other_n]
    windows = [name for name in trace.n_names if trace.settings.get(name) == view.size]
    if len(named) != 1 or not windows or named[0] in windows:
        return False
    if not isclose(term.factor.value * trace.settings[named[0]], 1.0, rel_tol=CLOSE):
        return False
    return any(_told_apart(named[0], other, trace) for other in windows)


def _told_apart(name: str, other: str, trace: Trace) -> bool:
    first, second = trace.actual.get(name), trace.actual.get(other)
    if first is not None and second is not None:
        return first != second
    home = name.rpartition(".")[0]
    return home not in ("", "self") and home == other.rpartition(".")[0]
