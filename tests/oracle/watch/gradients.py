"""Watches the way of a gradient: the loss, the backward pass, the clip, the optimizer's step."""

from __future__ import annotations

from math import inf
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.utils.data import DataLoader

from ..laboratory import Net
from ..trace import What
from .patches import Patches
from .recorder import Recorder


def watch(recorder: Recorder, patches: Patches) -> None:
    patches.around(Net, "__init__", after=lambda _, each, *__: recorder.models.append(each))
    patches.around(DataLoader, "__iter__", before=lambda *_: _passed(recorder))
    _watch_backward(recorder, patches)
    for name in ("clip_grad_norm_", "clip_grad_value_"):
        # A list of parameters of which none has a gradient is refused; the clip is noted all the same.
        patches.around(
            nn.utils, name, before=lambda given, *_, **__: _clip(recorder, given), after=lambda *_, **__: _clipped(recorder),
            forgives=RuntimeError,
        )  # fmt: skip
    patches.around(torch, "clamp", before=lambda *_, **__: _bounded(recorder))
    _watch_steps(recorder, patches)


def _passed(recorder: Recorder) -> None:
    """Data that are walked without gradients are evaluated, which is no pass of training."""
    if torch.is_grad_enabled():
        recorder.looked(What.PASS)


def _watch_backward(recorder: Recorder, patches: Patches) -> None:
    """Losses and their backward passes."""
    pending: dict[int, dict[str, float]] = {}  # the gradient of each term of the loss, by the micro-batch
    targets: dict[int, int] = {}
    summed, reductions, normalisations = False, 0, 0

    def evaluated(result: Tensor, _: Tensor, target: Tensor, *__: Any, ignore_index: int = -100, **more: Any) -> None:
        nonlocal summed
        if not result.requires_grad:
            return
        counted = int((target != ignore_index).sum())
        summed = more.get("reduction") == "sum"
        recorder.look()
        recorder.trace.losses.append(result.item() / (counted if summed else 1))
        targets[len(recorder.trace.losses)] = counted
        recorder.note(What.LOSS)
        hook(result, "cross_entropy")

    def second(name: str, result: Tensor) -> None:
        if result.requires_grad:
            recorder.trace.losses[-1] += 0.1 * result.item()
            hook(result, name)

    def hook(result: Tensor, name: str) -> None:
        micro = len(recorder.trace.losses)
        result.register_hook(lambda gradient: pending.setdefault(micro, {}).__setitem__(name, float(gradient)))  # type: ignore[no-untyped-call]

    def before(*_: Any, **__: Any) -> None:
        recorder.look()
        pending.clear()

    def after(*_: Any, **__: Any) -> None:
        nonlocal reductions, normalisations
        recorder.keep()
        # Weights that a bypassed scaler threw off give no gradient, or none that is a number: nothing shows what was divided.
        measured = all(0 < norm < inf for norm in recorder.norms.values())
        factor = recorder.factor
        scaled, recorder.factor = factor != 1.0, 1.0
        reduced, reductions = recorder.reductions > reductions, recorder.reductions
        normalised, normalisations = recorder.normalisations > normalisations, recorder.normalisations
        for number in range(len(recorder.optimizers)):
            recorder.unscaled[number] = recorder.unscaled.get(number, True) and not scaled
        about = {"scaled": scaled, "reduced": reduced, "normalised": normalised, "summed": summed}
        # A sum of several losses has one backward pass, which is as many as it had losses.
        for micro in sorted(pending) or [len(recorder.trace.losses)]:
            terms = sorted(pending.get(micro, {}).items())
            factors = tuple((name, value / factor) for name, value in terms if measured)
            recorder.note(What.BACKWARD, micro=micro, factors=factors, targets=targets.get(micro, 0), **about)

    patches.around(F, "cross_entropy", after=evaluated)
    for name in ("l1_loss", "mse_loss"):
        patches.around(F, name, after=lambda result, *_, name=name, **__: second(name, result))
    patches.around(_BatchNorm, "forward", before=lambda module, *_: _normalise(recorder, module))
    patches.around(torch.autograd, "backward", before=before, after=after)


def _normalise(recorder: Recorder, module: _BatchNorm) -> None:
    if module.training and torch.is_grad_enabled():
        recorder.normalisations += 1


def _clip(recorder: Recorder, parameters: Any) -> None:
    recorder.look()
    recorder.clipping = True
    for number in recorder.numbers([parameters] if isinstance(parameters, Tensor) else parameters):
        recorder.note(What.CLIP, optimizer=number, scaled=not recorder.unscaled.get(number, True))


def _clipped(recorder: Recorder) -> None:
    recorder.clipping = False
    recorder.keep()


def _bounded(recorder: Recorder) -> None:
    """A script that bounds a factor by itself clips by itself: what multiplies the gradients next is no division."""
    if recorder.clipping:
        return
    recorder.look()
    for number in range(len(recorder.optimizers)):
        recorder.note(What.CLIP, optimizer=number, scaled=not recorder.unscaled.get(number, True))
    recorder.expecting = True


def _watch_steps(recorder: Recorder, patches: Patches) -> None:
    """The steps of all optimizers. One that the scaler refuses never comes here; one past the scaler does."""
    weights: list[tuple[Tensor, Tensor]] = []  # as they were before the step, where they are frozen

    def before(optimizer: Optimizer, *_: Any) -> None:
        if recorder.in_scaler:
            recorder.keep()  # the scaler has just unscaled what nobody had
        else:
            recorder.look()
        recorder.note(What.STEP, optimizer=recorder.optimizers.index(optimizer), scaled=recorder.in_scaler)
        if recorder.frozen:
            weights[:] = [(p, p.detach().clone()) for group in optimizer.param_groups for p in group["params"]]
        group = optimizer.param_groups[0]
        if isinstance(optimizer, torch.optim.Adam) and not isinstance(optimizer, torch.optim.AdamW):
            recorder.trace.coupled |= bool(group["weight_decay"]) and not group.get("decoupled_weight_decay", False)

    def after(optimizer: Optimizer, *_: Any) -> None:
        for p, kept in weights:
            p.detach().copy_(kept)
        weights.clear()
        recorder.unscaled[recorder.optimizers.index(optimizer)] = True
        recorder.keep()

    patches.around(Optimizer, "__init__", after=lambda _, each, *__, **___: recorder.optimizers.append(each))
    patches.stack.callback(register_optimizer_step_pre_hook(before).remove)
    patches.stack.callback(register_optimizer_step_post_hook(after).remove)
