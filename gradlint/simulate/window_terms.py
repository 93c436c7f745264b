"""The terms of a loss in whole windows: what each is multiplied by before it reaches the gradients, and how certain that is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isclose

from gradlint.simulate.trace import Event, What
from gradlint.simulate.values import Factor, Source, graver
from gradlint.simulate.views import View
from gradlint.simulate.windows import micros_of

CLOSE = 1e-6


_SHARED = "the backward passes share a graph"


DIFFERS = "the factor of the loss differs from one micro-batch to the next"


MAY_DIVIDE = frozenset(("function", "wrapper argument"))
"""Unknown code that runs the backward pass."""


@dataclass(frozen=True)
class Term:
    """A term of the loss in whole windows: the factor of its gradient, why that may be wrong, and its backward pass."""

    factor: Factor
    doubt: str
    event: Event


def terms(view: View) -> dict[int, Term]:
    """The terms of the loss in whole windows, by the place where each begins."""
    found: dict[int, Term] = {}
    for window in view.closed:
        step = window.step
        if step is None or len(micros_of(step)) != view.size:
            continue
        changed = _out_of_sight(window.after_last(What.CALL))
        events = [view.trace.events[place] for place in step.held]
        owner = {id(source): event for event in events for source, _ in event.terms}
        parts = _by_place(step)
        micros: defaultdict[int, set[int]] = defaultdict(set)
        for key, micro in parts:
            micros[key].add(micro)
        by_key = {key: owner.get(id(source), step) for (key, _), (source, _) in parts.items()}
        for (key, _), (source, factor) in parts.items():
            if len(micros[key]) == 1 < view.size and not _in_turns(key, micros, by_key, view.size):
                continue  # a term that occurs once in a window is no mean over it
            event = owner.get(id(source), step)
            doubt = graver(factor.doubt, changed or (_SHARED if event.retains and len(step.loops) < len(event.loops) else ""))
            doubt = graver(
                doubt, "a wrapper runs the backward pass, and may divide the loss" if event.through in MAY_DIVIDE else ""
            )
            known = found.get(key)
            differs = known is not None and not isclose(known.factor.value, factor.value, rel_tol=CLOSE)
            if known is None:
                found[key] = Term(factor, doubt, event)
            elif doubt or differs:
                doubt = graver(doubt, DIFFERS if differs else "")
                found[key] = replace(known, doubt=graver(known.doubt, doubt))
    return found


def _in_turns(key: int, micros: Mapping[int, set[int]], events: Mapping[int, Event], size: int) -> bool:
    """Whether a place and others, in other arms or alone with their micro-batches, cover each micro-batch of a window once."""
    arms = {id(node): arm for node, arm, _ in events[key].path}
    in_arms = [other for other, event in events.items() if any(arms.get(id(node), arm) != arm for node, arm, _ in event.path)]
    for others in (in_arms, [other for other in micros if other != key]):
        elsewhere = set[int]().union(*(micros[other] for other in others))
        if micros[key].isdisjoint(elsewhere) and len(micros[key] | elsewhere) == size:
            return True
    return False


def _by_place(step: Event) -> dict[tuple[int, int], tuple[Source, Factor]]:
    """The terms that a step uses, by the place where each begins and its micro-batch. Several from one place are summed."""
    found: dict[tuple[int, int], tuple[Source, Factor]] = {}
    for source, factor in step.terms:
        key = (id(source.node), source.micro)
        if key in found:
            first, known = found[key]
            summed = replace(known, value=known.value + factor.value, doubt=graver(known.doubt, factor.doubt))
            found[key] = (first, summed)
        else:
            found[key] = (source, factor)
    return found


def _out_of_sight(calls: list[Event]) -> str:
    """Why the gradients may have changed, if unknown code got them."""
    may = (call for call in calls if "gradient" in call.handed and not call.only_reads)
    return next((f"`{call.text}` receives the gradients" for call in may), "")
