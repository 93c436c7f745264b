"""Wraps what PyTorch offers to a training script, so that a recorder hears of every use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from . import around, gradients, processes, scaler, schedules
from .patches import Patches
from .recorder import Recorder


@contextmanager
def watching(recorder: Recorder) -> Iterator[None]:
    """Have a recorder hear of what happens inside the block; afterwards PyTorch is as it was."""
    with ExitStack() as stack:
        for part in (gradients, scaler, schedules, processes, around):
            part.watch(recorder, Patches(stack))
        yield
