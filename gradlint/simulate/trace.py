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
    DETOUR = "the data take another arm than usual"


Guard = tuple[cst.CSTNode, int, bool]
"""A branching statement, the number of the arm that was taken, and whether the data decide that."""


@dataclass(frozen=True, eq=False)
class Length:
    """A number of steps that a schedule is told: where, by which argument ("" where that has no name), and how many.

    `beside` are the whole numbers that the schedule's factor computes with: one of them may divide it.
    """

    place: cst.CSTNode
    name: str
    count: Factor
    beside: frozenset[int] = frozenset()


@dataclass(frozen=True, eq=False)
class Event:
    """One thing that a run does.

    `node` is the call or the assignment that does it, `stack` the calls through which it is reached, outermost first, `path`
    the branches that were taken on the way. `target` numbers the optimizer concerned, -1 where all of them are. `terms` are,
    for a backward pass or a report, the terms of the loss, each with the factor that its gradient is multiplied by; for a step,
    a clip or a zeroing, what the gradients hold. `micro` is the number of the micro-batch that was met last, from 0 (-1: none yet).
    `scaled` says that a GradScaler's factor is in the loss (backward) or in the gradients (clip, step), or, of a step, with
    `through`, what carries it out. `value` is a rescaling's factor, a schedule's length, a divisor, what an engine divides a loss
    by, or the N that it counts to; `handed` are the kinds of
    things that an opaque call is given, `numbers` the numbers. `held` are the
    places, among the events, of the backward passes whose gradients are there; `feeds` are the optimizers whose gradients a
    backward pass adds to, of the `known` ones. `loops` are the running loops, outermost first, `turns` which iteration of each runs,
    `rounds` how many iterations of each came before it.
    `at` is what a detour leaves its arm by; `lengths` are the numbers of steps that a schedule is told, a warm-up's among them, and
    `value` is the last of them; `retains` says that a backward pass keeps its
    graph for another. `inside` are the places of the counts whose contexts last: of a count, those of its own engine.
    `reduced`, of a backward pass, says that gradients are averaged over processes if something wraps the model for that, which
    `parallel` names; where they are not, `at` is what left that out, and where they are, what came too late to do so;
    `forward` is the call of the wrapped model, `wrapped` the call that wraps it, if a condition decides whether it is wrapped.
    `again`, of an unscaling, says that its scaler has done that since its last update, so that PyTorch refuses.
    `sized`, of a pass, says whether `len()` of what is walked has an answer; None where that is not in sight; `rows` is what its
    data set is known by.
    `sharded`, of a clip, says that it is given the parameters of a model of which each process holds a part.
    `shows` are, of a report, the terms of each value apart, with the expression that gave it, if that is in sight.
    `stretches`, of a backward pass, are the parts of each sample that the loss is of, where it is not of all.
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
    def noted(cls, **given: Any) -> Event:
        """An event with some of its fields, the others as they are by default.

        To set each of the thirty fields of a frozen object takes longer than all the rest of noting what happens.
        """
        made = object.__new__(cls)
        made.__dict__.update(given)
        return made

    @cached_property
    def micros(self) -> frozenset[int]:
        """The micro-batches in a backward pass, or in gradients; every judge of a trace asks for them."""
        return frozenset([source.micro for source, _ in self.terms])

    def concerns(self, optimizer: int) -> bool:
        """Whether the gradients, or the weights, of an optimizer have to do with the event."""
        if self.what is What.BACKWARD:
            return optimizer in self.feeds or optimizer >= self.known
        return self.target in (-1, optimizer)

    @property
    def only_reads(self) -> bool:
        """Whether a function of PyTorch leaves what it is given as it is, which its name says."""
        return self.text.startswith("torch.") and not self.text.endswith("_")


@dataclass(frozen=True, eq=False)
class Stepper:
    """An optimizer of a run: where it is built, if it is in sight, the class of its constructor, and its learning rate; `rate_by`
    are the plain numbers that it was divided by."""

    number: int
    identity: str
    node: cst.CSTNode | None
    built_by: str
    rate: float | None
    rate_of: frozenset[str]
    rate_by: frozenset[int] = frozenset()


UPDATES = "update"
"""The method by which a scaler's factor is set."""
COUNTS = "accumulate"
"""The method by which an engine is told of a micro-batch."""


