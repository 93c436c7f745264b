"""Defines a rule: its code and name, and how it words what runs show or checks a whole file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gradlint.diagnostic import Severity
from gradlint.finding import Finding
from gradlint.model.file import TrainingFile
from gradlint.simulate.promise import NOTHING, Promise
from gradlint.simulate.scene import Scene


def _nothing(file: TrainingFile) -> Iterator[Finding]:
    del file
    return iter(())


@dataclass(frozen=True)
class Rule:
    """A rule of the catalogue.

    `shown` words a fault that a simulated run shows. `check` yields what is wrong with a file, whatever runs show. `afterwards`
    is what to know about training after its fix, or empty if nothing changes. `promise` says what its fix changes in a run of the
    loop: a fix that changes anything else is not offered. `peers` are all other rules, which the registry sets for the rule about
    suppression comments.
    """

    code: str
    name: str
    summary: str
    severity: Severity
    check: Callable[[TrainingFile], Iterator[Finding]] = _nothing
    promise: Promise = NOTHING
    shown: Callable[[Scene], Finding] | None = None
    afterwards: str = ""
    peers: tuple[Rule, ...] | None = None

    @property
    def simulated(self) -> bool:
        """Whether a run of the training code shows what its fixes do. It does not if a framework's Trainer runs the loop."""
        return self.promise is not NOTHING

    @property
    def on_by_default(self) -> bool:
        return self.severity is not Severity.INFO


def trace_rule(
    code: str, name: str, summary: str, *, severity: Severity = Severity.ERROR, promise: Promise, afterwards: str = ""
) -> Callable[[Callable[[Scene], Finding]], Rule]:
    """Declare a rule that only words what simulated runs show."""

    def declare(shown: Callable[[Scene], Finding]) -> Rule:
        return Rule(code, name, summary, severity, promise=promise, shown=shown, afterwards=afterwards)

    return declare


def file_rule(
    code: str,
    name: str,
    summary: str,
    *,
    severity: Severity = Severity.ERROR,
    promise: Promise = NOTHING,
    shown: Callable[[Scene], Finding] | None = None,
    afterwards: str = "",
) -> Callable[[Callable[[TrainingFile], Iterator[Finding]]], Rule]:
    """Declare a rule that judges a whole file, whether or not it contains a training loop."""

    def declare(check: Callable[[TrainingFile], Iterator[Finding]]) -> Rule:
        return Rule(code, name, summary, severity, check, promise, shown, afterwards)

    return declare


def comment_rule(code: str, name: str, summary: str, *, severity: Severity = Severity.ERROR) -> Rule:
    """Declare the rule about suppression comments, which are not part of the model.

    `gradlint.suppression.unused` implements it.
    """
    return Rule(code, name, summary, severity, peers=())
