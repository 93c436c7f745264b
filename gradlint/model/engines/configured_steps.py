"""Reads N as an engine (Accelerate, DeepSpeed) is configured with it, where the file shows that."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from gradlint.model.data.window import Steps
from gradlint.model.names.facts import Facts
from gradlint.model.names.records import CallSite, Frame, site_of
from gradlint.model.names.resolve import Resolver
from gradlint.model.syntax.expressions import argument, keywords, last_name, literal, text


def accelerator_steps(resolver: Resolver) -> Steps | None:
    """What `Accelerator(gradient_accumulation_steps=...)` was built with, where the file shows it."""
    trace = resolver.trace
    for site in trace.calls:
        if last_name(site.call.func) == "Accelerator":
            return _given(site, resolver)
    for values in trace.facts.attributes.values():
        for given in values:
            if isinstance(given.value, cst.Call) and last_name(given.value.func) == "Accelerator":
                frame = Frame(-999, given.method, None, trace.module, given.method.owner)
                return _given(CallSite(given.value, frame, (), -1, None, None), resolver)
    return None


def deepspeed_steps(facts: Facts) -> Steps | None:
    """What a configuration in the file gives as `gradient_accumulation_steps`; None where the file shows none."""
    node = next((value for statement in facts.statements for value in _entries(facts, statement)), None)
    if node is None:
        return None
    value = literal(node)
    return Steps(text(node), frozenset({text(node)}), value if isinstance(value, int) else None)


def _entries(facts: Facts, statement: cst.CSTNode) -> Iterator[cst.BaseExpression]:
    """What dictionaries of a statement, written out or made by `dict(...)`, have under the name of that setting."""
    name = "gradient_accumulation_steps"
    yield from (node.value for node in facts.tree.of(cst.DictElement, statement) if literal(node.key) == name)
    made = (call for call in facts.tree.calls(statement) if isinstance(call.func, cst.Name) and call.func.value == "dict")
    yield from (value for call in made if (value := argument(call, None, name)) is not None)


def _given(site: CallSite, resolver: Resolver) -> Steps:
    call = site.call
    if any(arg.star == "**" for arg in call.args) or "gradient_accumulation_plugin" in keywords(call):
        return Steps(None)
    node = argument(call, None, "gradient_accumulation_steps")
    if node is None:
        return Steps("1", frozenset({"1"}), 1)
    return resolver.steps(node, site_of(site))
