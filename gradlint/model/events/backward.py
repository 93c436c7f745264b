"""Backward passes: who runs them, of which loss, and whether a GradScaler has scaled it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import libcst as cst

from gradlint.model.names.lookup import MAX_HOPS
from gradlint.model.names.records import CallSite, RawEvent, Site, site_of
from gradlint.model.names.resolve import Resolver
from gradlint.model.names.vocabulary import LOSS_SPELLING, Role
from gradlint.model.syntax.expressions import argument, calls_in, dotted, keywords, last_name, literal, text, uncast
from gradlint.model.types import Kind


class Backwards:
    """Reads the calls of `backward` in one trace."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver

    def of(self, call: CallSite, method: tuple[cst.BaseExpression, str] | None) -> Iterator[RawEvent]:
        node, site = call.call, site_of(call)
        if (id(node), call.frame.number) in self.resolver.trace.activations:
            return
        first = argument(node, 0, "loss", "tensor", "tensors", "gradient")
        if method is None:
            if first is not None:
                yield RawEvent.of(Kind.BACKWARD, call, through="function", loss=first)
            return
        receiver = uncast(method[0])
        if isinstance(receiver, cst.Call) and last_name(receiver.func) == "super":
            return
        if isinstance(receiver, cst.Call) and last_name(receiver.func) == "scale" and receiver.args:
            scaler = receiver.func.value if isinstance(receiver.func, cst.Attribute) else None
            yield RawEvent.of(
                Kind.BACKWARD,
                call,
                through="scaler",
                loss=receiver.args[0].value,
                scaled=self.enabled(scaler, site),
                receiver=scaler,
                gradient=first,
            )
            return
        if self.resolver.trace.facts.qualify(node.func) == "torch.autograd.backward":
            yield RawEvent.of(Kind.BACKWARD, call, loss=first)
            return
        through = self.owner(receiver, method[1], first, site)
        if through is None:
            scaled = self.scaled_earlier(receiver, site)
            yield RawEvent.of(Kind.BACKWARD, call, loss=receiver, gradient=first, scaled=scaled, receiver=receiver)
        else:
            yield RawEvent.of(Kind.BACKWARD, call, through=through, loss=first, receiver=receiver)

    def owner(self, receiver: cst.BaseExpression, name: str, first: cst.BaseExpression | None, site: Site) -> str | None:
        """Who runs the backward pass, where it is not the loss itself."""
        if name == "manual_backward":
            return "lightning"
        role = self.resolver.role(receiver, site)
        named = {Role.ACCELERATOR: "accelerator", Role.FABRIC: "fabric", Role.DEEPSPEED: "deepspeed"}
        if role in named:
            return named[role]
        spelled = last_name(receiver) or ""
        if spelled in ("accelerator", "fabric"):
            return spelled
        if first is None:
            return None
        if role is Role.OPTIMIZER:
            return "optimizer"
        if re.search(r"engine|deepspeed|ds_model", spelled, re.I):
            return "deepspeed"
        if spelled.lower() in ("self", "model", "net", "module"):
            return "wrapper"
        return "wrapper" if is_loss(first) and not is_loss(receiver) else None

    def enabled(self, scaler: cst.BaseExpression | None, site: Site) -> bool | None:
        """False for `GradScaler(enabled=False)`, which leaves everything as it is; None where it is no GradScaler."""
        if scaler is None or self.resolver.role(scaler, site) is not Role.SCALER:
            return None
        for call, _ in self.resolver.constructors(scaler, site):
            flag = keywords(call).get("enabled")
            if flag is not None and literal(flag) is False:
                return False
        return True

    def scaled_earlier(self, node: cst.BaseExpression, site: Site) -> bool | None:
        """`scaled = scaler.scale(loss); scaled.backward()`; None where that is so on some paths only, or may be."""
        answers = set(map(_scales, self.given(node, site)))
        return answers.pop() if len(answers) == 1 else None

    def carries_factor(self, node: cst.BaseExpression, site: Site) -> bool:
        """The value is, on some path, what `scaler.scale(loss)` or `with amp.scale_loss(loss, optimizer)` makes of a loss."""
        values = map(uncast, self.given(node, site))
        return any(isinstance(each, cst.Call) and last_name(each.func) in ("scale", "scale_loss") for each in values)

    def given(self, node: cst.BaseExpression, site: Site, hops: int = 0) -> Iterator[cst.BaseExpression]:
        """What a name was given, before it was divided or added to, and the elements of what a loop walks; else the value itself."""
        name = dotted(node)
        found = self.resolver.reaching(name, site)[0] if name and hops < MAX_HOPS else ()
        for definition in found:
            value = node if definition.how == "augment" else definition.value
            if value is not None:
                yield from self.given(value, site_of(definition), hops + 1)
        if not found:
            yield node


def _scales(node: cst.BaseExpression) -> bool | None:
    """Whether a value is what a scaler's `scale` returns; None where that is only a part of it, or a call may do the same."""
    node = uncast(node)
    if isinstance(node, cst.Call) and last_name(node.func) == "scale":
        return True
    return None if any("scale" in (last_name(call.func) or "") for call in calls_in(node)) else False


def is_loss(node: cst.BaseExpression) -> bool:
    """Whether an expression is spelled like a loss."""
    return LOSS_SPELLING.search(text(node)) is not None
