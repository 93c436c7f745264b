"""What a rule is: its name in every list, and one pure function over the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from gradlint.diagnostic import Severity
from gradlint.finding import Finding
from gradlint.model.types import TrainingFile, TrainingLoop
from gradlint.simulate.promise import NOTHING, Promise
from gradlint.simulate.scene import Scene

Subject = TypeVar("Subject", TrainingLoop, TrainingFile)


@dataclass(frozen=True)
class Rule(Generic[Subject]):
    """A rule of the catalogue; `check` yields what is wrong with one loop (or with one file).

    `shown` words a fault that a simulated run shows, for a loop of which `check` says nothing.

    `told_by_runs` says that it asks nothing else.

    `promise` says what its fix changes in a run of the loop; a fix that changes anything else is not offered.

    The rule about the comments that silence the others knows all those as its `peers`, once the registry has put them there.
    """

    code: str
    name: str
    summary: str
    severity: Severity
    check: Callable[[Subject], Iterator[Finding]]
    promise: Promise = NOTHING
    shown: Callable[[Scene], Finding] | None = None
    per_file: bool = False
    told_by_runs: bool = False
    peers: tuple[Rule[Any], ...] | None = None

    @property
    def simulated(self) -> bool:
        """Whether what its fixes do shows in a run of the training code; it does not where a framework's Trainer runs it."""
        return self.promise is not NOTHING

    @property
    def on_by_default(self) -> bool:
        return self.severity is not Severity.INFO


def rule(
    code: str,
    name: str,
    summary: str,
    *,
    severity: Severity = Severity.ERROR,
    promise: Promise = NOTHING,
    shown: Callable[[Scene], Finding] | None = None,
) -> Callable[[Callable[[TrainingLoop], Iterator[Finding]]], Rule[TrainingLoop]]:
    """Declare a rule that judges one training loop at a time."""

    def declare(check: Callable[[TrainingLoop], Iterator[Finding]]) -> Rule[TrainingLoop]:
        return Rule(code, name, summary, severity, check, promise, shown)

    return declare


def file_rule(
    code: str,
    name: str,
    summary: str,
    *,
    severity: Severity = Severity.ERROR,
    promise: Promise = NOTHING,
    shown: Callable[[Scene], Finding] | None = None,
) -> Callable[[Callable[[TrainingFile], Iterator[Finding]]], Rule[TrainingFile]]:
    """Declare a rule that judges a whole file, whether or not it holds a training loop."""

    def declare(check: Callable[[TrainingFile], Iterator[Finding]]) -> Rule[TrainingFile]:
        return Rule(code, name, summary, severity, check, promise, shown, per_file=True)

    return declare


def trace_rule(
    code: str,
    name: str,
    summary: str,
    *,
    severity: Severity = Severity.ERROR,
    promise: Promise,
) -> Callable[[Callable[[Scene], Finding]], Rule[TrainingFile]]:
    """Declare a rule that words what simulated runs show, and asks nothing else."""

    def declare(shown: Callable[[Scene], Finding]) -> Rule[TrainingFile]:
        return Rule(code, name, summary, severity, lambda _: iter(()), promise, shown, per_file=True, told_by_runs=True)

    return declare


def comment_rule(code: str, name: str, summary: str, *, severity: Severity = Severity.ERROR) -> Rule[TrainingFile]:
    """Declare the rule that judges suppression comments, which are no part of the model: `gradlint.suppression.unused` does it."""
    return Rule(code, name, summary, severity, lambda _: iter(()), per_file=True, peers=())
