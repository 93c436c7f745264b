"""Gradients that are changed by hand: through a name or a list of them, by a copy, by hooks, or from sums kept elsewhere."""

from __future__ import annotations

import re

import libcst as cst

from gradlint.model.names.in_place import operator_of
from gradlint.model.names.records import Site, Trace, site_of
from gradlint.model.names.resolve import Resolver
from gradlint.model.syntax.expressions import dotted, last_name, literal, method_call, walk

_HOOKS = re.compile(r"\.\s*register_(hook|post_accumulate_grad_hook|step_pre_hook|comm_hook)\s*\(")
_SCALES = (cst.DivideAssign, cst.MultiplyAssign)
_MAX_HOPS = 6


def rescaled_by_hand(resolver: Resolver) -> bool:
    """Something may divide the gradients, other than through `p.grad` itself."""
    trace = resolver.trace
    if _HOOKS.search(trace.facts.page.text) or "register_comm_hook" in trace.facts.called:
        return True
    if any(_copies_quotient(call.call) for call in trace.calls):
        return True
    return any(
        definition.how == "augment"
        and operator_of(definition) in _SCALES
        and is_gradient(_owner(definition.key), site_of(definition), resolver)
        for definitions in trace.definitions.values()
        for definition in definitions
    )


def gathered_elsewhere(trace: Trace) -> bool:
    """Gradients are written from what something else has kept of them: the window is not gathered in `.grad`."""
    return any(
        definition.how == "assign"
        and definition.value is not None
        and literal(definition.value) is not None
        and not _mentions_grad(definition.value)
        for key, definitions in trace.definitions.items()
        if key.endswith((".grad", ".grad.data"))
        for definition in definitions
    )


def zeroed_by_name(resolver: Resolver) -> bool:
    """`g.zero_()` of a `g` that is a gradient, or one of a list of them."""
    for call in resolver.trace.calls:
        method = method_call(call.call)
        if method is not None and method[1] in ("zero_", "fill_", "copy_"):
            if is_gradient(dotted(method[0]), site_of(call), resolver):
                return True
    return False


def is_gradient(name: str | None, site: Site, resolver: Resolver, hops: int = 0) -> bool:
    """Whether a name was given a gradient, or stands for one of several."""
    name = (name or "").removesuffix(".data")
    if not name or hops > _MAX_HOPS:
        return False
    for definition in resolver.reaching(name, site)[0]:
        value = definition.value
        if value is None or definition.how == "augment":
            continue
        if _mentions_grad(value):
            return True
        names = (dotted(each) for each in walk(value) if isinstance(each, cst.Name))
        plain = isinstance(value, (cst.Name, cst.Call, cst.Subscript)) and definition.how in ("loop", "assign", "param")
        if plain and any(is_gradient(each, site_of(definition), resolver, hops + 1) for each in names if each != name):
            return True
    return False


def _mentions_grad(node: cst.CSTNode) -> bool:
    return any(isinstance(each, cst.Attribute) and each.attr.value == "grad" for each in walk(node))


def _copies_quotient(call: cst.Call) -> bool:
    """`p.grad.copy_(p.grad / n)`."""
    method = method_call(call)
    if method is None or method[1] not in ("copy_", "set_") or last_name(method[0]) not in ("grad", "data"):
        return False
    quotient = (cst.Divide, cst.Multiply)
    return _mentions_grad(method[0]) and any(
        isinstance(each, cst.Call) or (isinstance(each, cst.BinaryOperation) and isinstance(each.operator, quotient))
        for arg in call.args
        for each in walk(arg.value)
    )


def _owner(key: str) -> str:
    return key.split(":")[-1]
