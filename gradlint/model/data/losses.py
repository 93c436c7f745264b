"""What a loss was divided by on its way to the backward pass, and how the answers for parts make that for the whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

import libcst as cst

from gradlint.model.syntax.paths import Path


class Scale(str, Enum):
    """Whether a value that reaches backward was divided by N."""

    DIVIDED = "divided"
    UNDIVIDED = "not divided"
    PARTLY = "divided on some paths"
    UNKNOWN = "unknown"


@dataclass(frozen=True, eq=False)
class Division:
    """One division of the loss: `node` is the `/` expression or the `/=` statement.

    With `inverse`, it is a product with `divisor`, a name for `1 / value`; with `of_factor`, not the loss is divided but something
    that it is multiplied with, or may be.
    """

    node: cst.CSTNode
    divisor: cst.BaseExpression
    dividend: cst.BaseExpression
    names: frozenset[str]
    value: float | None
    statement: cst.CSTNode | None
    target: str | None
    path: Path
    index: int
    by_steps: bool = False
    inverse: bool = False
    of_factor: bool = False


@dataclass(frozen=True, eq=False)
class LossScale:
    """What the value that reaches one backward call was divided by.

    `doubled` are the divisions by N of something that was divided by N already.
    """

    scale: Scale
    divisions: tuple[Division, ...] = ()
    doubled: tuple[Division, ...] = ()
    undivided_terms: tuple[cst.BaseExpression, ...] = ()
    why: str = ""


UNKNOWN = LossScale(Scale.UNKNOWN)
FRESH = LossScale(Scale.UNDIVIDED)


def doubted(scale: Scale) -> Scale:
    """Of a loss that something unknown is multiplied with: a division by N stays one."""
    return scale if scale is Scale.DIVIDED else Scale.UNKNOWN


def joined(results: Sequence[LossScale]) -> LossScale:
    """Several paths lead here: they must agree."""
    known = [r for r in results if r.why != "literal"] or results
    divisions = tuple({id(d.node): d for r in known for d in r.divisions}.values())
    doubled = tuple({id(d.node): d for r in known for d in r.doubled}.values())
    scales = {r.scale for r in known}
    if len(scales) == 1:
        return replace(known[0], divisions=divisions, doubled=doubled)
    if Scale.UNKNOWN in scales:
        return LossScale(Scale.UNKNOWN, divisions, doubled)
    terms = tuple(t for r in known for t in r.undivided_terms)
    return LossScale(Scale.PARTLY, divisions, doubled, terms, "paths" if not terms else "terms")


def summed(parts: Sequence[tuple[cst.BaseExpression, LossScale]]) -> LossScale:
    """A sum: every term must be divided; literals do not count."""
    judged = [(part, result) for part, result in parts if result.why != "literal"]
    if not judged:
        return LossScale(Scale.UNDIVIDED, why="literal")
    divisions = tuple(d for _, r in judged for d in r.divisions)
    doubled = tuple(d for _, r in judged for d in r.doubled)
    kinds = {r.scale for _, r in judged}
    if len(kinds) == 1:
        return replace(judged[0][1], divisions=divisions, doubled=doubled)
    undivided = tuple(p for p, r in judged if r.scale is Scale.UNDIVIDED)
    if Scale.UNKNOWN in kinds:
        return LossScale(Scale.UNKNOWN, divisions, doubled)
    if Scale.PARTLY in kinds:
        inner = tuple(t for _, r in judged for t in r.undivided_terms)
        return (
            LossScale(Scale.PARTLY, divisions, doubled, inner + undivided)
            if inner
            else LossScale(Scale.UNKNOWN, divisions, doubled)
        )
    return LossScale(Scale.PARTLY, divisions, doubled, undivided, "terms")


def added(old: LossScale, new: LossScale, term: cst.BaseExpression) -> LossScale:
    """A term that is added to, or taken from, what a name has gathered so far."""
    divisions, doubled = (*old.divisions, *new.divisions), (*old.doubled, *new.doubled)
    if old.why == "literal" or old.scale is new.scale:
        return replace(new, divisions=divisions, doubled=doubled)
    if Scale.UNKNOWN in (old.scale, new.scale):
        return LossScale(Scale.UNKNOWN, divisions, doubled)
    own = (term,) if new.scale is Scale.UNDIVIDED else ()
    return LossScale(Scale.PARTLY, divisions, doubled, (*old.undivided_terms, *new.undivided_terms, *own), "terms")


@dataclass(frozen=True, eq=False)
class TokenMean:
    """A mean over tokens of which some are masked; `alone` says that the loss is that, divided, and nothing besides."""

    call: cst.Call
    alone: bool
