"""Where walks begin: the module, and the functions that reach a backward pass."""

from __future__ import annotations

from functools import cached_property

from gradlint.model.names.facts import Facts, Function, matters
from gradlint.model.names.program_walk import Walker
from gradlint.model.names.records import Frame, Trace

_BACKWARD = frozenset({"backward", "manual_backward"})


def roots(facts: Facts) -> list[Function | None]:
    """The module, then every function that reaches a backward pass; callers before what they call."""
    wrappers = {"loss_scaler"}
    direct = {f.node.name.value for f in facts.functions if f.calls & _BACKWARD or any(c.endswith("scaler") for c in f.calls)}
    heights = dict.fromkeys(direct | wrappers, 0)
    for _ in range(8):
        for function in facts.functions:
            below = [heights[name] for name in function.calls if name in heights and name != function.node.name.value]
            if below:
                name = function.node.name.value
                heights[name] = max(heights.get(name, 0), min(max(below) + 1, 9))
    reaching = [f for f in facts.functions if f.node.name.value in heights and f.node.name.value not in _BACKWARD]
    ordered = sorted(reaching, key=lambda f: -heights[f.node.name.value])
    return [None, *ordered]


class Tracer:
    """The traces of one module; what the module's own statements call and define is read once."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.relevant = matters(facts)
        self.home = Frame(0, None)

    def of_module(self) -> Trace:
        """The trace of the module's own statements, with the helpers that they call."""
        trace = Trace(self.facts, self.home, self.home)
        Walker(trace, self.relevant).suite(self.facts.statements, (), self.home, None)
        return trace

    def of(self, function: Function) -> Trace:
        """The trace of a function. The module's own definitions come first."""
        known = self._definitions
        trace = Trace(self.facts, self.home, self.home, clock=known.clock, frames=1)
        trace.definitions.update((key, [*each]) for key, each in known.definitions.items())
        trace.local_functions.update(known.local_functions)
        lexical = self._enclosing(trace, function.parent)
        trace.root = Frame(trace.frames, function, None, lexical, function.owner)
        walker = Walker(trace, self.relevant)
        walker.active.append(id(function.node))
        walker.body(function.node.body, (), trace.root)
        return trace

    @cached_property
    def _definitions(self) -> Trace:
        """What the module's own statements define, without what they call."""
        trace = Trace(self.facts, self.home, self.home)
        Walker(trace, self.relevant, inline=False).suite(self.facts.statements, (), self.home, None)
        return trace

    def _enclosing(self, trace: Trace, parent: Function | None) -> Frame:
        """A frame for the function around a nested root, so that its names resolve; its body is not run."""
        if parent is None:
            return self.home
        trace.frames += 1
        return Frame(trace.frames, parent, None, self._enclosing(trace, parent.parent), parent.owner)
