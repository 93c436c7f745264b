"""Models that a micro-batch makes for itself: none of the gradients of its window are in them."""

from __future__ import annotations

import libcst as cst

from gradlint.model.paths import Guard
from gradlint.model.records import RawEvent
from gradlint.model.resolve import Resolver
from gradlint.model.syntax import dotted, last_name
from gradlint.model.types import Kind
from gradlint.model.vocabulary import Role

_COPIES = frozenset(("copy", "deepcopy", "clone"))


def of_the_copy(zero: RawEvent, loop: Guard | None, resolver: Resolver) -> str | None:
    """The identity of the model that a `zero_grad` is for, where each iteration constructs or copies it anew."""
    if zero.kind is not Kind.ZERO_GRAD or zero.receiver is None or loop is None:
        return None
    found = resolver.reaching(dotted(zero.receiver) or "", zero.site)[0]
    anew = (
        each.how == "assign"
        and isinstance(each.value, cst.Call)
        and any(guard is loop for guard in each.path)
        and _makes(each.value, resolver)
        for each in found
    )
    return resolver.identity(zero.receiver, zero.site) if found and all(anew) else None


def _makes(call: cst.Call, resolver: Resolver) -> bool:
    """A class, or a function that copies; a wrapper for several processes shares the weights that it is given."""
    name = last_name(call.func) or ""
    if resolver.words.role_of_constructor(resolver.trace.facts.qualify(call.func)) is Role.PARALLEL:
        return False
    return name in _COPIES or name[:1].isupper()
