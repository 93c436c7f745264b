"""The values of a simulated run: numbers that know their settings, losses as sums of terms, and what is not known.

Strings, booleans, None, lists, tuples, dictionaries, sets and ranges are Python's own, and so are numbers that depend on no
setting.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any

import libcst as cst

NOTHING: frozenset[str] = frozenset()

SIZES = frozenset("len shape size numel nelement dim".split())
"""What of a batch tells how large it is."""

OF_SIZES = "a comparison of sizes"
"""The text of an answer to whether a batch is of some size: all are, but for the last of a pass."""

OF_NORM = "a comparison of the norm of gradients"
"""The text of an answer that gradients alone decide, as whether they are to be clipped."""

NORM = frozenset(("the norm of gradients",))
"""What stands for the models that computed a value, where it was computed from gradients."""

DRIFT = frozenset(("a count that goes on",))
"""The same, where it was computed out of sight from numbers that are others in each iteration."""


BATCHES = "len(rows) over the rows of a batch"
"""The setting of a number of batches that was computed from a number of rows."""

EACH_OF = "len(each of "
"""How the setting begins that is the length of each of some data."""

IN_WINDOWS = "as many as a multiple of N"
"""How a pass is told that may be of whole windows: its data set was handed a number that N is a factor of."""

UNNAMED = "<unnamed>"
"""The mark of settings that are known by the first name which they are given."""

VARYING = "the loss is multiplied by something that varies"
"""Why it is not known what a loss was multiplied by, where that is a number of the data."""

REST = "<what it leaves of 1>"
"""The mark of a number of the data that another one, which it holds, leaves of 1."""

WALKS = "<walks>"
"""The mark of what a call out of sight gave that was handed a loader: whoever walks it walks that."""

OVER_ROWS = "the loss is a sum over the rows of the batch"
"""Why it is not known what a loss is divided by, where nothing divides it but its rows are added up."""

WEIGHTED = "unknown code receives a weighted loss"
"""Why a factor may be another one, where what was handed on had been multiplied by nothing that has to do with N."""


def graver(one: str, other: str) -> str:
    """Of two doubts the one that N may be hidden behind; the first one, if both are alike."""
    return other if one in WITHOUT_STEPS and other else one


WITHOUT_STEPS = frozenset(("", OVER_ROWS, WEIGHTED))
"""Doubts about what the loss of a micro-batch is, and none about what that loss was divided by for the sake of its window."""


@dataclass(frozen=True, slots=True)
class Num:
    """A number of a world, and the settings that it was computed from; `usual` says that other data may make it another truth."""

    value: int | float
    of: frozenset[str]
    usual: bool = False


@dataclass(frozen=True, slots=True)
class Factor:
    """What a term of a loss was multiplied by: a number, its settings, and why it may be another one ("" where it is known).

    `divisors` are the nodes whose values divided the term, in order, `by` is the product of those values: a weight is in neither.
    `weights` are the plain numbers that it was multiplied by. `share` is the number of the data that it was multiplied by, and
    whether by what that leaves of 1.
    """

    value: float = 1.0
    of: frozenset[str] = NOTHING
    doubt: str = ""
    divisors: tuple[cst.CSTNode, ...] = ()
    by: float = 1.0
    weights: tuple[float, ...] = ()
    share: tuple[Any, bool] | None = None

    def times(self, other: Factor) -> Factor:
        if other is ONE:
            return self
        if self is ONE:
            return other
        divisors = self.divisors + other.divisors
        doubt = graver(self.doubt, other.doubt)
        weights = self.weights + other.weights
        share = None if other.share and (self.share or self.doubt) else self.share or other.share
        return Factor(self.value * other.value, self.of | other.of, doubt, divisors[-8:], self.by * other.by, weights[-8:], share)

    def doubted(self, why: str) -> Factor:
        return replace(self, doubt=graver(self.doubt, why))


ONE = Factor()


@dataclass(frozen=True, eq=False, slots=True)
class Source:
    """Where a term of a loss begins: what was evaluated, at which micro-batch, by which models.

    `micro` numbers the micro-batch by the data that went into it. `made_of` are the nodes of the terms that were handed to
    what was evaluated, and of theirs, `met` the micro-batches of these. `across` says that it
    compares the samples of a batch with each other. `taken` is where the value left the graph, as a number; `doubt` why what
    it had been multiplied by until then may be another factor. `tokens` says that it is a mean over tokens that no mask leaves out.
    """

    micro: int
    node: cst.CSTNode
    models: frozenset[str] = NOTHING
    made_of: frozenset[cst.CSTNode] = frozenset()
    across: bool = False
    met: frozenset[int] = frozenset()
    taken: cst.CSTNode | None = None
    doubt: str = ""
    tokens: bool = False


class Beginning(int):
    """Where a piece of a batch begins, as a loop over its length tells it."""


Terms = tuple[tuple[Source, Factor], ...]


@dataclass(eq=False, slots=True)
class Tensor:
    """What varies with the data: a batch, an output, a loss.

    `terms` is None for data, else the sum of terms that it is; `draws` are the pieces of data that it comes from, `models` what
    computed it. `scaler` is the GradScaler whose factor is in it; `detached` that no gradient flows through it. `kept` holds
    attributes and items that were read or set, so that the same question has the same answer.
    """

    draws: frozenset[int] = frozenset()
    terms: tuple[tuple[Source, Factor], ...] | None = None
    models: frozenset[str] = NOTHING
    scaler: Any = None
    detached: bool = False
    reduced: bool = True
    text: str = ""
    kept: dict[Any, Any] = field(default_factory=dict)

    def scaled_by(self, factor: Factor) -> Tensor:
        """The same value multiplied by a number."""
        if self.terms is None:
            return self
        terms = tuple((source, each.times(factor)) for source, each in self.terms)
        return Tensor(self.draws, terms, self.models, self.scaler, self.detached, self.reduced, self.text)

    def copied(self) -> Tensor:
        """The same value in memory of its own: what changes the one in place leaves the other as it is."""
        return replace(self)

    @property
    def common(self) -> Factor:
        """The factor that all terms share; a doubtful one where they differ."""
        if not self.terms:
            return ONE
        first = self.terms[0][1]
        if all(factor == first or factor.value == first.value for _, factor in self.terms):
            return first
        return first.doubted("the terms of the loss have different factors")


class Shown(str):
    """A string that was made of data: it shows their terms, those of each value apart and with the expression that gave it."""

    terms: Terms = ()
    values: tuple[tuple[Terms, cst.CSTNode | None], ...] = ()


@dataclass(eq=False, slots=True)
class Opaque:
    """Something unknown that stays what it is during the run. Its identity is the text that leads to it.

    `models` are the unknown things that it was made from. `default` is what it is where nobody sets it.
    """

    identity: str
    models: frozenset[str] = NOTHING
    default: Any = None
    has_default: bool = False
    choices: tuple[Any, ...] = ()
    kept: dict[Any, Any] = field(default_factory=dict)

    @property
    def last(self) -> str:
        """The last name of its identity, which may say what it is."""
        return self.identity.rsplit(".", 1)[-1].split("[")[-1].strip("]'\"")


@dataclass(frozen=True, slots=True)
class Answer:
    """A truth that depends on the data, and is not the same from one micro-batch to the next.

    `usual` is what it is as long as nothing goes wrong: numbers are finite, and not NaN. None where that is not known.
    """

    text: str = ""
    usual: bool | None = None


def number(value: Any) -> int | float | None:
    """The number that a value is; None for everything else."""
    if type(value) is Num:
        return value.value
    if isinstance(value, (int, float)):
        return value
    return None


def whole(value: Any, otherwise: int = 0) -> int:
    """The whole number that a value is, rounded towards 0; `otherwise` for what is none, or has no end."""
    plain = number(value)
    if plain is None or (isinstance(plain, float) and not isfinite(plain)):
        return otherwise
    return int(plain)


def in_order(values: set[Any] | frozenset[Any]) -> list[Any]:
    """The members of a set in an order that is the same in every process."""
    return sorted(values, key=lambda each: (type(each).__name__, each if isinstance(each, str) else "", number(each) or 0))


def settings_of(value: Any) -> frozenset[str]:
    """The settings that a number depends on."""
    return value.of if type(value) is Num else NOTHING


def of_length(name: str) -> bool:
    """Whether a setting is how many batches some data have: as a bound, it ends a loop no earlier than the data do."""
    return name.startswith("len(")


def made(value: int | float, *parts: Any) -> Any:
    """A number that was computed from others."""
    of = NOTHING
    for part in parts:
        if type(part) is Num:
            of = of | part.of
    return Num(value, of) if of else value


@dataclass(frozen=True, slots=True)
class Question:
    """An unknown truth that stays what it is during the run, or its negation."""

    key: str
    negated: bool = False
    default: bool | None = None
