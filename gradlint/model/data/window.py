"""The window: N, the condition that closes it, and what the loop walks."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import libcst as cst


class Phase(str, Enum):
    """At which micro-batch of a window a boundary first holds."""

    LAST = "last micro-batch"
    FIRST = "first micro-batch"
    SHIFTED = "neither first nor last"
    UNKNOWN = "unknown"


class Engine(str, Enum):
    """Who owns the accumulation."""

    NONE = "none"
    ACCELERATE = "accelerate"
    DEEPSPEED = "deepspeed"


@dataclass(frozen=True)
class Steps:
    """N: the accumulation steps, as the code writes them.

    `source` is the expression to write into a fix, or None where none is at hand at the loop;
    `names` are all its aliases; `value` is its number where that is known; `everywhere` marks a literal or a name of the
    module, which means the same in every function. Where the window is counted in something else (`micro_batches` is False),
    in samples or over all processes, how many micro-batches it holds has neither a name nor a number.
    """

    source: str | None
    names: frozenset[str] = frozenset()
    value: int | None = None
    everywhere: bool = False
    micro_batches: bool = True


@dataclass(frozen=True, eq=False)
class Boundary:
    """A condition that holds once per window.

    `test` is the expression that decides (the right-hand side of a flag's assignment where a flag carries it);
    `modulus` the `index % N` in it; `offset` what must be added to `index` to make the phase right.
    `holds` says whether the guarded arm is the boundary, `negative` whether `test` itself is true inside the window.
    `flush` says that the condition holds on the last micro-batch too; `dead_flush` that it tries to and cannot,
    `short_flush` that it can where the whole pass is short, and only there.
    `frame` is the activation in which the test stands.
    `counter` is the name counted, `restarts` whether it begins anew with each pass over the data (None: not known).
    """

    test: cst.BaseExpression
    guard: cst.CSTNode
    steps: Steps
    phase: Phase
    holds: bool = True
    negative: bool = False
    modulus: cst.BinaryOperation | None = None
    index: cst.BaseExpression | None = None
    offset: int = 0
    skips_first: cst.BaseExpression | None = None
    flush: bool = False
    dead_flush: bool = False
    short_flush: bool = False
    counter: str | None = None
    restarts: bool | None = None
    counts_from: int | None = None
    engine: Engine = Engine.NONE
    frame: object = None


@dataclass(frozen=True)
class Pass:
    """What the micro loop walks: `length` is the text of what `len()` takes, `certain` that it is sure to work.

    `bounded` says that a count of steps may end the one pass there is; `draws` that a loop over one window takes a
    batch of its own in each iteration; `cut` that its window is a run of a loader's batches, of which the last may be shorter;
    `stream` that what is walked has surely no length.
    """

    finite: bool | None
    length: str | None = None
    certain: bool = False
    windowed: bool = False
    bounded: bool = False
    draws: bool = False
    cut: bool = False
    stream: bool = False
