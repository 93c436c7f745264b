"""Watches what else touches gradients: zeroing and clipping."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from .patches import Patches
from .recorder import Recorder


def watch(recorder: Recorder, patches: Patches) -> None:
    def zeroes(optimizer: Any, *_: Any, **__: Any) -> None:
        recorder.look()
        recorder.note("zero", optimizer=recorder.number(optimizer))

    def zeroes_all(module: nn.Module, *_: Any, **__: Any) -> None:
        recorder.look()
        for index in recorder.owners(module.parameters()):
            recorder.note("zero", optimizer=index)

    def kept(*_: Any, **__: Any) -> None:
        recorder.keep()

    def clips(given: Any, *_: Any, **__: Any) -> None:
        recorder.look()
        for index in recorder.owners([given] if isinstance(given, Tensor) else given):
            recorder.note("clip", optimizer=index, norm=_measured(recorder, index))

    patches.around(Optimizer, "zero_grad", before=zeroes, after=kept)
    patches.around(nn.Module, "zero_grad", before=zeroes_all, after=kept)
    for name in ("clip_grad_norm_", "clip_grad_value_"):
        _around_clip(patches, name, clips, kept)


def _around_clip(patches: Patches, name: str, before: Any, after: Any) -> None:
    """Watch a clip under both of its names. Parameters that come from a generator are listed, as PyTorch itself does."""
    from torch.nn.utils import clip_grad

    original = getattr(clip_grad, name)

    def call(parameters: Any, *args: Any, **kwargs: Any) -> Any:
        if not patches.active:
            return original(parameters, *args, **kwargs)
        given = parameters if isinstance(parameters, Tensor) else list(parameters)
        before(given)
        result = original(given, *args, **kwargs)
        after()
        return result

    call.__name__, call.__doc__, call.__module__ = name, original.__doc__, original.__module__
    for owner in (clip_grad, torch.nn.utils):
        patches.replace(owner, name, call)


def _measured(recorder: Recorder, index: int) -> float | None:
    return recorder.states[index][1] if recorder.measures and index in recorder.states else None
