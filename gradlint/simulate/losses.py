"""Compares the division of each loss term with the size of its window (GRD101 to GRD104, and GRD204 where that shows it)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from math import isclose

import libcst as cst

from gradlint.simulate.divided import State, states_of
from gradlint.simulate.faults import Fault
from gradlint.simulate.hooks import COMM_HOOK
from gradlint.simulate.summands import summand
from gradlint.simulate.trace import Event, What
from gradlint.simulate.twice import first_division, superfluous
from gradlint.simulate.values import Factor
from gradlint.simulate.views import View
from gradlint.simulate.window_terms import CLOSE, Term, terms
from gradlint.simulate.windows import micros_of

_PLAIN = (State.UNDIVIDED, State.WEIGHTED)


def of_loss(view: View, larger: View | None) -> Iterator[Fault]:
    """The faults of a loss accumulated over several micro-batches; `larger` is the view of the same world with a larger N."""
    if rate_makes_up(view, larger) or COMM_HOOK in view.trace.unreached or _is_one_sum(view, larger):
        return
    mine, states = terms(view), states_of(view, larger)
    by_event: dict[int, list[State]] = {}
    for key, term in mine.items():
        if states[key] is State.WEIGHTED:
            states[key] = _of_shared_weight([each for each in mine.values() if each.event is term.event], view, larger)
    for key, term in mine.items():
        by_event.setdefault(id(term.event), []).append(states[key])
    kinds = set(states.values())
    for key, term in mine.items():
        code = _code(states[key], by_event[id(term.event)], kinds)
        if code == "GRD101" and any(id(source.node) not in mine for source, _ in term.event.terms):
            continue  # it shares a backward pass with a loss over parts of one batch, which we know nothing about
        again = superfluous(term.event, term.factor, view.size, view.trace) if State.TWICE in kinds else None
        if again is not None and not term.doubt and states[key] in (State.WEIGHTED, State.UNKNOWN):
            code = "GRD102"  # next to a loss that is divided twice, a weighted one is divided twice as well
        if code:
            at = about = None
            if code == "GRD102":
                at = again
                about = first_division(term.event, at, view.size, view.trace) if at is not None else None
            elif code == "GRD103":
                at = next((each for each in term.factor.divisors if each is not term.event.node), None)
            elif code == "GRD104":
                plain = frozenset(each for each, state in states.items() if state in _PLAIN)
                at = summand(view.trace, term.event, key, plain)
            yield Fault(code, term.event, view.steps[-1], why=str(key) if code == "GRD104" else "", at=at, about=about)
    if kinds == {State.DIVIDED}:
        yield from _of_tails(view, mine)
        yield from _underscaled(view, mine)


def squared(view: View, larger: View | None) -> Iterator[Fault]:
    """An engine that counts N calls per window is only called once per window, so an update takes N squared micro-batches."""
    for node, counts in view.trace.calls.items() if larger is not None else ():
        others = larger.trace.calls.get(node, ()) if larger is not None else ()
        steps = [each for each in view.steps if each.node is node]
        if steps and larger is not None and counts[:2] == (view.trace.n,) * 2 and others[:2] == (larger.trace.n,) * 2:
            yield Fault("GRD103", steps[0], why=SQUARED)


SQUARED = "the engine counts windows"
"""Why: the engine counts windows instead of micro-batches."""


def of_places(view: View) -> Iterator[Fault]:
    """The divisor of a loss is the running count of micro-batches, so it differs within a window."""
    whole = [window.step for window in view.closed if window.step and len(micros_of(window.step)) == view.size > 2]
    by_step = [_by_beginning(step) for step in whole]
    for key in dict.fromkeys(key for each in by_step for key in each):
        parts = [each.get(key, []) for each in by_step]
        if all(len(factors) == view.size and _counts_on(factors) for factors in parts):
            places = (view.trace.events[place] for place in whole[0].held)
            event = next(each for each in places if any(id(source.node) == key for source, _ in each.terms))
            yield Fault("GRD103", event, whole[0])


def of_arms(view: View, larger: View | None) -> Iterator[Fault]:
    """A loss that is divided by N in one backward pass of a window is not divided in another, such as that of its boundary."""
    found = _of_arms(view)
    other = _of_arms(larger) if larger is not None else None
    if found is not None and other is not None and found.event.node is other.event.node:
        yield found


def _of_arms(view: View) -> Fault | None:
    whole = [
        window.step for window in view.closed if window.step and len(micros_of(window.step)) == view.size == view.trace.n > 2
    ]
    found = [_undivided_in(step, view) for step in whole]
    same = bool(found) and found[0] is not None and all(each is not None and each.node is found[0].node for each in found)
    return Fault("GRD101", found[0], whole[0]) if same and found[0] is not None else None


def _undivided_in(step: Event, view: View) -> Event | None:
    """The backward pass of a window that does not divide a loss by N, if all others divide that loss, and nothing else."""
    used = {(id(source.node), source.micro): factor for source, factor in step.terms}
    by_node: dict[int, tuple[Event, list[Factor]]] = {}
    begun = set[int]()
    for event in (view.trace.events[place] for place in step.held):
        for source, factor in event.terms:
            begun.add(id(source.node))
            known = by_node.setdefault(id(event.node), (event, []))
            known[1].append(used.get((id(source.node), source.micro), factor))
    if len(begun) != 1 or len(by_node) != 2 or any(factor.doubt for _, each in by_node.values() for factor in each):
        return None
    plain = [event for event, each in by_node.values() if not any(factor.divisors for factor in each)]
    divided = [each for _, each in by_node.values() if all(isclose(factor.by, view.size) for factor in each)]
    weights = {round(factor.value * factor.by, 9) for _, each in by_node.values() for factor in each}
    return plain[0] if len(plain) == len(divided) == len(weights) == 1 else None


def _by_beginning(event: Event) -> dict[int, list[Factor]]:
    """The factors of the terms of an event, by where the terms begin."""
    found: dict[int, list[Factor]] = {}
    for source, factor in event.terms:
        found.setdefault(id(source.node), []).append(factor)
    return found


def _counts_on(factors: list[Factor]) -> bool:
    """Whether each factor divides by a single number that is one larger than the number before."""
    plain = all(not each.doubt and len(each.divisors) == 1 and isclose(each.value * each.by, 1.0) for each in factors)
    return plain and all(isclose(after.by - before.by, 1.0) for before, after in pairwise(factors))


def _of_tails(view: View, whole: Mapping[int, Term]) -> Iterator[Fault]:
    """The tail has a separate backward pass, and its loss is not divided."""
    known = {id(term.event.node) for term in whole.values()}
    for step in view.steps:
        used = {(id(source.node), source.micro): factor for source, factor in step.terms}
        for event in (view.trace.events[place] for place in step.held if len(micros_of(step)) < view.size):
            factors = [(source, used.get((id(source.node), source.micro), factor)) for source, factor in event.terms]
            plain = all(_as_made(factor, whole.get(id(source.node)), view.size) for source, factor in factors)
            if id(event.node) not in known and event.terms and plain:
                yield Fault("GRD101", event, step)


def _as_made(factor: Factor, whole: Term | None, size: int) -> bool:
    """Whether a term of the tail equals the undivided term of a whole window."""
    if factor.doubt or (factor.divisors and (whole is None or len(factor.divisors) >= len(whole.factor.divisors))):
        return False
    return isclose(factor.value, whole.factor.value * size if whole is not None else 1.0, rel_tol=CLOSE)


def _underscaled(view: View, whole: Mapping[int, Term]) -> Iterator[Fault]:
    """The tail is divided by the size of a whole window, although the program computes how many micro-batches the tail has.

    Dividing by the same number throughout weights every sample equally, which is right unless the program knows the real size.
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
    """Whether a term of the tail has the same factor as in whole windows."""
    return whole is not None and not factor.doubt and isclose(factor.value, whole.factor.value, rel_tol=CLOSE)


