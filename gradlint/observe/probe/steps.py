"""Watches the optimizers: where they are built, when they step, and with which numbers."""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch.optim import Optimizer, lr_scheduler
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from .patches import Patches
from .recorder import Recorder, parameters


def watch(recorder: Recorder, patches: Patches) -> None:
    _watch_steps(recorder, patches)
    _watch_schedules(recorder, patches)


def _watch_steps(recorder: Recorder, patches: Patches) -> None:
    def built(_: Any, optimizer: Any, *__: Any, **___: Any) -> None:
        recorder.note("optimizer", optimizer=recorder.number(optimizer), name=type(optimizer).__name__, rate=_rate(optimizer))

    def begins(optimizer: Any, *_: Any) -> None:
        index = recorder.number(optimizer)
        if index in recorder.quiet:
            recorder.keep()  # the scaler has just unscaled what nobody had
        else:
            recorder.look()
        recorder.stepping.add(index)
        recorder.note(
            "step",
            optimizer=index,
            scaled=index in recorder.quiet,
            through=recorder.path(),
            norm=recorder.states[index][1] if recorder.measures and index in recorder.states else None,
            rate=_rate(optimizer),
            kind=type(optimizer).__name__,
        )

    def ended(optimizer: Any, *_: Any) -> None:
        index = recorder.number(optimizer)
        recorder.stepping.discard(index)
        recorder.keep()
        norm = recorder.states[index][1] if recorder.measures and index in recorder.states else None
        recorder.note("stepped", optimizer=index, weights=_checksum(optimizer, recorder), norm=norm)
        recorder.closes()

    patches.around(Optimizer, "__init__", after=built)
    for handle in (register_optimizer_step_pre_hook(begins), register_optimizer_step_post_hook(ended)):
        patches.also(handle.remove)


def _rate(optimizer: Any) -> float | None:
    groups = getattr(optimizer, "param_groups", None) or [{}]
    rate = groups[0].get("lr")
    return float(rate) if rate is not None else None


def _checksum(optimizer: Any, recorder: Recorder) -> float | None:
    """The sum of all weights, to compare them between processes."""
    if not (recorder.measures and torch.distributed.is_available() and torch.distributed.is_initialized()):
        return None
    with torch.no_grad():
        return float(sum(float(p.detach().double().sum()) for p in parameters(optimizer)))


def _watch_schedules(recorder: Recorder, patches: Patches) -> None:
    """Schedules. One steps once while it is built, and one that is made of others steps them."""
    inside = [0]

    def step_of(original: Any) -> Any:
        def step(scheduler: Any, *args: Any, **kwargs: Any) -> Any:
            if patches.active and not inside[0]:
                _scheduled(recorder, scheduler)
            inside[0] += 1
            try:
                return original(scheduler, *args, **kwargs)
            finally:
                inside[0] -= 1

        step.__name__, step.__doc__ = "step", original.__doc__
        return step

    def init_of(original: Any) -> Any:
        def __init__(scheduler: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
            inside[0] += 1
            try:
                original(scheduler, *args, **kwargs)
            finally:
                inside[0] -= 1

        return functools.wraps(original)(__init__)

    for kind in {each for each in vars(lr_scheduler).values() if isinstance(each, type) and hasattr(each, "step")}:
        if issubclass(kind, LRScheduler):
            for name, made in (("step", step_of), ("__init__", init_of)):
                if name in vars(kind):
                    patches.replace(kind, name, made(vars(kind)[name]))


def _scheduled(recorder: Recorder, scheduler: Any) -> None:
    recorder.look()
    optimizer = getattr(scheduler, "optimizer", None)
    index = recorder.number(optimizer) if optimizer is not None else -1
    recorder.note("schedule", optimizer=index, schedule=id(scheduler), length=_length(scheduler), name=type(scheduler).__name__)


def _length(scheduler: Any) -> float | None:
    """How many steps a schedule was built for; None if it has no end."""
    for name in ("total_steps", "T_max"):
        if isinstance(getattr(scheduler, name, None), (int, float)):
            return float(getattr(scheduler, name))
    known = getattr(next(iter(getattr(scheduler, "lr_lambdas", ())), None), "keywords", {}).get("num_training_steps")
    return float(known) if known is not None else None
