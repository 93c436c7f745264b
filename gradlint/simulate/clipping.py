"""Clips that have no effect, and clips of sharded gradients (GRD308, GRD309)."""

from __future__ import annotations

from collections.abc import Iterator

from gradlint.simulate.faults import Fault
from gradlint.simulate.precision import clip_after_step
from gradlint.simulate.trace import Event, What
from gradlint.simulate.views import View
from gradlint.simulate.windows import Window, same_iteration

_MAY_FILL = frozenset(("gradient", "parameters", "optimizer", "network", "an object of an unknown class"))
"""Kinds of arguments through which unseen code may write gradients."""


def before_backward(view: View) -> Iterator[Fault]:
    """Gradients are clipped before there are any, or when they are only stale ones, and not again before the step."""
    late = {id(fault.event.node) for fault in clip_after_step(view)}  # meant for the previous step
    for window in view.closed:
        step = window.step
        first = next(iter(window.backwards), None)
        if step is not None and first is not None and step.terms and not _clipped_behind(window):
            for clip in window.before_first(What.CLIP):
                if (
                    id(clip.node) not in late
                    and same_iteration(clip, first)
                    and _bounds_nothing(clip, view)
                    and not _filled(window, clip, first)
                ):
                    yield Fault("GRD308", clip, step)


def _clipped_behind(window: Window) -> bool:
    """Whether a window is clipped again after its first backward pass."""
    return len(window.of(What.CLIP)) > len(window.before_first(What.CLIP))


def _bounds_nothing(clip: Event, view: View) -> bool:
    """Whether a clip never finds gradients that a later step uses, for any optimizer, no matter when it runs."""
    same = [
        (place, event) for place, event in enumerate(view.trace.events) if event.what is What.CLIP and event.node is clip.node
    ]
    return all(event.target >= 0 and (not event.terms or _goes_unused(place, event, view)) for place, event in same)


def _goes_unused(place: int, clip: Event, view: View) -> bool:
    """Whether an earlier step used the gradients that a clip finds, and they are cleared before anything is added to them."""
    events = view.trace.events
    used = {held for event in events[:place] if event.what is What.STEP for held in event.held}
    if not set(clip.held) <= used:
        return False
    for event in events[place + 1 :]:
        if event.concerns(clip.target):
            if event.what is What.ZERO:
                return True
            if event.what in (What.BACKWARD, What.STEP):
                return False
    return True


def _filled(window: Window, clip: Event, first: Event) -> bool:
    """Whether unseen code may have written gradients before a clip. The code that computes the loss does not count."""
    losses = {id(source.node) for source, _ in first.terms}
    for _, event in window.events:
        if event is clip:
            return False
        if event.what is What.RESCALE:
            return True
        if event.what is What.CALL and not event.only_reads and id(event.node) not in losses and event.handed & _MAY_FILL:
            return True
    return False


def of_windows(view: View, larger: View | None) -> Iterator[Fault]:
    """Gradients are clipped once every N micro-batches, but the optimizer steps on each: the step was meant to close a window."""
    if larger is None or view.size != 1 or larger.size != 1 or view.trace.n == larger.trace.n:
        return
    if view.trace.of(What.COUNT):
        return  # an engine counts windows, and may skip the other steps
    for clip in {id(each.node): each for each in view.of(What.CLIP)}.values():
        if all(_gaps(seen, clip) == {seen.trace.n} != _gaps(seen, seen.steps[0]) for seen in (view, larger)):
            yield Fault("GRD204", view.steps[0], clip)
            return


def _gaps(view: View, clip: Event) -> set[int]:
    """How many backward passes there are between consecutive runs of a clip, within a pass over the data."""
    found = set[int]()
    count, before = 0, -1
    for _, event in view.events:
        if event.what is What.BACKWARD:
            count += 1
        elif event.what in (What.PASS, What.END):
            before = -1
        elif event.node is clip.node:
            found |= {count - before} if before >= 0 else set()
            before = count
    return found


_NORMS = frozenset(f"torch.nn.utils.{name}" for name in ("clip_grad_norm_", "clip_grad_norm", "clip_grad.clip_grad_norm_"))


def of_shards(view: View) -> Iterator[Fault]:
    """A gradient norm is computed from this process's shard only."""
    for clip in view.of(What.CLIP):
        if clip.sharded and clip.text in _NORMS:
            yield Fault("GRD309", clip)
