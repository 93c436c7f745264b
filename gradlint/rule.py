"""What a rule is: its name in every list, and how it words what runs show, or one pure function over a file."""

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

    `shown` words a fault that a simulated run shows; `check` yields what is wrong with a file, whatever runs show.

    `afterwards` is what whoever applied the fix has to know of the training that follows; empty where that is as before.

    `promise` says what its fix changes in a run of the loop; a fix that changes anything else is not offered.

    The rule about the comments that silence the others knows all those as its `peers`, once the registry has put them there.
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
        """Whether what its fixes do shows in a run of the training code; it does not where a framework's Trainer runs it."""
        return self.promise is not NOTHING

    @property
    def on_by_default(self) -> bool:
        return self.severity is not Severity.INFO


def trace_rule(
    code: str, name: str, summary: str, *, severity: Severity = Severity.ERROR, promise: Promise, afterwards: str = ""
) -> Callable[[Callable[[Scene], Finding]], Rule]:
    """Declare a rule that words what simulated runs show, and asks nothing else."""

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
    """Declare a rule that judges a whole file, whether or not it holds a training loop."""

    def declare(check: Callable[[TrainingFile], Iterator[Finding]]) -> Rule:
        return Rule(code, name, summary, severity, check, promise, shown, afterwards)

    return declare


def comment_rule(code: str, name: str, summary: str, *, severity: Severity = Severity.ERROR) -> Rule:
    """Declare the rule that judges suppression comments, which are no part of the model: `gradlint.suppression.unused` does it."""
    return Rule(code, name, summary, severity, peers=())
