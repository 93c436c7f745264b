"""Whose gradients are set to zero: those of the weights that an optimizer of the loop steps, or surely of others."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from gradlint.model.names.records import RawEvent, Site
from gradlint.model.names.resolve import Resolver
from gradlint.model.names.vocabulary import Role
from gradlint.model.syntax.expressions import argument, dotted, last_name, walk
from gradlint.model.syntax.paths import Guard
from gradlint.model.types import Kind

_COPIES = frozenset(("copy", "deepcopy", "clone"))


def of_others(zero: RawEvent, loop: Guard | None, stepping: Sequence[RawEvent], resolver: Resolver) -> str | None:
    """The identity of what a `zero_grad` is for, where that is no model of an optimizer in the loop.

    Such are models that each iteration constructs or copies anew, and those that are not what the optimizers were built from.
    """
    node = _zeroed(zero)
    name = dotted(node) if node is not None else None
    if node is None or name in (None, "self"):
        return None
    anew = isinstance(node, cst.Name) and _made_anew(node, zero.site, loop, resolver)
    models = [model_of(step, resolver) for step in stepping]
    apart = models and all(each is not None and not _related((node, zero.site), each, resolver) for each in models)
    return resolver.identity(node, zero.site) if anew or apart else None


def _zeroed(zero: RawEvent) -> cst.BaseExpression | None:
    """`model` of `model.zero_grad()`, `x` of `x.grad.zero_()`."""
    if zero.kind is not Kind.ZERO_GRAD or zero.target is not None or not isinstance(zero.node, cst.Call):
        return None
    if zero.receiver is not None:
        return zero.receiver
    node = zero.node.func
    while isinstance(node, cst.Attribute) and node.attr.value in ("zero_", "detach_", "data", "grad"):
        node = node.value
    return node if node is not zero.node.func else None


def _made_anew(node: cst.BaseExpression, site: Site, loop: Guard | None, resolver: Resolver) -> bool:
    return made_within(node, site, loop, resolver) and all(
        each.how == "assign" and isinstance(each.value, cst.Call) and _makes(each.value, resolver)
        for each in resolver.reaching(dotted(node) or "", site)[0]
    )


def made_within(node: cst.BaseExpression, site: Site, loop: Guard | None, resolver: Resolver) -> bool:
    """Each iteration gives the name an object of its own, whoever makes it."""
    found = resolver.reaching(dotted(node) or "", site)[0] if loop is not None else []
    return bool(found) and all(isinstance(d.value, cst.Call) and any(guard is loop for guard in d.path) for d in found)


def _makes(call: cst.Call, resolver: Resolver) -> bool:
    """A class, or a function that copies; a wrapper for several processes shares the weights that it is given."""
    name = last_name(call.func) or ""
    if resolver.words.role_of_constructor(resolver.trace.facts.qualify(call.func)) is Role.PARALLEL:
        return False
    return name in _COPIES or name[:1].isupper()


def model_of(step: RawEvent, resolver: Resolver) -> tuple[cst.BaseExpression, Site] | None:
    """`model` of an optimizer that was built from `model.parameters()` and nothing else, where that is in sight."""
    node = step.args[0].value if step.through == "scaler" and step.args else step.receiver
    built = resolver.constructors(node, step.site) if node is not None else ()
    given = argument(built[0][0], 0, "params") if len(built) == 1 else None
    for each, where in resolver.follow(given, built[0][1]) if given is not None else ():
        if isinstance(each, cst.Call) and isinstance(each.func, cst.Attribute) and each.func.attr.value == "parameters":
            return (each.func.value, where) if dotted(each.func.value) else None
    return None


def _related(one: tuple[cst.BaseExpression, Site], other: tuple[cst.BaseExpression, Site], resolver: Resolver) -> bool:
    """The same object, a part of it, or one that was made from it."""
    a, b = (resolver.identity(*each) for each in (one, other))
    if a is None or b is None or f"{a}.".startswith(f"{b}.") or f"{b}.".startswith(f"{a}."):
        return True
    return _mentions(one, other[0], resolver) or _mentions(other, one[0], resolver)


def _mentions(made: tuple[cst.BaseExpression, Site], source: cst.BaseExpression, resolver: Resolver) -> bool:
    """What gave the one its value names the other, or cannot be told."""
    word = last_name(source)
    for each in resolver.reaching(dotted(made[0]) or "", made[1])[0]:
        if each.how in ("loop", "with") or (each.how == "unpack" and not isinstance(each.value, cst.Call)):
            return True
        below = walk(each.value) if each.value is not None else ()
        if any(last_name(node) == word for node in below if isinstance(node, (cst.Name, cst.Attribute))):
            return True
    return False
