"""What the terms of a loss were divided by, held against the size of their window (GRD101 to GRD104, and GRD204 by that)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from itertools import pairwise
from math import isclose

from gradlint.simulate.faults import Fault
from gradlint.simulate.hooks import COMM_HOOK
from gradlint.simulate.trace import Event, Trace, What
from gradlint.simulate.values import OVER_ROWS, Factor, Source
from gradlint.simulate.views import View
from gradlint.simulate.windows import micros_of

_CLOSE = 1e-6
_SHARED = "the backward passes share a graph"
_MAY_DIVIDE = frozenset(("function", "wrapper argument"))


class State(Enum):
    """What happened to a term on its way to the gradients."""

    DIVIDED = "divided by the size of its window"
    UNDIVIDED = "not divided"
    WEIGHTED = "multiplied by settings that are no sizes"
    TWICE = "divided twice"
    OTHERWISE = "divided by another count"
    SUMMED = "a sum over the rows of its micro-batch, which adds up to the sum over the window"
    UNKNOWN = "not known"


@dataclass(frozen=True)
class Term:
    """A term of the loss in whole windows: the factor of its gradient, why that may be another, and its backward pass."""

    factor: Factor
    doubt: str
    event: Event


def of_loss(view: View, larger: View | None) -> Iterator[Fault]:
    """The faults of a loss whose update is made of several micro-batches; `larger` is the view of the same world with a larger N."""
    if rate_makes_up(view, larger) or COMM_HOOK in view.trace.unreached:
        return
    mine, states = terms(view), states_of(view, larger)
    by_event: dict[int, list[State]] = {}
    for key, term in mine.items():
        if states[key] is State.WEIGHTED:
            states[key] = _of_shared_weight([each for each in mine.values() if each.event is term.event], view, larger)
    for key, term in mine.items():
        by_event.setdefault(id(term.event), []).append(states[key])
    for key, term in mine.items():
        code = _code(states[key], by_event[id(term.event)], set(states.values()))
        if code:
            yield Fault(code, term.event, view.steps[-1], why=str(key) if code == "GRD104" else "")
    if states and set(states.values()) == {State.DIVIDED}:
        yield from _of_tails(view, {id(term.event.node) for term in mine.values()})
        yield from _underscaled(view, mine)


def of_places(view: View) -> Iterator[Fault]:
    """What divides a loss counts the micro-batches of its window, and is another number for each of them."""
    whole = [window.step for window in view.closed if window.step and len(micros_of(window.step)) == view.size > 2]
    for key in dict.fromkeys(id(source.node) for step in whole for source, _ in step.terms):
        parts = [[factor for source, factor in step.terms if id(source.node) == key] for step in whole]
        if all(len(factors) == view.size and _counts_on(factors) for factors in parts):
            places = (view.trace.events[place] for place in whole[0].held)
            event = next(each for each in places if any(id(source.node) == key for source, _ in each.terms))
            yield Fault("GRD103", event, whole[0])


def _counts_on(factors: list[Factor]) -> bool:
    """Whether each factor is one through a number that is one more than the one before."""
    plain = all(not each.doubt and len(each.divisors) == 1 and isclose(each.value * each.by, 1.0) for each in factors)
    return plain and all(isclose(after.by - before.by, 1.0) for before, after in pairwise(factors))


def _of_tails(view: View, whole: set[int]) -> Iterator[Fault]:
    """The tail has a backward pass of its own, and there the loss is not divided."""
    for step in view.steps:
        used = {(id(source.node), source.micro): factor for source, factor in step.terms}
        for event in (view.trace.events[place] for place in step.held if len(micros_of(step)) < view.size):
            factors = [used.get((id(source.node), source.micro), factor) for source, factor in event.terms]
            plain = all(factor.value == 1.0 and not (factor.doubt or factor.divisors) for factor in factors)
            if id(event.node) not in whole and event.terms and plain:
                yield Fault("GRD101", event, step)


def _underscaled(view: View, whole: Mapping[int, Term]) -> Iterator[Fault]:
    """The tail is divided by the size of a whole window, although the program works out how many micro-batches the tail has.

    To divide by the same number throughout gives each sample the same weight: unless the program knows better, that is right.
    """
    for window in view.closed:
        step, left = window.step, len(window.micros)
        if step is None or not 0 < left < view.size or not view.ends(window) or not step.terms:
            continue
        known = next((node for node, rest in view.trace.rests if rest == left), None)
        alike = all(_as_whole(factor, whole.get(id(source.node))) for source, factor in step.terms)
        if known is not None and alike:
            yield Fault("GRD107", window.backwards[-1], step, about=known)
            return


def _as_whole(factor: Factor, whole: Term | None) -> bool:
    """Whether a term of the tail is multiplied by what the same term is multiplied by in whole windows."""
    return whole is not None and not factor.doubt and isclose(factor.value, whole.factor.value, rel_tol=_CLOSE)


def states_of(view: View, larger: View | None) -> dict[int, State]:
    """What happened to each term of the loss on its way to the gradients."""
    theirs = terms(larger) if larger is not None else {}
    return {key: _state(term, view, theirs.get(key), larger) for key, term in terms(view).items()}


def _code(state: State, mates: list[State], all_states: set[State]) -> str:
    plain = (State.UNDIVIDED, State.WEIGHTED)
    if state in plain and State.DIVIDED in mates:
        return "GRD104"
    telling = State.UNDIVIDED in mates or len(mates) > 1 or State.DIVIDED in all_states
    if state in plain and all_states.isdisjoint((State.UNKNOWN, State.SUMMED)) and telling:
        return "GRD101"
    return {State.TWICE: "GRD102", State.OTHERWISE: "GRD103"}.get(state, "")


def terms(view: View) -> dict[int, Term]:
    """For each place where a term of the loss begins, what it is in the whole windows."""
    found: dict[int, Term] = {}
    for window in view.closed:
        step = window.step
        if step is None or len(micros_of(step)) != view.size:
            continue
        changed = _out_of_sight(window.after_last(What.CALL))
        events = [view.trace.events[place] for place in step.held]
        owner = {id(source): event for event in events for source, _ in event.terms}
        parts = _by_place(step)
        often = Counter(key for key, _ in parts)
        for (key, _), (source, factor) in parts.items():
            if often[key] == 1 < view.size:
                continue  # once in a window, it is no mean over it
            event = owner.get(id(source), step)
            doubt = factor.doubt or changed or (_SHARED if event.retains and len(step.loops) < len(event.loops) else "")
            doubt = doubt or ("a wrapper backpropagates it, and may divide it" if event.through in _MAY_DIVIDE else "")
            known = found.get(key)
            if known is None:
                found[key] = Term(factor, doubt, event)
            elif doubt or not isclose(known.factor.value, factor.value, rel_tol=_CLOSE):
                found[key] = replace(known, doubt=known.doubt or doubt or "it differs from one micro-batch to the next")
    return found


def _by_place(step: Event) -> dict[tuple[int, int], tuple[Source, Factor]]:
    """What a step holds, by the place where a term begins and its micro-batch: several of one place are one sum."""
    found: dict[tuple[int, int], tuple[Source, Factor]] = {}
    for source, factor in step.terms:
        key = (id(source.node), source.micro)
        if key in found:
            first, known = found[key]
            summed = replace(known, value=known.value + factor.value, doubt=known.doubt or factor.doubt)
            found[key] = (first, summed)
        else:
            found[key] = (source, factor)
    return found


def _out_of_sight(calls: list[Event]) -> str:
    """Why the gradients may be others than they were, where something out of sight was handed them."""
    may = (call for call in calls if "gradient" in call.handed and not call.only_reads)
    return next((f"`{call.text}` is handed the gradients" for call in may), "")


# One term


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
    if isclose(ratio, 1.0, rel_tol=_CLOSE):
        return State.DIVIDED
    if isclose(ratio, 1 / sizes, rel_tol=_CLOSE):
        return State.TWICE
    if not isclose(ratio, sizes, rel_tol=_CLOSE):
        return State.OTHERWISE if _by_other_setting(term, view) else State.UNKNOWN
    return _of_constant(term, view)


def _of_constant(term: Term, view: View) -> State:
    """A factor that does not depend on the size of the window."""
    if isclose(term.factor.value, 1.0, rel_tol=_CLOSE) and not (term.factor.divisors and term.factor.of):
        return State.UNDIVIDED
    if not term.factor.divisors:
        return State.WEIGHTED if term.factor.of or _whole(term.factor) else State.UNDIVIDED
    actual = view.actual
    divisor = _whole(term.factor)
    alone = divisor and actual and not term.factor.of and _divided_once(term, divisor)
    return State.OTHERWISE if alone and actual != divisor else State.UNKNOWN


def _of_shared_weight(mates: list[Term], view: View, larger: View | None) -> State:
    """Terms that are all multiplied by one plain number: it stands where the division should, if it is a share."""
    shared = set(mates[0].factor.weights).intersection(*(each.factor.weights for each in mates))
    shares = [weight for weight in shared if 0 < weight < 1 and isclose(1 / weight, round(1 / weight), rel_tol=_CLOSE)]
    if len(mates) < 2 or not shares:
        return State.WEIGHTED
    literal = view.literal and (larger is None or larger.size == view.size)
    actual = view.size if literal else view.actual
    return (
        State.OTHERWISE if actual and not any(isclose(actual * share, 1.0, rel_tol=_CLOSE) for share in shares) else State.UNKNOWN
    )


def _of_literal(term: Term, view: View) -> State:
    """A window whose size does not depend on a setting."""
    value, size = term.factor.value, view.size
    if any(isclose(weight * size, 1.0, rel_tol=_CLOSE) for weight in term.factor.weights) and len(term.factor.weights) > 1:
        return State.DIVIDED
    if isclose(value * size, 1.0, rel_tol=_CLOSE) or (term.factor.divisors and isclose(term.factor.by, size, rel_tol=_CLOSE)):
        return State.DIVIDED
    if isclose(value, 1.0, rel_tol=_CLOSE) and not (term.factor.divisors and term.factor.of):
        return State.UNKNOWN if view.optimizer.rate_by else State.UNDIVIDED
    if isclose(value * size * size, 1.0, rel_tol=_CLOSE) and len(term.factor.divisors) > 1:
        return State.TWICE
    if term.factor.of:
        return State.UNKNOWN
    if term.factor.divisors:
        divisor = _whole(term.factor)
        return State.OTHERWISE if divisor and view.literal and _divided_once(term, divisor) else State.UNKNOWN
    return State.WEIGHTED if _whole(term.factor) else State.UNDIVIDED


def _divided_once(term: Term, divisor: int) -> bool:
    """Whether the text itself divides a term, once, and not by the number of terms whose mean it takes."""
    divisors = term.factor.divisors
    return len(divisors) == 1 and divisors[0] is not term.event.node and _together(term) < divisor


def _together(term: Term) -> int:
    """How many terms the loss of one micro-batch has in a backward pass that weigh as much as one of them: its mean may be taken."""
    alike = (source.micro for source, each in term.event.terms if isclose(each.value, term.factor.value, rel_tol=_CLOSE))
    return max(Counter(alike).values(), default=0)


def _whole(factor: Factor) -> int:
    """The whole number above 1 that a factor divides by; 0 where it is none."""
    inverse = abs(factor.by) if factor.divisors else 1.0 / abs(factor.value)
    near = round(inverse)
    return near if near > 1 and isclose(inverse, near, rel_tol=_CLOSE) else 0


def _by_other_setting(term: Term, view: View) -> bool:
    """Divided by another accumulation setting than the window's, where both stand in one configuration, or have numbers."""
    trace = view.trace
    named = [name for name in term.factor.of if name in trace.n_names]
    windows = [name for name in trace.n_names if trace.settings.get(name) == view.size]
    if len(named) != 1 or not windows or named[0] in windows:
        return False
    if not isclose(term.factor.value * trace.settings[named[0]], 1.0, rel_tol=_CLOSE):
        return False
    return any(_told_apart(named[0], other, trace) for other in windows)


