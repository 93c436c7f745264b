"""What is logged for a window: its mean loss, or only the loss of its last micro-batch (GRD108)."""

from __future__ import annotations

from collections.abc import Iterator
from math import isclose

import libcst as cst

from gradlint.simulate.faults import Fault
from gradlint.simulate.logs import LOGGED
from gradlint.simulate.trace import Event, What
from gradlint.simulate.values import Factor, Source
from gradlint.simulate.views import View
from gradlint.simulate.windows import Window


def last_alone(view: View, larger: View | None) -> Iterator[Fault]:
    """Once per update, only the loss of the window's last micro-batch is logged, both with N and with a larger N."""
    if larger is None:
        return
    others = _by_node(larger)
    for node, reports in _by_node(view).items():
        if _is_of_last(reports, view) and _is_of_last(others.get(node, []), larger):
            yield Fault("GRD108", reports[0], view.steps[0])


def _by_node(view: View) -> dict[cst.CSTNode, list[Event]]:
    """The reports that print or log the loss, by node."""
    losses = frozenset(source.node for event in view.backwards for source, _ in event.terms)
    found: dict[cst.CSTNode, list[Event]] = {}
    for event in view.of(What.REPORT):
        if event.through == LOGGED and any(_is_of(source, losses) for source, _ in event.terms):
            found.setdefault(event.node, []).append(event)
    return found


def _is_of(source: Source, losses: frozenset[cst.CSTNode]) -> bool:
    """Whether a value is a backpropagated loss, or was computed from one."""
    return source.node in losses or not source.made_of.isdisjoint(losses)


def _is_of_last(reports: list[Event], view: View) -> bool:
    """Whether each report shows the last micro-batch of a window, and some report shows a whole window inside of a pass."""
    windows = {max(window.micros): window for window in view.closed if window.micros}
    told = [(event, _shown(event)) for event in reports]
    if any(len(micros) != 1 or not micros <= windows.keys() for _, micros in told):
        return False
    if not any(_is_of_update(event, windows[max(micros)], view) for event, micros in told):
        return False
    # Another rule reports losses that are divided by N.
    return all(_is_undivided(factor, view) for event in reports for _, factor in event.terms)


def _shown(report: Event) -> frozenset[int]:
    """The micro-batches that contributed to a reported value, also indirectly."""
    return frozenset().union(*({source.micro} | source.met for source, _ in report.terms))


def _is_of_update(report: Event, window: Window, view: View) -> bool:
    """Whether a report comes with the update of a whole window, and not at the end of a pass."""
    step = window.step
    if step is None or len(window.micros) != view.size or view.size < 2 or view.ends(window):
        return False
    depth = len(step.loops)
    return report.loops[:depth] == step.loops and report.turns[:depth] == step.turns


def _is_undivided(factor: Factor, view: View) -> bool:
    return factor.of.isdisjoint(view.trace.n_names) or isclose(factor.value, 1.0)
