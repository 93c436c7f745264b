"""What the gradients of each optimizer hold: the one state by which a training loop is right or wrong."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gradlint.simulate.things import Held, Optimizer
from gradlint.simulate.values import Factor, Tensor, Terms

_MOST = 512
"""Terms that gradients hold at the most: a loop that never clears them need not remember all."""


class Gradients:
    """The gradients of all optimizers of a run. One that is not built in sight holds what was left before it was met."""

    def __init__(self) -> None:
        self.optimizers: list[Optimizer] = []
        self.strays: list[Held] = []
        self.toggled: Optimizer | None = None
        """The one whose weights alone have gradients now."""

    def add(self, optimizer: Optimizer) -> Optimizer:
        """Take an optimizer into account from now on; one that is built anew, at its place, for the same weights goes on as itself."""
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
        """The optimizers whose weights a loss that these computed depends on.

        Only a loss that is known to belong to others leaves an optimizer out: what computes a loss may hold a model unseen.
        """
        if self.toggled is not None:
            return [self.toggled]
        known = [each for each in self.optimizers if each.models and not each.models.isdisjoint(models)]
        if not known:
            return list(self.optimizers)
        return [each for each in self.optimizers if not each.models or each in known]

    def accumulate(self, loss: Tensor, factor: Factor, event: int) -> tuple[Terms, frozenset[int]]:
        """Add a loss's terms to the gradients, each multiplied by a factor; the terms, and the optimizers that they reach.

        A loss that was computed without a graph of the weights reaches none: its backward pass is for the inputs' gradients.
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
        """The optimizers of some models; all of them where nothing is known of the models, or of whose weights they step."""
        if not models:
            return list(self.optimizers)
        found = [each for each in self.optimizers if each.models & models]
        unknown = [each for each in self.optimizers if not each.models]
        return [each for each in self.optimizers if each in found or each in unknown]

    def sharing(self, chosen: list[Optimizer]) -> list[Optimizer]:
        """Some optimizers, and those that step the very same weights."""
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
    """Whether two optimizers step the same weights, as both were built in sight."""
    return bool(one.weights) and _identity(one.weights) == _identity(other.weights)


def _identity(weights: tuple[Any, ...]) -> tuple[int, ...]:
    """What tells whose parameters some are."""
    return tuple(map(id, weights))


def terms_of(optimizer: Optimizer) -> Terms:
    """What the gradients of an optimizer hold."""
    return tuple((each.source, each.factor) for each in optimizer.held)


def held_by(optimizer: Optimizer) -> tuple[int, ...]:
    """The places, among the events, of the backward passes whose gradients an optimizer holds."""
    return tuple(dict.fromkeys(each.event for each in optimizer.held))
