"""The gradients of each optimizer: the state that decides whether a training loop is right."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gradlint.simulate.things import Held, Optimizer
from gradlint.simulate.values import Factor, Tensor, Terms

_MOST = 512
"""How many terms the gradients hold at most. A loop that never clears them need not remember all of them."""


class Gradients:
    """The gradients of all optimizers of a run. An optimizer built in unseen code starts with all gradients so far."""

    def __init__(self) -> None:
        self.optimizers: list[Optimizer] = []
        self.strays: list[Held] = []
        self.toggled: Optimizer | None = None
        """If set, only this optimizer's weights receive gradients."""

    def add(self, optimizer: Optimizer) -> Optimizer:
        """Register an optimizer. If it is rebuilt at the same place for the same weights, it continues as the old one."""
        former = next((each for each in self.optimizers if optimizer.node is not None and each.node is optimizer.node), None)
        if former is not None and _same(former, optimizer):
            optimizer.number, optimizer.held = former.number, former.held
            self.optimizers[former.number] = optimizer
            return optimizer
        optimizer.number = len(self.optimizers)
        self.optimizers.append(optimizer)
        if optimizer.node is None:
            optimizer.held = [Held(each.source, each.factor, each.scaled, each.event) for each in self.strays]
        return optimizer

    def fed_by(self, models: frozenset[str]) -> list[Optimizer]:
        """The optimizers that receive gradients from a loss that these models computed.

        An optimizer is only left out if the loss is known to belong to others, since unseen code may use any model.
        """
        if self.toggled is not None:
            return [self.toggled]
        known = [each for each in self.optimizers if each.models and not each.models.isdisjoint(models)]
        if not known:
            return list(self.optimizers)
        return [each for each in self.optimizers if not each.models or each in known]

    def accumulate(self, loss: Tensor, factor: Factor, event: int) -> tuple[Terms, frozenset[int]]:
        """Add a loss's terms to the gradients, times a factor. Returns the terms, and the optimizers that they reach.

        A detached loss reaches none: its backward pass is for the gradients of the inputs.
        """
        terms = tuple((source, each.times(factor)) for source, each in loss.terms or ())
        if loss.detached:
            return terms, frozenset()
        scaled = loss.scaler is not None
        fed: set[int] = set()
        for source, each in terms:
            for optimizer in self.fed_by(source.models | loss.models):
                if len(optimizer.held) < _MOST:
                    optimizer.held.append(Held(source, each, scaled, event))
                optimizer.unscaled = False
                fed.add(optimizer.number)
            if len(self.strays) < _MOST:
                self.strays.append(Held(source, each, scaled, event))
        return terms, frozenset(fed)

    def of(self, models: frozenset[str]) -> list[Optimizer]:
        """The optimizers of some models. Those with unknown weights are included; without models, all optimizers are."""
        if not models:
            return list(self.optimizers)
        found = [each for each in self.optimizers if each.models & models]
        unknown = [each for each in self.optimizers if not each.models]
        return [each for each in self.optimizers if each in found or each in unknown]

    def sharing(self, chosen: list[Optimizer]) -> list[Optimizer]:
        """Some optimizers, and those that step exactly the same weights."""
        known = {_identity(each.weights) for each in chosen if each.weights}
        alike = [each for each in self.optimizers if tuple(map(id, each.weights)) in known] if known else []
        return chosen + [each for each in alike if each not in chosen]

    def clear(self, optimizers: Iterable[Optimizer]) -> None:
        """Zero the gradients of some optimizers."""
        cleared = list(optimizers)
        for each in cleared:
            each.held.clear()
            each.unscaled = False
        if len(cleared) == len(self.optimizers):
            self.strays.clear()

    def rescale(self, optimizers: Iterable[Optimizer], factor: Factor) -> None:
        """Multiply the gradients of some optimizers."""
        for each in optimizers:
            for held in each.held:
                held.factor = held.factor.times(factor)
        for stray in self.strays:
            stray.factor = stray.factor.times(factor)


def _same(one: Optimizer, other: Optimizer) -> bool:
    """Whether two optimizers step the same weights. Both must have been built in visible code."""
    return bool(one.weights) and _identity(one.weights) == _identity(other.weights)


def _identity(weights: tuple[Any, ...]) -> tuple[int, ...]:
    """Identify a tuple of weights."""
    return tuple(map(id, weights))


def terms_of(optimizer: Optimizer) -> Terms:
    """The terms in the gradients of an optimizer."""
    return tuple((each.source, each.factor) for each in optimizer.held)


def held_by(optimizer: Optimizer) -> tuple[int, ...]:
    """The positions, among the events, of the backward passes whose gradients an optimizer holds."""
    return tuple(dict.fromkeys(each.event for each in optimizer.held))
