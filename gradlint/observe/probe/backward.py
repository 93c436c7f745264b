"""Watches backward passes: the terms of the loss, and which optimizers' gradients they add to."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor

from .graphs import Term, terms
from .patches import Patches
from .recorder import Recorder, signature


def watch(recorder: Recorder, patches: Patches) -> None:
    original = torch.autograd.backward
    depth = [0]

    @functools.wraps(original)
    def backward(tensors: Any, *args: Any, **kwargs: Any) -> Any:
        if not patches.active or recorder.over or depth[0]:
            return original(tensors, *args, **kwargs)
        recorder.look()
        before = {index: signature(each) for index, each in recorder.known()}
        about = _about(tensors, kwargs, recorder)
        factor, recorder.factor = recorder.factor, None
        depth[0] += 1
        try:
            result = original(tensors, *args, **kwargs)
        finally:
            depth[0] -= 1
        recorder.trains = True
        fed = [index for index, each in recorder.known() if signature(each) != before.get(index)]
        recorder.note("backward", feeds=fed, factor=factor, stepping=sorted(recorder.stepping), **about)
        recorder.keep()
        return result

    patches.replace(torch.autograd, "backward", backward)
    patches.around(torch.cuda.CUDAGraph, "replay", before=lambda *_: recorder.note("graph"))


def _about(tensors: Any, more: dict[str, Any], recorder: Recorder) -> dict[str, Any]:
    """What is known of a backward pass before it frees the graph."""
    losses = [each for each in ([tensors] if isinstance(tensors, Tensor) else tensors) if isinstance(each, Tensor)]
    return {
        "terms": _terms(losses, recorder),
        "retains": bool(more.get("retain_graph")),
        "through": recorder.path(),
        "parallel": recorder.reduction(),
    }


def _terms(losses: list[Tensor], recorder: Recorder) -> list[dict[str, Any]]:
    found = [each for loss in losses for each in terms(loss)]
    return [_told(each, recorder, alone=len(found) == 1) for each in found]


def _told(term: Term, recorder: Recorder, *, alone: bool) -> dict[str, Any]:
    steps = [{"way": way, "by": number, "at": recorder.places.get(order, [])} for way, number, order in term.steps]
    return {
        "name": term.name,
        "order": term.order,
        "factor": term.factor,
        "steps": steps,
        "sums": term.sums or (alone and term.is_plain_sum),
    }
