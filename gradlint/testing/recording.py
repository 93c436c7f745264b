"""Runs a training function on a copy of a model, and records what each optimizer step gets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer, register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from gradlint.testing.neutral import Neutral, silence

Tensors = Mapping[str, Tensor]
Scale = Callable[[int], float]
"""A factor for the gradients of a backward pass, by the number of optimizer steps so far."""


@dataclass(frozen=True, eq=False)
class Step:
    """One optimizer step.

    `gradients` are what the optimizer gets, and `accumulated` what the last backward pass left: a clip or a rescaling may have
    changed them in between. `weights` are those before the step. `begin` and `end` are the numbers of its backward passes, and
    `forwards` counts the calls of the model since the step before.
    `stale` says that the previous window's gradients were still there when this one began.
    """

    optimizer: int
    gradients: Tensors
    accumulated: Tensors
    weights: Tensors
    rates: tuple[float, ...]
    begin: int
    end: int
    forwards: int
    stale: bool


@dataclass(frozen=True, eq=False)
class BackwardPass:
    """What one backward pass adds to the gradients, what was there before it, and what was there after it."""

    added: dict[str, Tensor] = field(default_factory=dict)
    before: dict[str, Tensor] = field(default_factory=dict)
    after: dict[str, Tensor] = field(default_factory=dict)
    rates: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True, eq=False)
class Run:
    """A run of a training function: its steps, and the weights and learning rates that it ends with."""

    steps: tuple[Step, ...]
    passes: int
    forwards: int
    weights: Tensors
    rates: tuple[tuple[float, ...], ...]
    returned: object
    draws: bool
    details: tuple[BackwardPass, ...] = ()

    def of(self, optimizer: int) -> list[Step]:
        """The steps of one optimizer, which are numbered by their first step."""
        return [each for each in self.steps if each.optimizer == optimizer]

    @property
    def optimizers(self) -> int:
        """The number of optimizers that step."""
        return len(self.rates)


def record(
    train: Callable[[nn.Module], object], model: nn.Module, seed: int, *, scale: Scale | None = None, details: bool = False
) -> Run:
    """Run a training function on a model, which it changes. `details` keeps every backward pass."""
    recorder = _Recorder(model, scale, details)
    silence(model)
    default = torch.get_default_dtype()
    with ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(devices=[]))
        stack.enter_context(torch.enable_grad())
        stack.enter_context(recorder)
        floating = next((each.dtype for each in model.parameters() if each.is_floating_point()), default)
        torch.set_default_dtype(torch.float64 if floating is torch.float64 else default)
        stack.callback(torch.set_default_dtype, default)
        torch.manual_seed(seed)
        state = torch.random.get_rng_state()
        stack.enter_context(Neutral())
        returned = train(model)
        draws = not torch.equal(state, torch.random.get_rng_state())
    return recorder.run(returned, draws)


class _Recorder:
    def __init__(self, model: nn.Module, scale: Scale | None, details: bool) -> None:
        self.names = {id(each): name for name, each in model.named_parameters()}
        self.parameters = dict(model.named_parameters())
        self.scale = scale
        self.details: list[BackwardPass] | None = [] if details else None
        self.model = model
        self.optimizers: list[Optimizer] = []
        self.steps: list[Step] = []
        self.passes = 0
        self.forwards = 0
        self.accumulated: dict[str, Tensor] = {}
        self.stale: set[str] = set()
        self._weights: Tensors = {}
        self._fired: set[str] = set()
        self._stepped: set[str] = set()
        self._forward = False
        self._handles: list[Any] = []

    def __enter__(self) -> _Recorder:
        self._handles = [
            register_optimizer_step_pre_hook(self._before_step),
            register_optimizer_step_post_hook(self._after_step),
            self.model.register_forward_pre_hook(self._before_forward),
        ]
        for name, parameter in self.parameters.items():
            parameter.grad = None
            if parameter.requires_grad:
                self._handles.append(parameter.register_hook(self._adding(name, parameter)))  # type: ignore[no-untyped-call]
                self._handles.append(parameter.register_post_accumulate_grad_hook(self._added(name)))  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._handles:
            each.remove()

    def run(self, returned: object, draws: bool) -> Run:
        rates = tuple(_rates(each) for each in self.optimizers)
        details = tuple(self.details or ())
        return Run(tuple(self.steps), self.passes, self.forwards, _copied(self.parameters), rates, returned, draws, details)

    # Backward passes

    def _before_forward(self, *_: object) -> None:
        self._forward = True
        self.forwards += 1

    def _adding(self, name: str, parameter: nn.Parameter) -> Callable[[Tensor], Tensor | None]:
        def hook(gradient: Tensor) -> Tensor | None:
            if self._forward or not self.passes or name in self._fired:
                self._begin()
            self._fired.add(name)
            if name in self._stepped:
                self._stepped.discard(name)
                if parameter.grad is not None and bool(parameter.grad.count_nonzero()):
                    self.stale.add(name)
            factor = 1.0 if self.scale is None else self.scale(len(self.steps))
            changed = gradient if factor == 1.0 else gradient * factor
            if self.details is not None:
                self.details[-1].added[name] = changed.detach().clone()
                if parameter.grad is not None:
                    self.details[-1].before[name] = parameter.grad.detach().clone()
            return None if factor == 1.0 else changed

        return hook

    def _begin(self) -> None:
        self.passes += 1
        self._forward = False
        self._fired.clear()
        if self.details is not None:
            self.details.append(BackwardPass(rates=tuple(_rates(each) for each in self.optimizers)))

    def _added(self, name: str) -> Callable[[Tensor], None]:
        def hook(parameter: Tensor) -> None:
            if parameter.grad is not None:
                self.accumulated[name] = parameter.grad.detach().clone()
                if self.details is not None:
                    self.details[-1].after[name] = self.accumulated[name]

        return hook

    # Steps

    def _before_step(self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        own = self._own(optimizer)
        if _has_closure(args, kwargs):
            self._weights = _copied(own)
        elif own:
            self._note(optimizer, own, _copied(own))

    def _after_step(self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Note a step with a closure, whose backward passes run inside the step."""
        own = self._own(optimizer)
        if own and _has_closure(args, kwargs):
            self._note(optimizer, own, self._weights)

    def _own(self, optimizer: Optimizer) -> dict[str, Tensor]:
        """The parameters of the model that an optimizer updates."""
        every = (each for group in optimizer.param_groups for each in group["params"])
        return {self.names[id(each)]: each for each in every if id(each) in self.names}

    def _note(self, optimizer: Optimizer, own: Tensors, weights: Tensors) -> None:
        if not any(each is optimizer for each in self.optimizers):
            self.optimizers.append(optimizer)
        number = next(at for at, each in enumerate(self.optimizers) if each is optimizer)
        before = [each for each in self.steps if each.optimizer == number]
        self.steps.append(
            Step(
                number,
                {name: each.grad.detach().clone() for name, each in own.items() if each.grad is not None},
                {name: self.accumulated[name] for name in own if name in self.accumulated},
                weights,
                _rates(optimizer),
                before[-1].end if before else 0,
                self.passes,
                self.forwards - sum(each.forwards for each in before),
                bool(self.stale & own.keys()),
            )
        )
        for name in own:
            self.accumulated.pop(name, None)
        self.stale -= own.keys()
        self._stepped |= own.keys()


def _has_closure(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    given = [*args, kwargs.get("closure")]
    return any(callable(each) and not isinstance(each, Optimizer) for each in given)


def _rates(optimizer: Optimizer) -> tuple[float, ...]:
    return tuple(float(group["lr"]) for group in optimizer.param_groups if "lr" in group)


def _copied(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: each.detach().clone() for name, each in tensors.items()}
