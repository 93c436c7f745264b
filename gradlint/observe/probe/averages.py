"""Watches averages of the weights."""

from __future__ import annotations

from typing import Any

from .patches import Patches
from .recorder import Recorder


def watch(recorder: Recorder, patches: Patches) -> None:
    from torch.optim.swa_utils import AveragedModel

    def updates(average: Any, *_: Any, **__: Any) -> None:
        recorder.look()
        recorder.note("average", average=id(average))

    patches.around(AveragedModel, "update_parameters", before=updates)