@dataclass(frozen=True, eq=False)
class Remainder:
    """A remainder that a condition asks for: `branch` is what asks, `count` the number that is divided, `by` what divides it.

    `test` is the condition, `holds` its answer: what asks is a branch, what gives the answer a name, or the argument of a call.
    `place` is how many events came before, `stack`, `loops` and `turns` are as an event's.
    """

    node: cst.CSTNode
    branch: cst.CSTNode
    count: float
    by: float
    test: cst.CSTNode
    holds: bool
    place: int
    stack: tuple[cst.CSTNode, ...] = ()
    loops: tuple[cst.CSTNode, ...] = ()
    turns: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Bound:
    """A comparison of two numbers that ends a loop: `sides` are the numbers, `ends` is whether it ends the loop this time.

    `place` is how many events came before, `loops` are the running loops, the one that ends last. `alone` says that nothing but
    the comparison is asked there.
    """

    node: cst.CSTNode
    sides: tuple[Factor, Factor]
    ends: bool
    place: int
    loops: tuple[cst.CSTNode, ...]
    alone: bool


SHORT = "the loop may read past the end of a list"
"""The risk of a list that is too short for a world: it was made for the N of the text."""


PAST_END = "`OneCycleLR` would step past its end, and PyTorch would raise"
"""What PyTorch refuses where a schedule of so many steps has more updates."""


Made = TypeVar("Made")


@dataclass(frozen=True, eq=False)
class Trace:
    """One run: its events, and why it ended before the code did ("" where it did not).

    `n_names` are the settings that counted as accumulation steps in this world, with their value `n`. `risks` are sentences: what
    may raise where the code is run for all that the simulation does not know; `raises` what
    PyTorch refuses.
    `cut` says that it was left when enough was seen. `n_names` are the settings that counted as accumulation steps in this
    world; `settings` the numbers of all settings, `actual` those that they have where nobody sets them, `literals` the plain
    numbers that remainders were taken of.
    `rests` are the remainders of lengths of data that are given a name, with their values.
    `bounded` are the loops that a number of the settings may end, `walking` those over ranges that are as long as some data:
    each time that such a loop is entered is a pass over these. `counted` says that
    updates depend on what a caller out of sight counts. `gates` are the settings that conditions around updates depend on,
    `hooked` the calls that register what runs with each parameter's gradient, `norms` those that build layers which normalise by
    the statistics of a batch,
    `measured` are the data whose length is asked for, by what they are known by, each with the branches on the way there,
    `unreached` the names of calls that clear gradients, set a scaler's factor, count micro-batches, or communicate, and that
    the run did not come to, `remainders` what conditions asked of counters, `bounds` the comparisons that may have ended loops,
    `calls` after how many micro-batches an engine is told of one where it counts N of them itself, `other_n` the settings whose
    names spell accumulation steps, and that are not N, `divisors` by what the nodes that divide losses do so, and whether that
    counts accumulation steps, `spelled` how the text can write numbers where a backward pass stands, `summands` where the terms of
    losses stand in the sums that were made of them, innermost first.
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
    _made: dict[Callable[[Trace], Any], Any] = field(default_factory=dict, init=False)

    def once(self, make: Callable[[Trace], Made]) -> Made:
        """What a function makes of the run; made once, however many ask for it."""
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
        """What N is where nobody sets it; 0 where that is not in sight."""
        known = {self.actual.get(name) for name in self.n_names if self.settings.get(name) == self.n}
        value = known.pop() if len(known) == 1 else None
        return int(value) if value is not None and isfinite(value) else 0