def _told_apart(name: str, other: str, trace: Trace) -> bool:
    first, second = trace.actual.get(name), trace.actual.get(other)
    if first is not None and second is not None:
        return first != second
    home = name.rpartition(".")[0]
    return home not in ("", "self") and home == other.rpartition(".")[0]


def rate_makes_up(view: View, larger: View | None) -> bool:
    """The learning rate is divided by N, or by the number that N is, which makes up for an undivided loss."""
    if not view.optimizer.rate_by.isdisjoint((view.actual, *(view.trace.literals & {view.size}))):
        return True
    rate, other = view.optimizer.rate, larger.optimizer.rate if larger is not None else None
    if not rate or not other or larger is None or larger.size == view.size:
        return False
    return isclose(rate / other, larger.size / view.size, rel_tol=_CLOSE)


# Updates of one micro-batch each


def stepping_inside(view: View, larger: View | None) -> Iterator[Fault]:
    """Each micro-batch is stepped although its loss is divided by N: by the loop, or by a hook of its backward pass."""
    if larger is None or view.size != 1 or larger.size != 1 or view.trace.n == larger.trace.n:
        return
    others = terms(larger)
    for key, term in terms(view).items():
        other = others.get(key)
        if other is None or term.doubt or other.doubt or not other.factor.value or _by_engine_alone(term, view):
            continue
        if isclose(term.factor.value / other.factor.value, larger.trace.n / view.trace.n, rel_tol=_CLOSE):
            step = view.steps[0]
            hook = next((call for call in step.stack if any(call is hooked for hooked in view.trace.hooked)), None)
            yield Fault("GRD211", step, at=hook) if hook is not None else Fault("GRD204", step)
            return


def _by_engine_alone(term: Term, view: View) -> bool:
    """Whether an engine divides a term that nothing tells it to accumulate: its backward pass divides always, meant or not."""
    return term.event.value is not None and term.factor.divisors == (term.event.node,) and not view.trace.of(What.COUNT)
