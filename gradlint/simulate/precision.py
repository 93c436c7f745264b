"""Clipping, and the scaler of mixed precision (GRD301 to GRD307)."""

from __future__ import annotations

from collections.abc import Iterator

from gradlint.simulate.faults import Fault
from gradlint.simulate.trace import Event, What
from gradlint.simulate.views import View
from gradlint.simulate.windows import same_iteration

_INSIDE = ((What.CLIP, "GRD301"), (What.UNSCALE, "GRD304"), (What.SCALER_UPDATE, "GRD305"))
_OWN = frozenset(("wrapper argument", "deepspeed", "function", "object", "optimizer", "lightning", "accelerator", "fabric"))
"""What may scale and unscale by itself."""


def inside_window(view: View) -> Iterator[Fault]:
    """What belongs to an update happens between two micro-batches of a window."""
    for window in view.windows:
        for what, code in _INSIDE:
            for event in window.between(what):
                if event.terms or what is not What.CLIP:
                    yield Fault(code, event, window.step or view.steps[0])


def without_unscale(view: View) -> Iterator[Fault]:
    """Gradients are clipped with the scaler's factor in them."""
    used: set[int] = set()
    for window in view.windows:
        for clip in window.of(What.CLIP):
            through = window.step is None or window.step.scaled  # a step past the scaler is what is wrong then
            if clip.through or not (clip.scaled and clip.terms and through) or used.issuperset(clip.held):
                continue
            if all(each.scaled for each in _at_once(clip, view)):
                yield Fault("GRD302", clip, window.step)
        used.update(window.step.held if window.step is not None else ())


def _at_once(clip: Event, view: View) -> Iterator[Event]:
    """The clips of all optimizers that one call may mean: it is for those that were unscaled, where there are any."""
    for each in view.trace.of(What.CLIP):
        if each.node is clip.node and each.turns == clip.turns and not set(each.held).isdisjoint(clip.held):
            yield each


def clip_after_step(view: View) -> Iterator[Fault]:
    """Gradients are clipped when the step that they were for is over."""
    for before, window in zip(view.windows, view.windows[1:], strict=False):
        for clip in window.before_first(What.CLIP):
            if before.step is not None and same_iteration(before.step, clip) and not _hooked(before.step, view):
                yield Fault("GRD303", clip, before.step)


def _hooked(step: Event, view: View) -> bool:
    """Whether a step is taken by a hook of the backward pass: each parameter has its own."""
    return any(hook is call for call in step.stack for hook in view.trace.hooked)


def bypassed(view: View) -> Iterator[Fault]:
    """The loss was scaled and the step does not know it, or the other way round."""
    for step in view.steps:
        own = [view.trace.events[place] for place in step.held]
        if not own or step.through in _OWN or any(event.through in _OWN for event in own):
            continue
        if step.scaled and any(factor.doubt for _, factor in step.terms):
            continue
        scaled = {event.scaled for event in own}
        if scaled == {not step.scaled}:
            yield Fault("GRD306", step, own[-1])


def never_updated(view: View) -> Iterator[Fault]:
    """The scaler steps, and its factor is never set."""
    steps = [step for step in view.steps if step.scaled and step.through == "scaler" and step.terms]
    handed = any("scaler" in call.handed for call in view.trace.of(What.CALL))
    if steps and not handed and not view.trace.of(What.SCALER_UPDATE) and _goes_on(steps):
        yield Fault("GRD307", steps[0])


def _goes_on(steps: list[Event]) -> bool:
    return len(steps) > 1
