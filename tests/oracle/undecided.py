"""What gradlint declares that it cannot tell of a program: the loops that it calls unknown."""

from __future__ import annotations

from gradlint.analysis.source import Problem, read_whole
from gradlint.simulate.simulation import simulate
from gradlint.simulate.trace import What
from gradlint.simulate.verdicts import Answer, verdicts

_EVERYTHING = frozenset(
    f"GRD{number}" for number in (*range(101, 107), *range(201, 207), *range(301, 308), *range(401, 405), 502, 601, 602, 603)
)

_OF_LOSS = frozenset({"GRD101", "GRD102", "GRD103", "GRD104", "GRD105"})


def undecided(text: str, reported: frozenset[str] = frozenset()) -> frozenset[str]:
    """The codes of the rules that have no ground to judge by; what is reported was decided."""
    source = read_whole(text)
    if isinstance(source, Problem):
        return _EVERYTHING - reported
    simulations = simulate(source.statements)
    answers = [verdict.answer for simulation in simulations for verdict in verdicts(simulation)]
    if not answers or Answer.UNKNOWN in answers:
        return _EVERYTHING - reported
    losses = [event for simulation in simulations for event in simulation.main.trace.of(What.BACKWARD)]
    doubted = any(event.retains or any(factor.doubt for _, factor in event.terms) for event in losses)
    return _OF_LOSS - reported if doubted and not reported & _OF_LOSS else frozenset()
