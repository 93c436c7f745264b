"""Watches mixed precision. What `GradScaler` refuses is noted and made good, so that a faulty script runs to its end."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim import Optimizer

from ..trace import What
from .patches import Patches
from .recorder import Recorder


def watch(recorder: Recorder, patches: Patches) -> None:
    kind = torch.amp.GradScaler
    scale, unscale, step, update = kind.scale, kind.unscale_, kind.step, kind.update
    stepped: set[int] = set()  # the optimizers that the scaler has stepped since its last update

    def on_scale(scaler: Any, outputs: Any) -> Any:
        result = scale(scaler, outputs)
        if scaler.is_enabled():
            recorder.factor = float(scaler.get_scale())
        return result

    def on_unscale(scaler: Any, optimizer: Optimizer) -> None:
        if not scaler.is_enabled():
            return
        recorder.look()
        number = recorder.optimizers.index(_raw(optimizer))
        recorder.note(What.UNSCALE, optimizer=number)
        try:
            unscale(scaler, optimizer)
        except RuntimeError:
            if number not in stepped:
                return  # a second time in one window: noted, and the run goes on
            scaler._per_optimizer_states.clear()  # never updated, which PyTorch refuses
            unscale(scaler, optimizer)
        recorder.unscaled[number] = True
        recorder.keep()

    def on_step(scaler: Any, optimizer: Optimizer, *args: Any, **kwargs: Any) -> Any:
        if not scaler.is_enabled():
            return step(scaler, optimizer, *args, **kwargs)
        recorder.look()
        recorder.in_scaler = True
        try:
            return step(scaler, optimizer, *args, **kwargs)
        except RuntimeError:
            scaler._per_optimizer_states.clear()
            return step(scaler, optimizer, *args, **kwargs)
        except AssertionError:  # there is no gradient
            return _raw(optimizer).step()
        finally:
            stepped.add(recorder.optimizers.index(_raw(optimizer)))
            recorder.in_scaler = False
            recorder.keep()

    def on_update(scaler: Any, new_scale: Any = None) -> None:
        if not scaler.is_enabled():
            return
        recorder.looked(What.SCALER_UPDATE)
        stepped.clear()
        try:
            update(scaler, new_scale)
        except AssertionError:
            scaler._per_optimizer_states.clear()

    for name, call in (("scale", on_scale), ("unscale_", on_unscale), ("step", on_step), ("update", on_update)):
        patches.put(kind, name, call)


def _raw(optimizer: Any) -> Optimizer:
    """The optimizer that Accelerate has wrapped."""
    return getattr(optimizer, "optimizer", optimizer)
