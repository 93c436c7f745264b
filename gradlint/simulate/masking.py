"""Means over tokens: every micro-batch gets the same weight, however many tokens it has (GRD105)."""

from __future__ import annotations

from collections.abc import Iterator

from gradlint.simulate.divided import State, states_of
from gradlint.simulate.faults import Fault
from gradlint.simulate.views import View
from gradlint.simulate.window_terms import terms

ALONE = "the loss is that mean alone"


def means_of_tokens(view: View, larger: View | None) -> Iterator[Fault]:
    """A mean over tokens is divided by the number of micro-batches, although these have different numbers of tokens."""
    of_masks = {id(source.node) for event in view.backwards for source, _ in event.terms if source.tokens}
    if not of_masks or view.doubt or not view.accumulates:
        return
    states = states_of(view, larger)
    for key, term in terms(view).items():
        divisions = [each for each in term.factor.divisors if each is not term.event.node]
        by_engine_alone = bool(term.factor.divisors) and not divisions
        if key in of_masks and states[key] is State.DIVIDED and not by_engine_alone:
            alone = len(term.event.terms) == len(divisions) == 1 and not term.factor.weights
            call = next(source.node for source, _ in term.event.terms if id(source.node) == key)
            why, at = ALONE if alone else "", divisions[-1] if divisions else None
            yield Fault("GRD105", term.event, view.steps[-1], why=why, at=at, about=call)
