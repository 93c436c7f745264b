"""What a simulated run does to training, in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from math import isfinite
from typing import Any, TypeVar

import libcst as cst

from gradlint.simulate.values import Factor, Source, Terms


class What(str, Enum):
    """What an event does."""

    PASS = "a pass over the data begins"
    END = "a pass over the data ends"
    COUNT = "count of a micro-batch"
    BACKWARD = "backward"
    ZERO = "gradients are cleared"
    RESCALE = "gradients are multiplied"
    CLIP = "clip"
    UNSCALE = "unscale"
    STEP = "optimizer step"
    SCALER_UPDATE = "scaler update"
    SCHEDULE = "scheduler step"
    AVERAGE = "average of the weights"
    REPORT = "loss report"
    CALL = "opaque call"
    DETOUR = "the data take another branch than usual"


Guard = tuple[cst.CSTNode, int, bool]
"""A branching statement, the number of the arm that was taken, and whether the data decide that."""


@dataclass(frozen=True, eq=False)
class Length:
    """A number of steps that a schedule is given: where, by which argument ("" if it has no name), and how many.

    `beside` are the whole numbers in the computation of the schedule's factor. One of them may divide it.
    """

    place: cst.CSTNode
    name: str
    count: Factor
    beside: frozenset[int] = frozenset()


@dataclass(frozen=True, eq=False)
class Event:
    """One thing that a run does.

    `node` is the call or assignment that does it. `stack` holds the calls that lead to it, outermost first, and `path` the
    branches taken on the way. `target` is the number of the optimizer concerned, -1 for all of them. `micro` is the number of
    the last micro-batch, counted from 0 (-1: none yet).

    `terms` are, for a backward pass or a report, the terms of the loss, each with the factor that multiplies its gradient. For
    a step, a clip or a zeroing, they are the contents of the gradients. `scaled` says that a GradScaler's factor is in the loss
    (backward) or in the gradients (clip, step). `through` names what carries out a step or another event. `value` is a
    rescaling's factor, a schedule's length, a divisor, what an engine divides a loss by, or the N that it counts to.

    `handed` are the kinds of objects passed to an opaque call, and `numbers` the numbers. `held` are the indexes of the
    backward passes whose gradients are present. `feeds` are the optimizers, among the `known` first ones, whose gradients a
    backward pass adds to. `loops` are the running loops, outermost first; `turns` is the running iteration of each, and
    `rounds` how many of its iterations came before.

    `at` is the statement with which a detour leaves its arm. `lengths` are the numbers of steps given to a schedule, including
    its warm-up's; `value` is the last of them. `retains` says that a backward pass keeps its graph for another one. `inside`
    are the indexes of the count events whose contexts are open; for a count, only those of its engine.

    `reduced`, of a backward pass, says that gradients are averaged over processes if the model has a wrapper for that;
    `parallel` names the wrapper. If they are not averaged, `at` is what prevented it; if they are, `at` is what came too late
    to prevent it. `forward` is the call of the wrapped model. `wrapped` is the call that wraps it, if that is conditional.

    `again`, of an unscaling, says that the scaler has unscaled since its last update, so PyTorch would raise. `sized`, of a
    pass, says whether the iterable has a `len()`, None if unknown; `rows` identifies its data set. `sharded`, of a clip, says
    that its parameters belong to a model whose weights are split over processes. `shows`, of a report, are the terms of each
    value separately, with the expression that produced it, if known. `stretches`, of a backward pass, are the parts of each
    sample that the loss covers, if it does not cover all.
    """

    what: What
    node: cst.CSTNode
    stack: tuple[cst.CSTNode, ...] = ()
    path: tuple[Guard, ...] = ()
    target: int = -1
    terms: Terms = ()
    micro: int = -1
    scaled: bool = False
    reduced: bool = True
    through: str = ""
    value: Factor | None = None
    handed: frozenset[str] = frozenset()
    numbers: tuple[float, ...] = ()
    loops: tuple[cst.CSTNode, ...] = ()
    turns: tuple[int, ...] = ()
    rounds: tuple[int, ...] = ()
    text: str = ""
    held: tuple[int, ...] = ()
    feeds: frozenset[int] = frozenset()
    known: int = 0
    at: cst.CSTNode | None = None
    retains: bool = False
    inside: tuple[int, ...] = ()
    sharded: bool = False
    again: bool = False
    parallel: str = ""
    forward: cst.CSTNode | None = None
    wrapped: cst.CSTNode | None = None
    lengths: tuple[Length, ...] = ()
    sized: bool | None = None
    rows: str = ""
    shows: tuple[tuple[Terms, cst.CSTNode | None], ...] = ()
    stretches: frozenset[int] = frozenset()

    @classmethod
    def noted(cls, given: dict[str, Any]) -> Event:
        """An event with some fields set and defaults for the others. It keeps the given dictionary.

        Setting each of the thirty fields of a frozen object would take longer than everything else about recording an event.
        """
        made = object.__new__(cls)
        object.__setattr__(made, "__dict__", given)
        return made

    @cached_property
    def micros(self) -> frozenset[int]:
        """The micro-batches in a backward pass, or in gradients. Cached because every judge of a trace needs them."""
        return frozenset([source.micro for source, _ in self.terms])

    def concerns(self, optimizer: int) -> bool:
        """Whether the event affects the gradients or the weights of an optimizer."""
        if self.what is What.BACKWARD:
            return optimizer in self.feeds or optimizer >= self.known
        return self.target in (-1, optimizer)

    @property
    def only_reads(self) -> bool:
        """Whether the call is to a function of PyTorch whose name says that it does not modify its arguments."""
        return self.text.startswith("torch.") and not self.text.endswith("_")


@dataclass(frozen=True, eq=False)
class Stepper:
    """An optimizer of a run: where it is built, if known, its class, and its learning rate.

    `rate_by` are the plain numbers that the rate was divided by.
    """

    number: int
    identity: str
    node: cst.CSTNode | None
    built_by: str
    rate: float | None
    rate_of: frozenset[str]
    rate_by: frozenset[int] = frozenset()


UPDATES = "update"
"""The method that sets a scaler's factor."""
COUNTS = "accumulate"
"""The method that notifies an engine of a micro-batch."""


