"""What the usual run of a training loop shows besides its verdict: the accumulation steps, and the library that takes part."""

from __future__ import annotations

from collections.abc import Iterator

from gradlint.simulate.trace import Trace, What
from gradlint.simulate.verdicts import Verdict
from gradlint.simulate.views import View, views

_ENGINES = {"accelerator": "accelerate", "deepspeed": "deepspeed", "fabric": "fabric", "lightning": "lightning"}
"""The libraries by the name with which their events are noted."""
_DONE = (What.BACKWARD, What.STEP, What.CLIP)


def steps_of(verdict: Verdict, trace: Trace) -> int:
    """Return the number of micro-batches that share an update as the text sets it, or 0 if that is unknown."""
    return max((_steps(view) for view in _views_of(verdict, trace)), default=0)


def engine_of(verdict: Verdict, trace: Trace) -> str:
    """Return the library that runs the backward pass or the update of a loop, or "" if the text does so itself."""
    named = (_ENGINES.get(event.through, "") for view in _views_of(verdict, trace) for event in view.of(*_DONE))
    return next(filter(None, named), "")


def _views_of(verdict: Verdict, trace: Trace) -> Iterator[View]:
    for view in views(trace):
        innermost = [event.loops[-1] if event.loops else None for event in view.backwards]
        if view.optimizer.number == verdict.optimizer and any(loop is verdict.loop for loop in innermost):
            yield view


def _steps(view: View) -> int:
    if view.size < 2:
        return view.size
    return view.actual or (view.size if view.size in view.trace.literals else 0)
