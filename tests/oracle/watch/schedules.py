"""Watches what follows the optimizer: schedules, and averages of the weights."""

from __future__ import annotations

from typing import Any

from torch.optim.lr_scheduler import LambdaLR, LRScheduler
from torch.optim.swa_utils import AveragedModel

from ..laboratory import Average
from ..trace import What
from .patches import Patches
from .recorder import Recorder


def watch(recorder: Recorder, patches: Patches) -> None:
    building = 0  # a schedule steps once while it is built

    def begins(*_: Any, **__: Any) -> None:
        nonlocal building
        building += 1

    def built(*_: Any, **__: Any) -> None:
        nonlocal building
        building -= 1

    def stepped(scheduler: LRScheduler, *_: Any) -> None:
        if not building:
            recorder.look()
            recorder.note(What.SCHEDULE, value=_length(scheduler))

    def overrun() -> None:
        recorder.trace.overrun = True

    patches.around(LRScheduler, "__init__", before=begins, after=built)
    patches.around(LRScheduler, "step", before=stepped, forgives=ValueError, refused=overrun)
    for kind, update in ((AveragedModel, "update_parameters"), (Average, "update")):
        patches.around(kind, "__init__", after=lambda _, each, *__, **___: recorder.averages.append(each))
        patches.around(kind, update, before=lambda *_: recorder.looked(What.AVERAGE))


def _length(scheduler: LRScheduler) -> float:
    """How many steps a schedule was built for; 0 where it has no end."""
    for name in ("total_steps", "T_max", "total_iters"):
        if hasattr(scheduler, name):
            return float(getattr(scheduler, name))
    if isinstance(scheduler, LambdaLR):
        return float(getattr(scheduler.lr_lambdas[0], "keywords", {}).get("num_training_steps", 0))
    return 0.0
