"""Lightning's automatic optimization: the loss that `training_step` returns is divided and backpropagated by the Trainer.

Source: lightning.pytorch.loops.optimization.automatic (2.6): `ClosureResult.from_training_step_output` divides by
`trainer.accumulate_grad_batches`.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from gradlint.model.assemble import LoopBuilder
from gradlint.model.data.window import Steps
from gradlint.model.names.facts import Facts, Function
from gradlint.model.names.records import RawEvent, Site, Trace
from gradlint.model.names.resolve import Resolver
from gradlint.model.names.vocabulary import CLIPS
from gradlint.model.syntax.expressions import keywords, last_name, literal
from gradlint.model.types import Kind, TrainingLoop

THROUGH = "lightning, automatically"


def optimized_by_lightning(function: Function, facts: Facts) -> bool:
    """A `training_step` of a LightningModule that leaves the optimization to the Trainer."""
    if function.node.name.value != "training_step" or function.owner is None or function.parent is not None:
        return False
    if not any(base.endswith("LightningModule") for base in facts.bases.get(function.owner, ())):
        return False
    manual = facts.attribute(function.owner, "automatic_optimization")
    return not any(literal(given.value) is False for given in manual)


def clips_of_steps(facts: Facts) -> Iterator[cst.Call]:
    """The clips in a `training_step` whose loss the Trainer backpropagates when it has returned.

    The Trainer calls it first, then clears the gradients, then runs the backward pass: `Closure.closure` (2.6).
    """
    told = any(each.value == "automatic_optimization" for each in facts.tree.all(cst.Name))
    for function in facts.functions:
        if told or not optimized_by_lightning(function, facts) or len(facts.bases.get(function.owner or "", ())) != 1:
            continue
        inner = {id(call) for each in facts.functions if each.parent is function for call in facts.tree.calls(each.node)}
        if function.calls.isdisjoint(_COMPUTES):
            yield from (c for c in facts.tree.calls(function.node) if id(c) not in inner and _clips(c, facts))


_COMPUTES = frozenset(("backward", "manual_backward", "grad", "vjp", "step"))
"""Calls in a `training_step` that compute gradients there, or use them."""


def _clips(call: cst.Call, facts: Facts) -> bool:
    name = facts.qualify(call.func)
    return last_name(call.func) in CLIPS and (name.startswith("torch.nn.utils.") or name == "self.clip_gradients")


def trainer_steps(trace: Trace, facts: Facts) -> Steps | None:
    """What the file's `Trainer(accumulate_grad_batches=...)` is built with."""
    resolver = Resolver(trace)
    for statement in facts.statements:
        for call in facts.tree.calls(statement):
            given = keywords(call).get("accumulate_grad_batches")
            if given is None or not (last_name(call.func) or "").endswith("Trainer"):
                continue
            site = Site(trace.module, trace.clock, ())
            return resolver.steps(given, site)
    return None


def returned_losses(trace: Trace, facts: Facts) -> Iterator[TrainingLoop]:
    """The micro-batch body that a `training_step` is, with one backward event for each loss it returns."""
    steps = trainer_steps(trace, facts)
    if steps is None or steps.value == 1:
        return
    backwards = []
    for definition in trace.returns.get(trace.root.number, ()):
        value = definition.value
        if isinstance(value, cst.Dict):
            value = next((e.value for e in value.elements if isinstance(e, cst.DictElement) and literal(e.key) == "loss"), None)
        if value is not None and literal(value) is not None:
            backwards.append(
                RawEvent(
                    Kind.BACKWARD, value, definition.frame, definition.path, definition.index, None, None, THROUGH, loss=value
                )
            )
    if backwards:
        builder = LoopBuilder(trace, Resolver(trace), backwards, None, None, tuple(backwards))
        builder.given_steps = steps
        yield builder.build()
