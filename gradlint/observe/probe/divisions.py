"""Watches where a loss is multiplied or divided by a number. Only the place is taken; the number is in the graph of the loss."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .frames import place
from .patches import Patches
from .recorder import Recorder

_METHODS = "__truediv__ __itruediv__ div div_ __mul__ __rmul__ __imul__ mul mul_ mean".split()
_MOST = 2000


def watch(recorder: Recorder, patches: Patches) -> None:
    def computed(result: Any, *_: Any, **__: Any) -> None:
        if (
            isinstance(result, Tensor)
            and result.grad_fn is not None
            and result.numel() == 1
            and not torch.compiler.is_compiling()
        ):
            recorder.places[result.grad_fn._sequence_nr()] = place()
            if len(recorder.places) > _MOST:
                recorder.places.popitem(last=False)

    for name in _METHODS:
        if hasattr(Tensor, name):
            patches.around(Tensor, name, after=computed)
    for name in ("mean", "div", "mul"):
        patches.around(torch, name, after=computed)
