"""The values of a simulated run: numbers that know their settings, losses as sums of terms, and unknown values.

Strings, booleans, None, lists, tuples, dictionaries, sets and ranges are plain Python objects. So are numbers that depend
on no setting.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any

import libcst as cst

NOTHING: frozenset[str] = frozenset()

SIZES = frozenset("len shape size numel nelement dim".split())
"""Attributes and functions that give the size of a batch."""

OF_SIZES = "a comparison of sizes"
"""The text of an answer about the size of a batch: all batches are the same size except the last of a pass."""

OF_NORM = "a comparison of the norm of gradients"
"""The text of an answer that only the gradients decide, such as whether to clip them."""

NORM = frozenset(("the norm of gradients",))
"""Used in place of the models that computed a value, if it was computed from gradients."""

DRIFT = frozenset(("a count that goes on",))
"""Used likewise if unknown code computed the value from numbers that change with each iteration."""


BATCHES = "len(rows) over the rows of a batch"
"""The setting of a number of batches computed from a number of rows."""

EACH_OF = "len(each of "
"""Prefix of the setting that is the length of each of some data."""

IN_WINDOWS = "as many as a multiple of N"
"""Marks a pass that may consist of whole windows: its data set was given a multiple of N."""

UNNAMED = "<unnamed>"
"""The mark of settings that are identified by the first name they are assigned to."""

VARYING = "the loss is multiplied by something that varies"
"""Why the factor of a loss is unknown if it is a number from the data."""

REST = "<what it leaves of 1>"
"""Marks a number from the data that is 1 minus another one, which it holds."""

OTHERS = "<others>"
"""The key of what a dictionary holds under keys that are not known."""
OF_WEIGHTS = "<of weights>"
"""Marks something unknown that was built with the parameters of a model: no settings, whatever its name."""
PATH = "<path>"
"""The key under which something unknown keeps the path that it is, or the path of the open file."""
TABLE = "<table>"
"""The key under which something unknown keeps the table of the settings file that it was read from."""
WALKS = "<walks>"
"""Marks the result of a call of unknown code that got a loader: iterating over it iterates over the loader."""

OVER_ROWS = "the loss is a sum over the rows of the batch"
"""Why the divisor of a loss is unknown if its rows are summed and nothing divides it."""

WEIGHTED = "unknown code receives a weighted loss"
"""Why a factor may differ if unknown code got a loss that was multiplied by something unrelated to N."""


def graver(one: str, other: str) -> str:
    """Of two doubts, the one that may hide N; the first if they are alike."""
    return other if one in WITHOUT_STEPS and other else one


WITHOUT_STEPS = frozenset(("", OVER_ROWS, WEIGHTED))
"""Doubts about the loss of a micro-batch, but not about how that loss was divided for its window."""


@dataclass(frozen=True, slots=True)
class Num:
    """A number of a world, with the settings it was computed from. `usual` says that as a truth it may differ for other data."""

    value: int | float
    of: frozenset[str]
    usual: bool = False


@dataclass(frozen=True, slots=True)
class Factor:
    """What a term of a loss was multiplied by: a number, its settings, and why it may be wrong ("" if it is known).

    `divisors` are the nodes whose values divided the term, in order, and `by` is the product of those values. A weight is in
    neither: `weights` are the plain numbers that multiplied the term. `share` is the number from the data that multiplied it,
    and whether it was 1 minus that number.
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
    """Where a term of a loss begins: what was evaluated, for which micro-batch, by which models.

    `micro` numbers the micro-batch by the data that went into it. `made_of` are the nodes of the terms passed to the
    evaluation, and of the terms those were made of; `met` are the micro-batches of these. `across` says that it compares the
    samples of a batch with each other. `taken` is where the value left the graph, as a number, and `doubt` is why its factor
    until then may be wrong. `tokens` says that it is a mean over the tokens that a mask keeps.
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
    """The index at which a piece of a batch begins, as a loop over the batch's length produces it."""


Terms = tuple[tuple[Source, Factor], ...]


@dataclass(eq=False, slots=True)
class Tensor:
    """A value that varies with the data: a batch, an output, a loss.

    `terms` is None for data, else the terms that it is the sum of. `draws` are the pieces of data it comes from, and `models`
    the models that computed it. `scaler` is the GradScaler whose factor it contains. `detached` says that no gradient flows
    through it. `kept` holds attributes and items that were read or set, so that reading them again gives the same result.
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
        """A copy: changing one in place does not change the other."""
        return replace(self)

    @property
    def common(self) -> Factor:
        """The factor that all terms share; a doubtful one if they differ."""
        if not self.terms:
            return ONE
        first = self.terms[0][1]
        if all(factor == first or factor.value == first.value for _, factor in self.terms):
            return first
        return first.doubted("the terms of the loss have different factors")


class Shown(str):
    """A string made from data. It holds their terms, and those of each value separately with the expression that produced it."""

    terms: Terms = ()
    values: tuple[tuple[Terms, cst.CSTNode | None], ...] = ()


class Pieces(list[Tensor]):
    """The pieces that a batch was split into."""


@dataclass(eq=False, slots=True)
class Opaque:
    """Something unknown that stays the same during the run. Its identity is the text that leads to it.

    `models` are the unknown things that it was made from. `default` is its value when nobody sets it.
    """

    identity: str
    models: frozenset[str] = NOTHING
    default: Any = None
    has_default: bool = False
    choices: tuple[Any, ...] = ()
    kept: dict[Any, Any] = field(default_factory=dict)

    @property
    def last(self) -> str:
        """The last name of its identity, which may hint at what it is. The arguments of a call hint at nothing."""
        spelled = self.identity
        if spelled.endswith(")") and not spelled.endswith("()"):
            spelled = f"{spelled[: _opening(spelled)]}()"
        return spelled.rsplit(".", 1)[-1].split("[")[-1].strip("]'\"")


def _opening(spelled: str) -> int:
    """Where the parenthesis opens that the last character closes."""
    depth = 0
    for place in range(len(spelled) - 1, -1, -1):
        depth += (spelled[place] == ")") - (spelled[place] == "(")
        if not depth:
            return place
    return len(spelled)


@dataclass(frozen=True, slots=True)
class Answer:
    """A truth that depends on the data and changes from one micro-batch to the next.

    `usual` is its value when nothing goes wrong: numbers are finite and not NaN. None if unknown.
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
    """A value as a whole number, rounded towards 0; `otherwise` if it is not a finite number."""
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
    """Whether a setting is the number of batches of some data. As a bound, it ends a loop no earlier than the data do."""
    return name.startswith("len(")


def made(value: int | float, *parts: Any) -> Any:
    """A number computed from others."""
    of = NOTHING
    for part in parts:
        if type(part) is Num:
            of = of | part.of
    return Num(value, of) if of else value


@dataclass(frozen=True, slots=True)
class Question:
    """An unknown truth that stays the same during the run, or its negation."""

    key: str
    negated: bool = False
    default: bool | None = None
