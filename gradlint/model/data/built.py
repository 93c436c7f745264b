"""What a file builds for its training loops: schedules with their lengths, and optimizers with their weight decay."""

from __future__ import annotations

from dataclasses import dataclass

import libcst as cst


@dataclass(frozen=True, eq=False)
class Schedule:
    """A scheduler's constructor and the length it was given, followed through local names to where it is computed.

    `loader_lengths` are the counts of micro-batches in it, `place` where the first of them is used, `mentions` every
    name on the way; `factor` is a product of the length with N, and what is left of it without N.
    `steps_there` is N as it can be written where the length is computed; `multiplied` says that a product with N is on
    the way to it, `rounded_up` that a quotient on the way is. `divided` is what the length is divided by on the way (None
    where that is no known number), `mixed` says that something is added to it there. `read_by` is a name on the way that
    something else reads as well, and `written_out` the length as it can be given without that name. `usual_steps` is the
    number that N is where nobody says otherwise.
    """

    call: cst.Call
    keyword: str
    length: cst.BaseExpression
    loader_lengths: tuple[cst.BaseExpression, ...]
    place: cst.CSTNode
    mentions: frozenset[str]
    factor: tuple[cst.CSTNode, str] | None = None
    site: object = None
    steps_there: str | None = None
    multiplied: bool = False
    rounded_up: bool = False
    divided: tuple[float | None, ...] = ()
    mixed: bool = False
    read_by: str | None = None
    written_out: str | None = None
    usual_steps: float | None = None


@dataclass(frozen=True, eq=False)
class Construction:
    """A call of a known constructor, with the arguments that may decide a rule."""

    call: cst.Call
    qualified: str
    decays: tuple[tuple[cst.CSTNode, bool | None], ...] = ()
    decoupled: bool | None = None
