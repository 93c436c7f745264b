"""A picture as data: two curves, the words for them, and whether two such pictures are the same."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from proofs import two


@dataclass(frozen=True)
class Curve:
    """One run's points. `stopped` is the error that ended the run after the last of them."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    stopped: str = ""

    @property
    def words(self) -> str:
        """The curve in words, with its figures."""
        first, last, low, high = map(_figure, (self.y[0], self.y[-1], min(self.y), max(self.y)))
        if low == high:
            said = f"{first} throughout" if len(self.y) > 1 else first
        else:
            between = f", between {low} and {high}" if {low, high} - {first, last} else ""
            said = f"from {first} to {last}{between}"
        return f"{said}, where it stops with {self.stopped}" if self.stopped else said


@dataclass(frozen=True)
class Picture:
    """Two curves under a title that says what to see.

    `kind` is `line`, `stairs` for what grows by steps, or `stems` for what happens at single micro-batches. `bound` is the
    norm that the script clips to, `windows` the micro-batches of a window where the x-axis counts them.
    """

    code: str
    title: str
    x: str
    y: str
    written: Curve
    repaired: Curve
    kind: str = "line"
    log: bool = False
    zero: bool = True
    """Whether the y-axis begins at 0."""
    bound: float | None = None
    windows: int | None = None

    @property
    def alt(self) -> str:
        """The picture in words."""
        bound = f" The clip's bound is {_figure(self.bound)}." if self.bound is not None else ""
        axes = f"{self.y[0].upper()}{self.y[1:]} by {self.x}"
        return f"{self.title}. {axes}: before the fix {self.written.words}; after the fix {self.repaired.words}.{bound}"

    @property
    def data(self) -> dict[str, Any]:
        """What is drawn, as JSON has it."""
        return {key: _plain(value) for key, value in asdict(self).items()}


def same(one: Any, other: Any) -> bool:
    """Whether two pictures' data agree, up to the last digit that is kept."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, (int, float)):
        return math.isclose(one, other, rel_tol=2e-3, abs_tol=1e-9)
    return bool(one == other)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _figure(value: float) -> str:
    if abs(value) < 1e-9:
        return "0"
    return f"{value:.2g}" if 1e-3 <= abs(value) < 100 else two(value)
