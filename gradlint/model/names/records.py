"""What the walk through a program records: activations, definitions and call sites, in program order."""

from __future__ import annotations

from dataclasses import dataclass, field

import libcst as cst

from gradlint.model.data.event import Kind
from gradlint.model.names.facts import Facts, Function
from gradlint.model.syntax.paths import Path


@dataclass(frozen=True, eq=False)
class Frame:
    """One activation of a function: the module itself, the root, or an inlined helper."""

    number: int
    function: Function | None
    caller: Frame | None = None
    lexical: Frame | None = None
    owner: str | None = None

    @property
    def depth(self) -> int:
        return 0 if self.caller is None else self.caller.depth + 1


@dataclass(frozen=True, eq=False)
class Definition:
    """A name (or attribute, or item) gets a value.

    `how` is one of assign, augment, unpack, loop, with, param, default, return. For `unpack`, `position` is the place in the
    tuple; for `augment`, `value` is the right-hand side and `node` the statement, or the call of a method that changes its
    `receiver` in place.
    """

    key: str
    value: cst.BaseExpression | None
    frame: Frame
    path: Path
    index: int
    how: str
    node: cst.CSTNode
    statement: cst.CSTNode | None = None
    position: int | None = None
    receiver: cst.BaseExpression | None = None


@dataclass(frozen=True, eq=False)
class CallSite:
    """A call as it runs in the trace."""

    call: cst.Call
    frame: Frame
    path: Path
    index: int
    statement: cst.CSTNode | None
    suite: cst.CSTNode | None


@dataclass(eq=False)
class Trace:
    """What runs from a root, in order. Built by `trace_of`, read only afterwards."""

    facts: Facts
    root: Frame
    module: Frame
    calls: list[CallSite] = field(default_factory=list)
    definitions: dict[str, list[Definition]] = field(default_factory=dict)
    returns: dict[int, list[Definition]] = field(default_factory=dict)
    activations: dict[tuple[int, int], Frame] = field(default_factory=dict)
    inlined: set[int] = field(default_factory=set)
    local_functions: dict[tuple[int, str], Function] = field(default_factory=dict)
    clock: int = 0
    frames: int = 0

    def key(self, name: str, frame: Frame) -> str:
        """Where a dotted name lives: a frame's local, a closure's, the module's, or an attribute of a class."""
        first, _, rest = name.partition(".")
        if first == "self" and frame.owner and rest:
            return f"class {frame.owner}.{rest}"
        scope: Frame | None = frame
        bare = first.partition("[")[0]
        while scope is not None and scope.function is not None:
            if bare in scope.function.assigned:
                return f"{scope.number}:{name}"
            scope = scope.lexical
        return f"{self.module.number}:{name}"


@dataclass(frozen=True, eq=False)
class Site:
    """A place in the trace from which names are looked up."""

    frame: Frame
    index: int
    path: Path


def site_of(record: CallSite | Definition) -> Site:
    """The place of a call or a definition."""
    return Site(record.frame, record.index, record.path)


@dataclass(frozen=True, eq=False)
class RawEvent:
    """A classified call, before anybody asks how often it runs."""

    kind: Kind
    node: cst.CSTNode
    frame: Frame
    path: Path
    index: int
    statement: cst.CSTNode | None
    suite: cst.CSTNode | None
    through: str | None = None
    target: str | None = None
    loss: cst.BaseExpression | None = None
    gradient: cst.BaseExpression | None = None
    scaled: bool | None = None
    receiver: cst.BaseExpression | None = None
    args: tuple[cst.Arg, ...] = ()
    owner: str | None = None

    @property
    def site(self) -> Site:
        return Site(self.frame, self.index, self.path)

    @classmethod
    def of(
        cls,
        kind: Kind,
        call: CallSite,
        *,
        through: str | None = None,
        target: str | None = None,
        loss: cst.BaseExpression | None = None,
        gradient: cst.BaseExpression | None = None,
        scaled: bool | None = None,
        receiver: cst.BaseExpression | None = None,
        owner: str | None = None,
    ) -> RawEvent:
        """The event that a call is."""
        return cls(
            kind,
            call.call,
            call.frame,
            call.path,
            call.index,
            call.statement,
            call.suite,
            through,
            target,
            loss,
            gradient,
            scaled,
            receiver,
            tuple(call.call.args),
            owner,
        )
