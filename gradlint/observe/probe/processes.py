"""Watches whether gradients are averaged over processes."""

from __future__ import annotations

from typing import Any

from torch.nn.parallel import DistributedDataParallel

from .frames import Spot, place
from .patches import Patches
from .recorder import Recorder


def watch(recorder: Recorder, patches: Patches) -> None:
    state: dict[str, Any] = {"reduced": None, "forward": []}
    contexts: list[list[Spot]] = []

    def forward(model: Any, *_: Any, **__: Any) -> None:
        if model.training:
            state.update(reduced=bool(model.require_backward_grad_sync), forward=place())

    def reduction() -> dict[str, Any] | None:
        """What the last forward pass of a wrapped model decided for the backward pass; None if no model is wrapped."""
        if state["reduced"] is None:
            return None
        return {"reduced": state["reduced"], "forward": state["forward"], "at": contexts[-1] if contexts else None}

    recorder.reduction = reduction
    patches.around(DistributedDataParallel, "forward", before=forward)
    _around_no_sync(patches, contexts)


def _around_no_sync(patches: Patches, contexts: list[list[Spot]]) -> None:
    from contextlib import contextmanager

    original = DistributedDataParallel.no_sync

    def no_sync(model: Any) -> Any:
        if not patches.active:
            return original(model)
        here = place()

        @contextmanager
        def within() -> Any:
            contexts.append(here)
            try:
                with original(model):
                    yield
            finally:
                contexts.remove(here)

        return within()

    no_sync.__name__, no_sync.__doc__ = "no_sync", original.__doc__
    patches.replace(DistributedDataParallel, "no_sync", no_sync)
