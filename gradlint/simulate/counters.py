"""Counters of micro-batches that begin with a number which the text does not say."""

from __future__ import annotations

from gradlint.simulate.trace import Trace
from gradlint.simulate.values import of_length
from gradlint.simulate.views import View
from gradlint.simulate.world import assumed_number


def begins_anywhere(view: View) -> bool:
    """Whether windows are counted from a number that only unseen code knows, such as an entry of a list that a caller passes."""
    trace = view.trace
    return any(_is_made_up(name, trace) for each in trace.remainders if each.by == view.size for name in each.of)


def _is_made_up(name: str, trace: Trace) -> bool:
    """Whether nothing suggests the value that a setting has in a run."""
    known = name in trace.actual or name not in trace.settings or name in trace.n_names
    return not known and not of_length(name) and assumed_number(name, None) is None
