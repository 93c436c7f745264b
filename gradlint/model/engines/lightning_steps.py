"""The `training_step` of a LightningModule: who optimizes, and which clips come before there are any gradients."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from gradlint.model.names.facts import Facts, Function
from gradlint.model.names.vocabulary import CLIPS
from gradlint.model.syntax.expressions import last_name, literal


def optimized_by_lightning(function: Function, facts: Facts) -> bool:
    """Whether a function is a `training_step` of a LightningModule that leaves optimization to the Trainer."""
    if function.node.name.value != "training_step" or function.owner is None or function.parent is not None:
        return False
    if not any(base.endswith("LightningModule") for base in facts.bases.get(function.owner, ())):
        return False
    manual = facts.attribute(function.owner, "automatic_optimization")
    return not any(literal(given.value) is False for given in manual)


def clips_of_steps(facts: Facts) -> Iterator[cst.Call]:
    """Yield the clips in a `training_step` whose loss the Trainer backpropagates after it returns.

    The Trainer calls the step, then clears the gradients, then runs the backward pass: `Closure.closure` (2.6).
    """
    told = any(each.value == "automatic_optimization" for each in facts.tree.all(cst.Name))
    for function in facts.functions:
        if told or not optimized_by_lightning(function, facts) or len(facts.bases.get(function.owner or "", ())) != 1:
            continue
        inner = {id(call) for each in facts.functions if each.parent is function for call in facts.tree.calls(each.node)}
        if function.calls.isdisjoint(_COMPUTES):
            yield from (c for c in facts.tree.calls(function.node) if id(c) not in inner and _clips(c, facts))


_COMPUTES = frozenset(("backward", "manual_backward", "grad", "vjp", "step"))
"""Calls in a `training_step` that compute or use gradients there."""


def _clips(call: cst.Call, facts: Facts) -> bool:
    name = facts.qualify(call.func)
    return last_name(call.func) in CLIPS and (name.startswith("torch.nn.utils.") or name == "self.clip_gradients")
