"""Clipping, and the scaler of mixed precision (GRD301 to GRD307)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import libcst as cst

from gradlint.simulate.faults import Fault
from gradlint.simulate.trace import Event, Trace, What
from gradlint.simulate.views import View
from gradlint.simulate.windows import same_iteration

_INSIDE = ((What.CLIP, "GRD301"), (What.UNSCALE, "GRD304"), (What.SCALER_UPDATE, "GRD305"))
MIXED = "only some of the losses of a window are scaled"
_OWN = frozenset(("wrapper argument", "deepspeed", "function", "object", "optimizer", "lightning", "accelerator", "fabric"))
"""What may scale and unscale internally."""


def inside_window(view: View) -> Iterator[Fault]:
    """Something that should happen once per update happens between two micro-batches of a window."""
    for window in view.windows:
        for what, code in _INSIDE:
            for event in window.between(what):
                if (event.terms or what is not What.CLIP) and not view.at_boundaries(event):
                    at = _called_by(event, view) if what is What.CLIP and not event.text and not event.through else None
                    yield Fault(code, event, window.step or view.steps[0], at=at)


def _called_by(clip: Event, view: View) -> cst.CSTNode | None:
    """The call that leads from the code with the backward pass to a hand-written clip; None if the clip is in that code."""
    backward = view.trace.events[clip.held[-1]] if clip.held else clip
    shared = sum(one is other for one, other in zip(clip.stack, backward.stack, strict=False))
    return clip.stack[shared] if shared < len(clip.stack) else None


def without_unscale(view: View) -> Iterator[Fault]:
    """Gradients are clipped with the scaler's factor in them."""
    used: set[int] = set()
    for window in view.windows:
        for clip in window.of(What.CLIP):
            through = window.step is None or window.step.scaled  # if the step bypasses the scaler, that is the fault instead
            if clip.through or not (clip.scaled and clip.terms and through) or used.issuperset(clip.held) or _left(clip, view):
                continue
            if all(each.scaled for each in _at_once(clip, view)):
                yield Fault("GRD302", clip, window.step)
        used.update(window.step.held if window.step is not None else ())


def _left(clip: Event, view: View) -> bool:
    """Whether a clip in a loop over other data clips only what an earlier loop left behind."""
    return bool(clip.held) and all(_elsewhere(clip, view.trace.events[place]) for place in clip.held)


def _elsewhere(clip: Event, before: Event) -> bool:
    """Whether a clip is in a loop entered after an event, and other micro-batches came in between."""
    return before.micro < clip.micro and bool(clip.loops) and clip.loops[-1] not in before.loops


def _at_once(clip: Event, view: View) -> Iterator[Event]:
    """The clips of all optimizers that one call may mean. It is for the unscaled ones, if there are any."""
    for each in view.trace.of(What.CLIP):
        if each.node is clip.node and each.turns == clip.turns and not set(each.held).isdisjoint(clip.held):
            yield each


def clip_after_step(view: View) -> Iterator[Fault]:
    """Gradients are clipped after the step that uses them, and not for another step that follows without a backward pass."""
    for before, window in zip(view.windows, view.windows[1:], strict=False):
        if window.step is not None and not window.backwards:
            continue
        for clip in window.before_first(What.CLIP):
            step = before.step
            if step is not None and same_iteration(step, clip) and not _elsewhere(clip, step) and not _hooked(step, view):
                yield Fault("GRD303", clip, step)


def _hooked(step: Event, view: View) -> bool:
    """Whether a hook of the backward pass takes the step, one for each parameter."""
    return any(hook is call for call in step.stack for hook in view.trace.hooked)


def bypassed(view: View) -> Iterator[Fault]:
    """The loss is scaled but the step bypasses the scaler, or the other way round."""
    for step in view.steps:
        own = [view.trace.events[place] for place in step.held]
        if not own or step.through in _OWN or any(event.through in _OWN for event in own):
            continue
        if step.scaled and any(factor.doubt for _, factor in step.terms):
            continue
        scaled = {event.scaled for event in own}
        if scaled == {not step.scaled}:
            yield Fault("GRD306", step, own[-1])
        elif step.scaled and (plain := next((each for each in own if _joins_unscaled(each, own)), None)) is not None:
            yield Fault("GRD306", plain, step, why=MIXED)


def _joins_unscaled(event: Event, own: list[Event]) -> bool:
    """Whether a loss is not scaled, and comes from the models whose other losses are."""
    models = _models((event,))
    return not event.scaled and bool(models) and models <= _models(each for each in own if each.scaled)


def _models(events: Iterable[Event]) -> set[str]:
    """The models that the losses of some backward passes come from."""
    return {model for event in events for source, _ in event.terms for model in source.models}


def never_updated(view: View) -> Iterator[Fault]:
    """The scaler steps, but its factor is never updated."""
    steps = [step for step in view.steps if step.scaled and step.through == "scaler" and step.terms]
    handed = any("scaler" in call.handed for call in view.trace.of(What.CALL))
    if steps and not handed and not view.trace.of(What.SCALER_UPDATE) and _goes_on(steps) and _is_last(steps[0], view.trace):
        yield Fault("GRD307", steps[0])


def _is_last(step: Event, trace: Trace) -> bool:
    """Whether no other optimizer steps through a scaler before the next backward pass. One update serves all steps."""
    place = next((place for place, event in enumerate(trace.events) if event is step), len(trace.events))
    for event in trace.events[place + 1 :]:
        if event.what is What.BACKWARD:
            break
        if event.what is What.STEP and event.through == "scaler" and event.target != step.target:
            return False
    return True


def _goes_on(steps: list[Event]) -> bool:
    return len(steps) > 1
