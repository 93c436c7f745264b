"""Watches passes over data: where a loader is started, hands out a batch, and ends."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils.data import DataLoader

from .patches import Patches
from .recorder import Recorder


def watch(recorder: Recorder, patches: Patches) -> None:
    def begins(iterator: Any, loader: DataLoader[Any]) -> None:
        if torch.is_grad_enabled():
            recorder.look()
            recorder.note("pass", loader=id(loader), sized=_length(loader))
            _follow(recorder, patches, type(iterator))

    patches.around(DataLoader, "__iter__", after=begins)
    from torch.utils.data import dataloader

    for kind in (dataloader._SingleProcessDataLoaderIter, dataloader._MultiProcessingDataLoaderIter):
        _follow(recorder, patches, kind)


def _follow(recorder: Recorder, patches: Patches, kind: type) -> None:
    """Hear of each batch that iterators of a class hand out."""
    owner = next((each for each in kind.__mro__ if "__next__" in vars(each)), None)
    if owner is None or getattr(vars(owner)["__next__"], "__gradlint_observes__", False):
        return
    original = owner.__next__  # type: ignore[attr-defined]

    def following(self: Any) -> Any:
        if not patches.active or recorder.over:
            return original(self)
        try:
            batch = original(self)
        except StopIteration:
            if torch.is_grad_enabled():
                recorder.look()
                recorder.note("end")
                recorder.pass_ends()
            raise
        if torch.is_grad_enabled():
            recorder.note("draw")
        return batch

    following.__gradlint_observes__ = True  # type: ignore[attr-defined]
    patches.replace(owner, "__next__", following)


def _length(loader: DataLoader[Any]) -> int | None:
    try:
        return len(loader)
    except (TypeError, NotImplementedError):
        return None
