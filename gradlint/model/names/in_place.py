"""Methods that change a tensor in place: on a line of their own they are augmented assignments."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from gradlint.model.names.records import Definition, Frame, Site, Trace, site_of
from gradlint.model.syntax.expressions import dotted, last_name

_METHODS: dict[str, type[cst.BaseAugOp]] = {
    "mul_": cst.MultiplyAssign,
    "multiply_": cst.MultiplyAssign,
    "div_": cst.DivideAssign,
    "divide_": cst.DivideAssign,
    "true_divide_": cst.DivideAssign,
    "add_": cst.AddAssign,
    "sub_": cst.SubtractAssign,
    "subtract_": cst.SubtractAssign,
}

_GRADIENTS = (".grad", ".grad.data")
"""What is done to these are events of their own."""


def operator_of(definition: Definition) -> type[cst.BaseAugOp] | None:
    """The operator of an augmented assignment, however it is written."""
    node = definition.node
    return type(node.operator) if isinstance(node, cst.AugAssign) else _METHODS.get(last_name(node) or "")


def target_of(definition: Definition) -> cst.BaseExpression | None:
    """What an augmented assignment changes."""
    target = definition.node.target if isinstance(definition.node, cst.AugAssign) else definition.receiver
    return target if isinstance(target, cst.BaseExpression) else None


def changed_by(call: cst.Call, trace: Trace, frame: Frame) -> tuple[cst.BaseExpression, ...]:
    """What `x.mul_(y)` changes: `x`, and the list of which `x` is one element after the other."""
    if type(call.func) is not cst.Attribute or call.func.attr.value not in _METHODS or not call.args:
        return ()
    name = dotted(call.func.value)
    if name is None:
        return (call.func.value,) if isinstance(call.func.value, cst.Subscript) else ()
    if name.endswith(_GRADIENTS):
        return ()
    last = trace.definitions.get(trace.key(name, frame), [])[-1:]
    whole = last[0].value if last and last[0].how == "loop" and last[0].frame is frame else None
    while isinstance(whole, cst.Call):
        elements = isinstance(whole.func, cst.Attribute) and whole.func.attr.value in ("values", "items") and not whole.args
        if not elements and len(whole.args) != 1:
            break
        whole = whole.func.value if elements and isinstance(whole.func, cst.Attribute) else whole.args[0].value
    return (call.func.value, whole) if whole is not None and dotted(whole) else (call.func.value,)


def appended(definition: Definition, trace: Trace) -> Iterator[tuple[cst.BaseExpression, Site]]:
    """What is put into a list that begins empty."""
    for call in trace.calls:
        func = call.call.func
        if isinstance(func, cst.Attribute) and func.attr.value == "append" and call.call.args and call.index > definition.index:
            if trace.key(dotted(func.value) or "", call.frame) == definition.key:
                yield call.call.args[0].value, site_of(call)
