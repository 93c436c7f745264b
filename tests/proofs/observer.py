"""Runs training code and notes what really happened, without the code's help: weights, gradients, clips, schedules."""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import torch
from torch.distributed.fsdp import FullyShardedDataParallel, fully_sharded_data_parallel
from torch.nn.parallel import DistributedDataParallel
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.optim.swa_utils import AveragedModel


@dataclass
class Clip:
    """One call of `clip_grad_norm_`: the norm it saw, its bound, and the backward passes since the last update."""

    norm: float
    bound: float
    backwards: int

    @property
    def bites(self) -> bool:
        return self.norm > self.bound


@dataclass
class Observed:
    """What one run of training code did."""

    initial: torch.Tensor = field(default_factory=lambda: torch.zeros(0))
    first: torch.Tensor = field(default_factory=lambda: torch.zeros(0))  # the weights after the first update
    final: torch.Tensor = field(default_factory=lambda: torch.zeros(0))
    weights: list[torch.Tensor] = field(default_factory=list)  # after each update
    gradients: list[torch.Tensor] = field(default_factory=list)  # what each update was given
    counted: list[int] = field(default_factory=list)  # the backward passes whose gradients each update was given
    held: list[float] = field(default_factory=list)  # the norm of what `.grad` holds after each backward pass
    rates: list[float] = field(default_factory=list)  # the learning rate of each update
    windows: list[int] = field(default_factory=list)  # the backward passes before each update
    pending: int = 0  # the backward passes that no update followed
    clips: list[Clip] = field(default_factory=list)
    schedule_steps: int | None = None
    last_rate: float | None = None  # what the schedule ended on
    average: torch.Tensor | None = None
    average_steps: int = 0
    lags: list[tuple[int, float]] = field(default_factory=list)  # each averaging: backward passes, distance to the weights
    reductions: int = 0  # all-reduces of gradients
    reduced: list[int] = field(default_factory=list)  # the backward pass of each, counted from 1
    printed: str = ""
    error: str = ""

    @property
    def updates(self) -> int:
        return len(self.gradients)

    @property
    def passes(self) -> int:
        """All backward passes, with those that no update followed."""
        return sum(self.windows) + self.pending


def observe(training: Callable[[], object]) -> Observed:
    """Run training code under observation. An exception of the code becomes its `error`."""
    seen = Observed()
    stdout = io.StringIO()
    dtype, threads = torch.get_default_dtype(), torch.get_num_threads()
    torch.set_num_threads(1)  # sums in one order, whatever the machine
    try:
        with warnings.catch_warnings(), redirect_stdout(stdout), redirect_stderr(io.StringIO()), _watching(seen):
            warnings.simplefilter("ignore")
            try:
                training()
            except (RuntimeError, AssertionError, TypeError) as error:
                seen.error = f"{type(error).__name__}: {error}"
    finally:
        torch.set_default_dtype(dtype)
        torch.set_num_threads(threads)
        _forget_accelerators()
    seen.printed = stdout.getvalue()
    return seen


def run_script(source: str, name: str, namespace: dict[str, Any] | None = None) -> Observed:
    """Run a script's text in a namespace of its own, as `python script.py` would, under observation."""
    code, names = compile(source, name, "exec"), {} if namespace is None else namespace
    names |= {"__name__": "__main__", "__file__": name}
    return observe(lambda: exec(code, names))


