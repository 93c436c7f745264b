"""Enters and leaves `with` blocks."""

from __future__ import annotations

import contextlib
import re
from typing import Any

import libcst as cst

from gradlint.model.syntax.expressions import last_name
from gradlint.simulate.callables import Instance, Stream
from gradlint.simulate.contents import is_data
from gradlint.simulate.engines import accelerate
from gradlint.simulate.machine import Machine
from gradlint.simulate.reductions import switch
from gradlint.simulate.stops import Raised
from gradlint.simulate.tensors import SCALED
from gradlint.simulate.things import Context, Network
from gradlint.simulate.values import ONE, Opaque, Tensor


def enter(machine: Machine, manager: Any, node: cst.CSTNode) -> Any:
    """Enter a context and return the value that `as` binds."""
    if isinstance(manager, Context):
        return _entered(machine, manager)
    if isinstance(manager, Stream):
        try:
            return next(manager.items)
        except StopIteration:
            return None
    if isinstance(manager, Instance):
        return _called(machine, manager, "__enter__", [], node, manager)
    if _may_count(machine, node):
        machine.strange.add(node)
    return manager if is_data(manager) else Opaque("a context") if type(manager) is not Opaque else manager


def leave(machine: Machine, manager: Any, node: cst.CSTNode) -> None:
    """Leave a context that was entered."""
    if isinstance(manager, Context):
        _left(machine, manager)
    elif isinstance(manager, Stream):
        with contextlib.suppress(StopIteration, Raised):
            next(manager.items)
    elif isinstance(manager, Instance):
        _called(machine, manager, "__exit__", [None, None, None], node, None)
    machine.strange.discard(node)


_COUNTS = re.compile("accum|sync", re.I)


def _may_count(machine: Machine, node: cst.CSTNode) -> bool:
    """Whether an unseen context may count micro-batches for an engine: its name suggests it, or it was made from the engine."""
    spelled = last_name(node.func if isinstance(node, cst.Call) else node) or ""
    made = machine.events[-1] if machine.events else None
    return bool(_COUNTS.search(spelled)) or (made is not None and made.node is node and "accelerator" in made.handed)


def _called(machine: Machine, manager: Instance, name: str, args: list[Any], node: cst.CSTNode, default: Any) -> Any:
    from gradlint.simulate.calling import call

    found, method = manager.cls.lookup(name)
    return call(machine, method, [manager, *args], {}, node) if found else default


def _entered(machine: Machine, context: Context) -> Any:
    if context.kind == "stack":
        context.kept["<entered>"] = []
    elif context.kind == "no_sync" and isinstance(context.subject, Network):
        context.before = context.subject.syncs
        by_data = any(varies for _, _, varies in machine.path)  # nobody knows when it is entered
        switch(context.subject, not context.flag, None if by_data else context.node)
    elif context.kind == "no_grad":
        context.before = machine.grad
        machine.grad = False
    elif context.kind == "toggle":
        machine.gradients.toggled = context.subject
    elif context.kind == "accumulate":
        context.before = accelerate.accumulate(machine, context.subject, context.node or cst.Pass())
    elif context.kind == "scale_loss":
        return _scaled(context.subject)
    return context


def _scaled(loss: Any) -> Any:
    """The loss that a scaling context returns: backpropagating it has no net effect, but a logged value is scaled."""
    if not isinstance(loss, Tensor):
        return loss
    made = loss.scaled_by(ONE)
    made.kept = {**loss.kept, SCALED: True}
    return made


def push(machine: Machine, stack: Context, manager: Any, node: cst.CSTNode) -> Any:
    """Enter a context that is left together with its stack."""
    stack.kept.setdefault("<entered>", []).append((manager, node))
    return enter(machine, manager, node)


def _left(machine: Machine, context: Context) -> None:
    entered = context.kept.pop("<entered>", [])
    while entered:
        leave(machine, *entered.pop())
    if context.kind == "accumulate":
        accelerate.leave(machine, context.before)
    if context.kind == "no_sync" and isinstance(context.subject, Network):
        context.subject.syncs = context.before
    elif context.kind == "no_grad":
        machine.grad = context.before
    elif context.kind == "toggle":
        machine.gradients.toggled = None