def _is_one_sum(view: View, larger: View | None) -> bool:
    """Whether each backward pass covers the whole window, through a sum whose length no setting controls: an episode, a list."""
    unset = larger is not None and view.size == larger.size and view.size not in view.trace.literals
    if not unset and view.trace.n_names:
        return False
    return all(len({frozenset(known) for each in window.backwards if (known := _known(each))}) < 2 for window in view.closed)


def _known(event: Event) -> list[int]:
    """The micro-batches of the terms whose factors are known."""
    return [source.micro for source, factor in event.terms if not factor.doubt]


def _code(state: State, mates: list[State], all_states: set[State]) -> str:
    if state in _PLAIN and State.DIVIDED in mates:
        return "GRD104"
    telling = State.UNDIVIDED in mates or len(mates) > 1 or State.DIVIDED in all_states
    if state in _PLAIN and all_states.isdisjoint((State.UNKNOWN, State.SUMMED)) and telling:
        return "GRD101"
    return {State.TWICE: "GRD102", State.OTHERWISE: "GRD103"}.get(state, "")


# One term


def _of_shared_weight(mates: list[Term], view: View, larger: View | None) -> State:
    """The state of terms that all share one constant weight: if the weight is a share, it may take the place of the division."""
    shared = set(mates[0].factor.weights).intersection(*(each.factor.weights for each in mates))
    shares = [weight for weight in shared if 0 < weight < 1 and isclose(1 / weight, round(1 / weight), rel_tol=CLOSE)]
    if len(mates) < 2 or not shares:
        return State.WEIGHTED
    literal = view.literal and (larger is None or larger.size == view.size)
    actual = view.size if literal else view.actual
    return (
        State.OTHERWISE if actual and not any(isclose(actual * share, 1.0, rel_tol=CLOSE) for share in shares) else State.UNKNOWN
    )


