"""Which events belong to one micro loop: those of its body and what stands around it, and none of another loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import libcst as cst

from gradlint.model.names.lookup import dominates
from gradlint.model.names.records import RawEvent
from gradlint.model.syntax.expressions import last_name
from gradlint.model.syntax.paths import Guard, exclusive
from gradlint.model.types import Kind

_OVER_OPTIMIZERS = (Kind.OPTIMIZER_STEP, Kind.ZERO_GRAD, Kind.GRAD_SCALE, Kind.UNSCALE)
"""What stands in loops of its own, over optimizers or weights."""

_BEFORE_A_STEP = (Kind.CLIP, Kind.UNSCALE, Kind.GRAD_SCALE)
"""What is done to gradients so that a step finds them as it needs them."""


@dataclass(frozen=True, eq=False)
class Belonging:
    """Judges the events of a trace (`loop` is None for a loopless body; `around` are the loops that it stands in)."""

    events: Sequence[RawEvent]
    backwards: tuple[RawEvent, ...]
    loop: Guard | None
    around: tuple[Guard, ...]

    def is_near(self, event: RawEvent) -> bool:
        """Inside the micro loop, or in a loop around it, or beside it in the same activation; not in another loop."""
        if self.loop is None:
            loops = [g for g in event.path if g.kind == "loop"]
            return any(event is b for b in self.backwards) or not (event.kind is Kind.BACKWARD or self.has_backward(loops))
        if any(g is self.loop for g in event.path):
            return True
        own = [g for g in event.path if g.kind == "loop" and not any(g is each for each in self.around)]
        if event.kind is Kind.BACKWARD or (own and event.kind not in _OVER_OPTIMIZERS):
            return False
        if (own and self.has_backward(own)) or self.is_of_later_pass(event):
            return False
        return any(not exclusive(event.path, backward.path) for backward in self.backwards)

    def is_of_later_pass(self, event: RawEvent) -> bool:
        """A step behind the loop, or what prepares one, that is of another backward pass alone.

        What the loop left was set to zero before that.
        """
        if event.kind not in (Kind.OPTIMIZER_STEP, *_BEFORE_A_STEP):
            return False
        steps = (each for each in self.events if each.kind is Kind.OPTIMIZER_STEP and each.index >= event.index)
        step = next((each for each in steps if not exclusive(each.path, event.path)), None)
        if step is None or step.target is None:
            return False
        end = max(each.index for each in self.events if any(guard is self.loop for guard in each.path))
        between = [each for each in self.events if end < each.index < event.index and dominates(each.path, event.path)]
        zeroed = next((each.index for each in between if each.kind is Kind.ZERO_GRAD and each.target == step.target), None)
        return zeroed is not None and any(each.kind is Kind.BACKWARD and each.index > zeroed for each in between)

    def has_backward(self, loops: Sequence[Guard]) -> bool:
        return any(b.kind is Kind.BACKWARD and any(any(g is each for g in b.path) for each in loops) for b in self.events)

    def is_of_inner_loop(self, event: RawEvent) -> bool:
        """In a loop within the body that has backward passes of its own, and runs as often as it likes."""
        if self.loop is None or not any(guard is self.loop for guard in event.path):
            return False
        inner = [guard for guard in event.path[event.path.index(self.loop) + 1 :] if guard.kind == "loop"]
        own = (each for each in self.events if each.kind is Kind.BACKWARD and not any(each is b for b in self.backwards))
        return bool(inner) and any(guard is loop for each in own for guard in each.path for loop in inner)

    def accumulate_block(self) -> Guard | None:
        """The `with accelerator.accumulate(...)` around a backward pass."""
        return next((guard for backward in self.backwards for guard in _accumulates(backward)), None)

    def is_beside_block(self, event: RawEvent) -> bool:
        """The event can run in an iteration that enters the block; what stands on the other arm is no engine's."""
        return any(not exclusive(backward.path, event.path) for backward in self.backwards if _accumulates(backward))


def _accumulates(backward: RawEvent) -> list[Guard]:
    """The `accumulate` blocks around a backward pass."""
    blocks = (guard for guard in backward.path if guard.kind == "with" and isinstance(guard.test, cst.Call))
    return [guard for guard in blocks if guard.test is not None and last_name(guard.test) == "accumulate"]