@dataclass(frozen=True, eq=False)
class Remainder:
    """A remainder that a condition uses: `branch` is the condition's branch, `count` the dividend, `by` the divisor.

    `of` are the settings that the dividend depends on. `test` is the condition and `holds` its answer. `branch` is a branching
    statement or, if a name or an argument stores the answer, that code. `place` is how many events came before; `stack`,
    `loops` and `turns` are as for an event.
    """

    node: cst.CSTNode
    branch: cst.CSTNode
    count: float
    by: float
    of: frozenset[str]
    test: cst.CSTNode
    holds: bool
    place: int
    stack: tuple[cst.CSTNode, ...] = ()
    loops: tuple[cst.CSTNode, ...] = ()
    turns: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Bound:
    """A comparison of two numbers that ends a loop: `sides` are the numbers, `ends` whether it ends the loop this time.

    `place` is how many events came before. `loops` are the running loops, with the one it may end last. `alone` says that the
    condition consists of just this comparison.
    """

    node: cst.CSTNode
    sides: tuple[Factor, Factor]
    ends: bool
    place: int
    loops: tuple[cst.CSTNode, ...]
    alone: bool


SHORT = "the loop may read past the end of a list"
"""The risk that a list is too short in a world because it was written for the N of the text."""


PAST_END = "`OneCycleLR` would step past its end, and PyTorch would raise"
"""PyTorch's error when a schedule takes more steps than it was built for."""


Made = TypeVar("Made")