def rate_makes_up(view: View, larger: View | None) -> bool:
    """Whether the learning rate is divided by N, or by the number that N is, to make up for an undivided loss."""
    if not view.optimizer.rate_by.isdisjoint((view.actual, *(view.trace.literals & {view.size}))):
        return True
    rate, other = view.optimizer.rate, larger.optimizer.rate if larger is not None else None
    if not rate or not other or larger is None or larger.size == view.size:
        return False
    return isclose(rate / other, larger.size / view.size, rel_tol=CLOSE)


# Updates of one micro-batch each


def stepping_inside(view: View, larger: View | None) -> Iterator[Fault]:
    """The optimizer steps on every micro-batch, in the loop or in a backward hook, although the loss is divided by N."""
    if larger is None or view.size != 1 or larger.size != 1 or view.trace.n == larger.trace.n:
        return
    if len(view.steps) < 2:
        return  # one update has no pace: unseen code may be called just once
    others = terms(larger)
    for key, term in terms(view).items():
        other = others.get(key)
        if other is None or term.doubt or other.doubt or not other.factor.value or _by_engine_alone(term, view):
            continue
        if isclose(term.factor.value / other.factor.value, larger.trace.n / view.trace.n, rel_tol=CLOSE):
            step = view.steps[0]
            hook = next((call for call in step.stack if any(call is hooked for hooked in view.trace.hooked)), None)
            yield Fault("GRD211", step, at=hook) if hook is not None else Fault("GRD204", step, about=_division(term))
            return


def _division(term: Term) -> cst.CSTNode | None:
    """The last division of a term."""
    return term.factor.divisors[-1] if term.factor.divisors else None


def _by_engine_alone(term: Term, view: View) -> bool:
    """Whether an engine that was never asked to accumulate divides a term: its backward pass always divides, intended or not."""
    divides = term.event.value is not None or (term.event.through == "deepspeed" != view.steps[0].through)
    return divides and term.factor.divisors == (term.event.node,) and not view.trace.of(What.COUNT)
