"""Watches the gradient scaler of mixed precision."""

from __future__ import annotations

from typing import Any

import torch

from .patches import Patches
from .recorder import Recorder


def watch(recorder: Recorder, patches: Patches) -> None:
    kind = torch.amp.GradScaler

    def scaled(_: Any, scaler: Any, *__: Any, **___: Any) -> None:
        if scaler.is_enabled() and scaler._scale is not None:
            recorder.factor = float(scaler._scale)

    def unscales(scaler: Any, optimizer: Any) -> None:
        if scaler.is_enabled():
            recorder.look()
            recorder.note("unscale", optimizer=recorder.number(_raw(optimizer)))

    def unscaled(*_: Any, **__: Any) -> None:
        recorder.keep()

    def updates(scaler: Any, *_: Any, **__: Any) -> None:
        if scaler.is_enabled():
            recorder.look()
            recorder.note("scaler update", scale=float(scaler._scale) if scaler._scale is not None else None)

    patches.around(kind, "scale", after=scaled)
    patches.around(kind, "unscale_", before=unscales, after=unscaled)
    patches.around(kind, "update", before=updates)
    _around_step(kind, recorder, patches)


def _around_step(kind: type, recorder: Recorder, patches: Patches) -> None:
    original = kind.step  # type: ignore[attr-defined]

    def step(scaler: Any, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        if not patches.active or not scaler.is_enabled():
            return original(scaler, optimizer, *args, **kwargs)
        recorder.look()
        index = recorder.number(_raw(optimizer))
        recorder.quiet.add(index)
        try:
            return original(scaler, optimizer, *args, **kwargs)
        finally:
            recorder.quiet.discard(index)
            recorder.keep()

    step.__name__, step.__doc__ = "step", original.__doc__
    patches.replace(kind, "step", step)


def _raw(optimizer: Any) -> Any:
    """The optimizer inside a wrapper, such as Accelerate's."""
    inner = getattr(optimizer, "optimizer", optimizer)
    return inner if hasattr(inner, "param_groups") else optimizer
