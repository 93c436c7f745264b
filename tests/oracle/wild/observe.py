"""Runs a wild program, and asks the verdict of each of its stages: the truth, which knows the plan's N and not its text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ..run import run
from ..trace import Mark, Trace, What
from ..verdict import Intent, verdict
from .plan import Wild


@dataclass(frozen=True)
class Runs:
    """The runs of one program, by the micro-batches of a pass, and what they show to be wrong."""

    traces: dict[int, Trace]
    codes: frozenset[str]

    @property
    def errors(self) -> tuple[str, ...]:
        return tuple(trace.error for trace in self.traces.values() if trace.error)


def observe(plan: Wild, text: str) -> Runs:
    """Run a program with and without a tail. The weights are frozen, so that what is told of losses can be compared with a
    run of the repaired program; what is done, and to which gradients, is the same."""
    traces = {length: run(text, length, frozen=True) for length in (2 * plan.n, 3 * plan.n - 1)}
    return Runs(traces, frozenset(code for trace in traces.values() for code in _codes(plan, trace)))


def _codes(plan: Wild, trace: Trace) -> Iterator[str]:
    main = Intent(plan.n, finite=plan.finite, restarts=plan.restarts, by_size=plan.division == "size" and not plan.has("GRD103"))
    intents = {"warm-up": [Intent(1), main], "shared": [Intent(1), main], "second": [main, Intent(plan.n)]}.get(
        plan.stage, [main]
    )
    for intent, stage in zip(intents, stages(trace), strict=False):
        yield from verdict(stage, intent)


def stages(trace: Trace) -> list[Trace]:
    """The trace, cut where another optimizer takes over; a pass that begins it belongs to it."""
    cuts, start, stepping = [0], 0, -1
    for k, mark in enumerate(trace.marks):
        if mark.what is not What.STEP:
            continue
        if stepping not in (-1, mark.optimizer):
            cuts.append(_beginning(trace.marks, start, k))
        start, stepping = k, mark.optimizer
    return [replace(trace, marks=trace.marks[a:b]) for a, b in zip(cuts, [*cuts[1:], len(trace.marks)], strict=True)]


def _beginning(marks: list[Mark], after: int, before: int) -> int:
    return max((k for k in range(after, before) if marks[k].what is What.PASS), default=after + 1)