@dataclass(frozen=True, eq=False)
class Trace:
    """One run: its events, and why it ended before the code did ("" if it did not).

    `n` is the value of N, and `n_names` are the settings that count as accumulation steps in this world. `settings` are the
    numbers of all settings, `actual` their values when nobody sets them, `literals` the plain numbers used as divisors of
    remainders, and `rests` the named remainders of data lengths, with their values. `other_n` are settings whose names suggest
    accumulation steps but that are not N. `gates` are the settings that conditions around updates depend on.

    `risks` are sentences about what may raise depending on things the simulation does not know. `raises` is what PyTorch
    refuses to do. `cut` says that the run was stopped because it had seen enough.

    `bounded` are the loops that a number from the settings may end. `walking` are those over a range as long as some data:
    each time one is entered, a pass over the data begins. `counted` says that updates depend on a counter that the caller
    keeps. `remainders` are the remainders of counters that conditions use, and `bounds` the comparisons that may have ended
    loops.

    `hooked` are the calls that register a hook on each parameter's gradient. `norms` are those that build layers which
    normalize by batch statistics. `measured` are the data whose length is needed, by identity, each with the branches on the
    way. `unreached` are the names of calls that clear gradients, set a scaler's factor, count micro-batches, or communicate,
    and that the run did not reach.

    `called` are the calls of functions of the text. `calls` maps where an engine that counts to N itself is notified to the
    micro-batches between notifications. `divisors` maps each node that divides a loss to its value, and whether that counts
    accumulation steps. `spelled` says how the text can write numbers at a backward pass. `summands` are the places of the terms
    of losses in sums built from them, innermost first.
    """

    events: tuple[Event, ...]
    ended: str = ""
    ended_at: cst.CSTNode | None = None
    n: int = 0
    n_names: frozenset[str] = frozenset()
    optimizers: tuple[Stepper, ...] = ()
    risks: frozenset[str] = frozenset()
    raises: frozenset[str] = frozenset()
    cut: bool = False
    settings: Mapping[str, float] = field(default_factory=dict)
    actual: Mapping[str, float] = field(default_factory=dict)
    literals: frozenset[int] = frozenset()
    rests: tuple[tuple[cst.CSTNode, int], ...] = ()
    bounded: frozenset[int] = frozenset()
    walking: frozenset[int] = frozenset()
    counted: bool = False
    gates: frozenset[str] = frozenset()
    hooked: tuple[cst.CSTNode, ...] = ()
    norms: tuple[cst.CSTNode, ...] = ()
    unreached: frozenset[str] = frozenset()
    remainders: tuple[Remainder, ...] = ()
    bounds: tuple[Bound, ...] = ()
    calls: Mapping[cst.CSTNode, tuple[int, ...]] = field(default_factory=dict)
    other_n: frozenset[str] = frozenset()
    divisors: Mapping[cst.CSTNode, tuple[float, bool]] = field(default_factory=dict)
    spelled: Mapping[cst.CSTNode, Mapping[str, float]] = field(default_factory=dict)
    measured: tuple[tuple[str, tuple[Guard, ...]], ...] = ()
    summands: Mapping[Source, tuple[cst.CSTNode, ...]] = field(default_factory=dict)
    called: frozenset[int] = frozenset()
    _made: dict[Callable[[Trace], Any], Any] = field(default_factory=dict, init=False)

    def once(self, make: Callable[[Trace], Made]) -> Made:
        """The result of a function of the run, computed once and cached."""
        if make not in self._made:
            self._made[make] = make(self)
        found: Made = self._made[make]
        return found

    def of(self, *what: What) -> list[Event]:
        """The events of some kinds, in order."""
        kinds = frozenset(what)
        return [event for event in self.events if event.what in kinds]

    @property
    def actual_n(self) -> int:
        """The value of N when nobody sets it; 0 if unknown."""
        known = {self.actual.get(name) for name in self.n_names if self.settings.get(name) == self.n}
        value = known.pop() if len(known) == 1 else None
        return int(value) if value is not None and isfinite(value) else 0
