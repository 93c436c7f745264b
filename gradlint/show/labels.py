"""The names of the rows: in the field's words, with the loss that is backpropagated or the optimizer that steps."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from gradlint.model.syntax.expressions import dotted
from gradlint.show.loops import Loop
from gradlint.simulate.divided import State
from gradlint.simulate.trace import Event, Trace, What

LABELS = {
    What.BACKWARD: "backward",
    What.UNSCALE: "unscale",
    What.RESCALE: "scale gradients",
    What.CLIP: "clip",
    What.STEP: "step",
    What.SCALER_UPDATE: "scaler update",
    What.ZERO: "zero_grad",
    What.SCHEDULE: "schedule",
    What.AVERAGE: "EMA",
    What.REPORT: "report loss",
    What.CALL: "call",
}
"""The kinds of event that have a row."""
_DIVIDED = {
    State.DIVIDED: "/N",
    State.TWICE: "/N/N",
    State.OTHERWISE: "/other",
    State.UNKNOWN: "/?",
}


def label_of(group: Sequence[Event], loop: Loop) -> str:
    """Return the label of a row, given its events, which are all at one place."""
    event = group[0]
    if event.what is What.BACKWARD:
        scaled = "scaled " if all(each.scaled for each in group) else ""
        return f"backward {scaled}loss{_divided(loop.states.get(id(event.node), set()))}"
    through = "scaler " if event.what is What.STEP and event.through == "scaler" else ""
    return f"{through}{LABELS[event.what]}"


def _divided(states: set[State]) -> str:
    """Return what the terms of a loss are divided by, or "" if there is no window that it could be divided by."""
    if states >= {State.DIVIDED, State.UNDIVIDED} or states >= {State.DIVIDED, State.WEIGHTED}:
        return "/N in part"
    return next((words for state, words in _DIVIDED.items() if state in states), "")


def _loss(node: cst.CSTNode) -> str:
    """Return the loss as the code names it in the call, or "" if it has no name there."""
    if not isinstance(node, cst.Call):
        return ""
    inner: cst.CSTNode = node.func.value if isinstance(node.func, cst.Attribute) else node.func
    if isinstance(inner, cst.Name) and node.args:
        inner = node.args[0].value  # accelerator.backward(loss)
    while isinstance(inner, (cst.BinaryOperation, cst.Call)):
        inner = inner.left if isinstance(inner, cst.BinaryOperation) else inner.args[0].value if inner.args else inner.func
    name = dotted(inner)
    return short(name) if name is not None else ""


def owner_of(event: Event, trace: Trace) -> str:
    """Return the name of the optimizer or loss that an event belongs to, or "" if it concerns all of them."""
    if event.what in (What.SCHEDULE, What.AVERAGE):
        return short(event.text)
    if event.what is What.BACKWARD:
        return _loss(event.node)
    if event.what in (What.SCALER_UPDATE, What.REPORT, What.CALL) or event.target < 0:
        return ""
    node = event.node
    if event.what in (What.STEP, What.ZERO) and isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
        name = dotted(node.args[0].value if event.through == "scaler" and node.args else node.func.value)
        if name is not None:
            return short(name)
    return short(next((each.identity for each in trace.optimizers if each.number == event.target), ""))


def short(name: str) -> str:
    """Return a dotted name without `self.`, which everything in a method has in common."""
    return name.removeprefix("self.")