@contextmanager
def _watching(seen: Observed) -> Iterator[None]:
    parameters: list[torch.Tensor] = []
    schedulers: list[LRScheduler] = []
    averages: list[tuple[AveragedModel, list[torch.Tensor]]] = []
    order: list[int] = []  # of the tensors in a flat parameter that the processes share
    kept: list[list[torch.Tensor]] = []  # the leaves of each backward pass whose gradients were not zeroed since

    def whole(tensors: list[torch.Tensor]) -> list[torch.Tensor]:
        if not any(hasattr(each, "_numels") for each in parameters):
            return tensors
        parts = [part for each, own in zip(tensors, parameters, strict=True) for part in _gathered(each, own)]
        order.extend(() if order else sorted(range(len(parts)), key=lambda k: _rank_of(parts[k])))
        return [parts[number] for number in order]

    def before_update(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        if not parameters:
            parameters.extend(_ordered(p for group in optimizer.param_groups for p in group["params"]))
            seen.initial = _flat(whole(parameters))

    def after_update(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        # Not before: a step may be given the last backward pass as its closure.
        seen.gradients.append(_flat(whole([torch.zeros_like(p) if p.grad is None else p.grad for p in parameters])))
        seen.rates.append(float(optimizer.param_groups[0]["lr"]))
        seen.windows.append(seen.pending)
        seen.counted.append(len(kept) if seen.gradients[-1].any() else 0)
        seen.pending = 0
        seen.final = _flat(whole(parameters))
        seen.weights.append(seen.final)
        if seen.updates == 1:
            seen.first = seen.final

    def backward(tensors: Any = (), *_: Any, **__: Any) -> None:
        seen.pending += 1
        if not any(leaf.grad is not None and bool(leaf.grad.any()) for leaves in kept for leaf in leaves):
            kept.clear()
        kept.append(_leaves(tensors))

    def after_backward(*_: Any, **__: Any) -> None:
        held = {id(leaf): leaf.grad for leaves in kept for leaf in leaves if leaf.grad is not None}
        seen.held.append(float(_flat(list(held.values())).norm()) if held else 0.0)

    def clip(of: Iterable[torch.Tensor], max_norm: float, *_: Any, **__: Any) -> None:
        held = [p.grad for p in of if p.grad is not None]
        norm = float(_flat(held).norm()) if held else 0.0
        seen.clips.append(Clip(norm, float(max_norm), seen.pending))

    def clip_of_shards(model: FullyShardedDataParallel, max_norm: float, *_: Any, **__: Any) -> None:
        held = [part for p in model.parameters() if p.grad is not None for part in _gathered(p.grad, p)]
        seen.clips.append(Clip(float(_flat(held).norm()), float(max_norm), seen.pending))

    def reduce(_, bucket):  # type: ignore[no-untyped-def]  # DDP refuses annotations that are strings
        seen.reductions += 1
        seen.reduced.append(seen.passes)
        mean = bucket.buffer() / torch.distributed.get_world_size()
        torch.distributed.all_reduce(mean)
        done = torch.futures.Future()
        done.set_result(mean)
        return done

    def averaged(average: AveragedModel, *_: Any, **__: Any) -> None:
        averages.append((average, _ordered(average.module.parameters())))

    def average_moved(average: AveragedModel, model: torch.nn.Module, *_: Any, **__: Any) -> None:
        distance = _flat(list(average.module.parameters())) - _flat(list(model.parameters()))
        seen.lags.append((seen.passes, float(distance.norm())))

    def wrapped(model: DistributedDataParallel, *_: Any, **__: Any) -> None:
        model.register_comm_hook(None, reduce)

    with ExitStack() as stack:
        stack.callback(register_optimizer_step_pre_hook(before_update).remove)
        stack.callback(register_optimizer_step_post_hook(after_update).remove)
        _around(stack, torch.autograd, "backward", before=backward, after=after_backward)
        _around(stack, torch.nn.utils, "clip_grad_norm_", before=clip)
        stack.enter_context(patch.object(fully_sharded_data_parallel, "_get_grad_norm", _norm_in_double))
        _around(stack, FullyShardedDataParallel, "clip_grad_norm_", before=clip_of_shards)
        _around(stack, LRScheduler, "__init__", after=lambda each, *_, **__: schedulers.append(each))
        _around(stack, AveragedModel, "__init__", after=averaged)
        _around(stack, AveragedModel, "update_parameters", after=average_moved)
        _around(stack, DistributedDataParallel, "__init__", after=wrapped)
        yield
    for scheduler in schedulers[:1]:
        seen.schedule_steps, seen.last_rate = scheduler.last_epoch, float(scheduler.get_last_lr()[0])
    for average, weights in averages[:1]:
        seen.average, seen.average_steps = _flat(weights), int(average.n_averaged)


def _around(
    stack: ExitStack,
    owner: Any,
    name: str,
    before: Callable[..., object] | None = None,
    after: Callable[..., object] | None = None,
) -> None:
    """Have every call of `owner.name` noted, with its arguments, until the stack unwinds."""
    original = getattr(owner, name)

    def call(*args: Any, **kwargs: Any) -> Any:
        args = tuple(list(each) if isinstance(each, Iterator) else each for each in args)
        if before is not None:
            before(*args, **kwargs)
        result = original(*args, **kwargs)
        if after is not None:
            after(*args, **kwargs)
        return result

    call.__name__ = name
    stack.enter_context(patch.object(owner, name, call))


def _ordered(parameters: Iterable[torch.Tensor]) -> list[torch.Tensor]:
    """Untrained parameters in one order for all runs: some trainers regroup them."""
    return sorted(parameters, key=_rank_of)


def _rank_of(parameter: torch.Tensor) -> tuple[torch.Size, float]:
    return parameter.shape, parameter.flatten()[0].item()


def _norm_in_double(params: Iterable[torch.Tensor], norm_type: float, zero: torch.Tensor, device: torch.device) -> torch.Tensor:
    """As PyTorch's own, which computes in single precision and refuses gradients of double."""
    held = [p.grad for p in params if p.grad is not None]
    return torch.linalg.vector_norm(_flat(held), norm_type).to(device) if held else zero


def _gathered(shard: torch.Tensor, of: Any) -> list[torch.Tensor]:
    """The tensors of which each process holds a part, in a flat parameter or in its gradient."""
    whole = torch.zeros(shard.numel() * torch.distributed.get_world_size(), dtype=shard.dtype)
    torch.distributed.all_gather_into_tensor(whole, shard.detach().contiguous())
    parts = whole[: sum(of._numels)].split(list(of._numels))
    return [part.view(shape) for part, shape in zip(parts, of._shapes, strict=True)]


def _leaves(tensors: Any) -> list[torch.Tensor]:
    """The tensors whose `.grad` a backward pass from these adds to."""
    waiting = [each.grad_fn for each in ([tensors] if isinstance(tensors, torch.Tensor) else tensors)]
    seen: set[Any] = set()
    found = []
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            found += [node.variable] if hasattr(node, "variable") else []
            waiting += [following for following, _ in node.next_functions]
    return found


def _flat(tensors: list[torch.Tensor]) -> torch.Tensor:
    return torch.cat([each.detach().reshape(-1) for each in tensors]).clone()


def _forget_accelerators() -> None:
    """Accelerate keeps its settings in the process; the next script is to begin without them."""
    if "accelerate" in sys.modules:
        from accelerate.state import AcceleratorState, GradientState

        AcceleratorState._reset_state(reset_partial_state=True)
        GradientState._reset_state()
