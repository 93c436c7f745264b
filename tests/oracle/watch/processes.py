"""Watches synchronisation between processes, of which this is the only one."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from .patches import Patches
from .recorder import Recorder


def watch(recorder: Recorder, patches: Patches) -> None:
    def reduce(state, bucket):  # DDP refuses annotations that are strings
        recorder.reductions += 1
        done: torch.futures.Future[Tensor] = torch.futures.Future()
        done.set_result(bucket.buffer())
        return done

    def forward(model: Any, _: Any) -> None:
        if not model.require_backward_grad_sync:
            recorder.trace.toggled = recorder.trace.within = True

    def wrapped(_: object, model: DistributedDataParallel, *__: Any, **___: Any) -> None:
        model.register_comm_hook(None, reduce)
        model.register_forward_pre_hook(forward)

    def entered(*_: Any) -> None:
        recorder.trace.toggled = True

    patches.around(DistributedDataParallel, "__init__", after=wrapped)
    patches.around(DistributedDataParallel, "no_sync", before=entered)
