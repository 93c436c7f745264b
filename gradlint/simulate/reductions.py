"""Which backward passes average the gradients over processes, and what decides that.

DistributedDataParallel reads its switch in the forward pass, modules of `fully_shard` in the backward pass.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import libcst as cst

from gradlint.model.syntax.expressions import last_name, text
from gradlint.simulate.things import Network
from gradlint.simulate.trace import Guard
from gradlint.simulate.values import Terms

WRAPPER = "DistributedDataParallel"
SHARDS = "fully_shard"
"""The wrapper of a model with `set_requires_gradient_sync`: nothing else has that method."""

_SWITCHES = frozenset(("no_sync", "no_backward_sync", "set_requires_gradient_sync"))

_AVERAGES = re.compile(
    r"(?<!convert_)(reduce(?!lr)|(?<!moving)(?<!moving_)averag(?!ed_?model)|avg_|broadcast|gossip|local_?sgd|diloco|"
    r"sync\w*_(grad|param|weight|model))",
    re.I,
)
_WEIGHTS = re.compile(r"param|weight|grad|model|net\b|\.data\b", re.I)


def spells_averaging(name: str) -> bool:
    """Whether something averages over processes internally, judged by its name."""
    return _AVERAGES.search(name) is not None


def switches(name: str) -> bool:
    """Whether a method may turn off the average over processes, judged by its name."""
    return name in _SWITCHES


def averages_weights(call: cst.Call) -> bool:
    """Whether a call averages weights or gradients over processes, judged by its name and its arguments."""
    return spells_averaging(last_name(call.func) or "") and any(_WEIGHTS.search(text(arg.value)) for arg in call.args)


@dataclass(frozen=True, eq=False)
class Reduction:
    """Whether a backward pass averages gradients, what wraps the model for that, and what last turned the averaging off.

    If it averages although that was turned off, the switch came after the forward pass. `forward` is the call of the wrapped
    model. `wrapped` is the call that wraps it, if that depends on a condition that is not around the backward pass.
    """

    done: bool
    by: str = ""
    held_back: cst.CSTNode | None = None
    forward: cst.CSTNode | None = None
    wrapped: cst.CSTNode | None = None


class Reductions:
    """The models of a run whose gradients are averaged over processes."""

    def __init__(self) -> None:
        self._passes: dict[cst.CSTNode, Network] = {}
        self._past: dict[cst.CSTNode, Network] = {}
        self._presumed: dict[frozenset[str], Network] = {}
        self._told: dict[frozenset[str], tuple[bool, cst.CSTNode | None]] = {}

    def passed(self, network: Network, node: cst.CSTNode) -> None:
        """Record the forward pass of a model wrapped by DistributedDataParallel, or one that goes past the wrapper."""
        if network.reduces:
            self._passes[node] = network
        elif network.within is not None:
            self._past[node] = network.within

    def presumed(self, models: frozenset[str]) -> Network | None:
        """The wrapper that unknown code is presumed to have put around models."""
        return self._presumed.get(models)

    def presume(self, models: frozenset[str], wrapper: cst.CSTNode | None = None) -> Network:
        """The wrapper of models whose `no_sync` is used, or that a caller has wrapped by a call of the text."""
        way = ((wrapper, 0, False),) if wrapper is not None else ()
        made = Network(node=wrapper, models=models, parallel=WRAPPER, reduces=True, path=way)
        return self._presumed.setdefault(models, made)

    def tell(self, models: frozenset[str], syncs: bool, node: cst.CSTNode) -> None:
        """Set whether the backward passes of sharded models average."""
        known = self._told.get(models)
        self._told[models] = syncs, known[1] if syncs and known is not None else None if syncs else node

    def of(self, terms: Terms, reduced: bool, path: Sequence[Guard]) -> Reduction:
        """What a backward pass does under some branches, given DistributedDataParallel's state when the loss was computed."""
        if not (self._passes or self._past or self._told):
            return Reduction(reduced)
        models = frozenset().union(*(source.models for source, _ in terms))
        for told, (syncs, node) in self._told.items():
            if not told.isdisjoint(models):
                return Reduction(syncs, SHARDS, None if syncs else node)
        nodes = [node for source, _ in terms for node in (source.node, *source.made_of)]
        forward = next((node for node in nodes if node in self._passes), None)
        if forward is None:
            past = next((node for node in nodes if node in self._past), None)
            return Reduction(reduced) if past is None else _past_the_wrapper(self._past[past], past, path)
        wrapper = self._passes[forward]
        untold = reduced and wrapper.syncs
        held_back = None if untold else wrapper.held_back
        return Reduction(reduced, wrapper.parallel, held_back, forward, None if wrapper.is_certain(path) else wrapper.node)


def _past_the_wrapper(wrapper: Network, forward: cst.CSTNode, path: Sequence[Guard]) -> Reduction:
    """What a backward pass does if only the model inside of the wrapper ran: the wrapper does not wait for its gradients."""
    return Reduction(False, wrapper.parallel, forward, forward, None if wrapper.is_certain(path) else wrapper.node)


def switch(network: Network, syncs: bool, node: cst.CSTNode | None) -> None:
    """Set whether the next forward passes of a wrapped model lead to averaged gradients."""
    network.syncs = syncs
    if not syncs:
        network.held_back = node
