"""Hooks the parts of PyTorch that training uses, and takes the hooks off again."""

from __future__ import annotations

import atexit
import os

from . import averages, backward, data, divisions, gradients, processes, scaler, steps
from .limits import Limits
from .patches import Patches
from .recorder import Recorder

PARTS = (data, divisions, backward, gradients, steps, scaler, averages, processes)


def watch(limits: Limits) -> Recorder:
    """Record what the process does, within limits."""
    patches = Patches()
    recorder = Recorder(limits, patches.undo)
    for part in PARTS:
        part.watch(recorder, patches)
    atexit.register(recorder.leave)
    patches.also(lambda: atexit.unregister(recorder.leave))
    os.register_at_fork(after_in_child=patches.undo)
    return recorder
