"""Means over tokens in a loss, told by the mask that leaves some of them out."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from gradlint.model.data.losses import TokenMean
from gradlint.model.names.records import Site, site_of
from gradlint.model.names.resolve import Resolver
from gradlint.model.syntax.expressions import argument, calls_in, dotted, keywords, last_name, walk

_MAX_HOPS = 4
_RESHAPES = frozenset("flatten view reshape transpose permute rearrange swapaxes movedim".split())
_DIVIDES = frozenset({"div", "div_", "divide", "true_divide"})

Value = tuple[cst.BaseExpression, Site]


def token_mean(loss: cst.BaseExpression | None, site: Site, resolver: Resolver) -> TokenMean | None:
    """The mask is told by `ignore_index`, which is given to the call or to what it calls, the tokens by a change of shape.

    A classifier of whole examples may be given an `ignore_index` as well, which then ignores nothing.
    """
    if loss is None:
        return None
    for value, where in _values(loss, site, resolver):
        for call in calls_in(value):
            built = resolver.constructors(call.func, where) if isinstance(call.func, (cst.Name, cst.Attribute)) else ()
            masks = any("ignore_index" in keywords(each) for each in (call, *(c for c, _ in built)))
            if masks and any(_is_reshaped(arg.value, where, resolver) for arg in call.args):
                return TokenMean(call, _is_quotient_of(call, loss, site, resolver))
    return None


def _is_reshaped(node: cst.BaseExpression, site: Site, resolver: Resolver) -> bool:
    """Whether an argument was a sequence for each example: it is flattened, or its classes are put in front."""
    return any(last_name(call.func) in _RESHAPES for value, _ in resolver.follow(node, site) for call in calls_in(value))


def _values(node: cst.BaseExpression, site: Site, resolver: Resolver, hops: int = 0) -> Iterator[Value]:
    """What a loss was computed from, a few assignments back."""
    if hops > _MAX_HOPS:
        return
    yield node, site
    for each in walk(node):
        for value, where in _given(each, site, resolver):
            yield from _values(value, where, resolver, hops + 1)


def _given(node: cst.CSTNode, site: Site, resolver: Resolver) -> Iterator[Value]:
    """What a name was given before; one that was changed in place, what it was until then as well."""
    name = dotted(node) if isinstance(node, cst.Name) else None
    for definition in resolver.reaching(name, site)[0] if name else ():
        if definition.value is not None and definition.how in ("assign", "augment"):
            yield definition.value, site_of(definition)
        if definition.how == "augment" and isinstance(node, cst.Name):
            yield node, site_of(definition)


def _is_quotient_of(call: cst.Call, node: cst.BaseExpression, site: Site, resolver: Resolver, hops: int = 0) -> bool:
    """Whether an expression is a call's value or that divided, by whatever, on the one path there is."""
    if node is call:
        return True
    if hops > 2 * _MAX_HOPS:
        return False
    if isinstance(node, cst.BinaryOperation) and isinstance(node.operator, cst.Divide):
        return _is_quotient_of(call, node.left, site, resolver, hops + 1)
    if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) and last_name(node.func) in _DIVIDES:
        dividend = argument(node, 0, "input") if dotted(node.func.value) == "torch" else node.func.value
        return dividend is not None and _is_quotient_of(call, dividend, site, resolver, hops + 1)
    if not isinstance(node, cst.Name):
        return False
    found = resolver.given(node.value, site)
    if len(found) != 1:
        return False
    if found[0].how == "augment":
        divided = isinstance(found[0].node, cst.AugAssign) and isinstance(found[0].node.operator, cst.DivideAssign)
        return divided and _is_quotient_of(call, node, site_of(found[0]), resolver, hops + 1)
    value = found[0].value if found[0].how == "assign" else None
    return value is not None and _is_quotient_of(call, value, site_of(found[0]), resolver, hops + 1)
