"""Runs a training script under PyTorch's own hooks and records what happened, in order, without a look at its source."""

from __future__ import annotations

import signal
import sys
import tempfile
import types
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from math import inf
from typing import Any
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader, TensorDataset

PATIENCE = 20
"""Seconds after which a script is taken to hang."""


class What(str, Enum):
    """What a mark stands for."""

    PASS = "a pass over the data begins"
    LOSS = "the criterion is evaluated"
    BACKWARD = "backward"
    ZERO = "gradients are gone"
    RESCALE = "gradients were multiplied"
    CLIP = "clip"
    UNSCALE = "unscale"
    STEP = "optimizer step"
    SCALER_UPDATE = "scaler update"
    SCHEDULE = "scheduler step"
    AVERAGE = "average of the weights"
    REPORT = "loss report"


@dataclass(frozen=True)
class Mark:
    """One thing that happened.

    `micro` counts criterion evaluations so far; `optimizer` is the number of the optimizer concerned, by the order in
    which they were built. `factors` are, for a backward pass, what the gradient of each term of the loss was multiplied by,
    without the scaler's part; `scaled` says that a GradScaler scaled the loss (backward), that the gradients were still
    scaled (clip), or that the step came through the scaler (step); `reduced` that DDP averaged the gradients;
    `value` is a factor, a reported number, or the length that a schedule was built for.
    """

    what: What
    micro: int
    optimizer: int = 0
    factors: tuple[tuple[str, float], ...] = ()
    scaled: bool = False
    reduced: bool = False
    value: float = 0.0


@dataclass
class Trace:
    """What one run did, and what it left behind."""

    marks: list[Mark] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)  # the mean loss of each micro-batch, by the order of evaluation
    weights: Tensor = field(default_factory=lambda: torch.zeros(0))
    average: Tensor | None = None
    coupled: bool = False  # an Adam without decoupled weight decay made steps
    toggled: bool = False  # synchronisation was switched off at some time
    outside: bool = False  # and a forward pass ran outside of where it was
    error: str = ""

    def of(self, *what: What) -> list[Mark]:
        """The marks of some kinds, in order."""
        return [mark for mark in self.marks if mark.what in what]


class Net(nn.Module):
    """Two layers, so that two optimizers have something to do."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(3, 4)
        self.head = nn.Linear(4, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(torch.tanh(self.body(inputs)))


class Average:
    """An exponential average of one's own make, as many projects have it."""

    def __init__(self, model: nn.Module, decay: float = 0.8) -> None:
        self.decay = decay
        self.model = model
        self.shadow = [p.detach().clone() for p in model.parameters()]

    def update(self, *_: object) -> None:
        for mine, p in zip(self.shadow, self.model.parameters(), strict=True):
            mine.lerp_(p.detach(), 1 - self.decay)


def samples(micro_batches: int) -> TensorDataset:
    """Two points for each micro-batch, with their classes."""
    generator = torch.Generator().manual_seed(7)
    x = torch.randn(2 * micro_batches, 3, generator=generator, dtype=torch.float64)
    return TensorDataset(x, (x @ torch.tensor([1.0, 0.6, -0.3], dtype=torch.float64) > 0).long())


@cache
def alone() -> None:
    """Make this process a group of its own, as DistributedDataParallel wants one."""
    folder = tempfile.mkdtemp()
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=0, world_size=1)


@contextmanager
def laboratory(dataset: TensorDataset) -> Iterator[None]:
    """The module `toy` that generated scripts take their model and data from, and a default type that sums exactly enough."""
    toy = types.ModuleType("toy")
    toy.__dict__.update(Net=Net, ExponentialMovingAverage=Average, dataset=dataset)
    dtype, threads = torch.get_default_dtype(), torch.get_num_threads()
    sys.modules["toy"] = toy  # not `patch.dict`, which would forget what the script imports for the first time
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    try:
        yield
    finally:
        torch.set_default_dtype(dtype)
        torch.set_num_threads(threads)
        del sys.modules["toy"]


def run(source: str, micro_batches: int, arguments: tuple[str, ...] = ()) -> Trace:
    """Run a script over so many micro-batches a pass, as `python train.py ARGUMENTS` would, and record it.

    What goes wrong in the script ends it and is the trace's `error`.
    """
    watcher = _Watcher()
    if "DistributedDataParallel" in source:
        alone()
    names = {"__name__": "__main__", "print": watcher.reported}
    with laboratory(samples(micro_batches)), watcher.watching(), patch.object(sys, "argv", ["train.py", *arguments]), _limit():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                exec(compile(source, "train.py", "exec"), names)
            except (Exception, SystemExit) as error:
                watcher.trace.error = f"{type(error).__name__}: {error}"
        watcher.finish()
    _forget_accelerators()
    return watcher.trace


@contextmanager
def _limit() -> Iterator[None]:
    def late(*_: object) -> None:
        raise TimeoutError(f"no end after {PATIENCE} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


class _Watcher:
    """Wraps what PyTorch offers to a training script; one instance a run."""

    def __init__(self) -> None:
        self.trace = Trace()
        self.optimizers: list[Optimizer] = []
        self.scalers: set[int] = set()
        self.models: list[nn.Module] = []
        self.averages: list[AveragedModel | Average] = []
        self.norms: dict[int, float] = {}
        self.pending: dict[str, float] = {}
        self.factor = 1.0
        self.unscaled: dict[int, bool] = {}
        self.in_scaler = False
        self.stepped: set[int] = set()  # the optimizers that the scaler has stepped since its last update
        self.building = 0
        self.reductions = 0
        self.seen_reductions = 0
        self.within = False

    # What is noted

    def note(self, what: What, **more: Any) -> None:
        self.trace.marks.append(Mark(what, len(self.trace.losses), **more))

    def look(self) -> None:
        """Note what happened to the gradients since the last look: gone, or multiplied."""
        for number, optimizer in enumerate(self.optimizers):
            now, before = _norm(optimizer), self.norms.get(number, 0.0)
            if before and not now:
                self.note(What.ZERO, optimizer=number)
            elif before and abs(now / before - 1) > 1e-9:
                self.note(What.RESCALE, optimizer=number, value=now / before)
            self.norms[number] = now

    def keep(self) -> None:
        """Take the gradients as they are now for known."""
        for number, optimizer in enumerate(self.optimizers):
            self.norms[number] = _norm(optimizer)

    def numbers(self, parameters: Iterable[Tensor]) -> list[int]:
        """The optimizers that any of some parameters belong to."""
        given = {id(p) for p in parameters}
        return [k for k, each in enumerate(self.optimizers) if any(id(p) in given for p in _parameters(each))]

    def reported(self, *values: object, **_: object) -> None:
        """What stands in for `print` in the script."""
        for value in values:
            if isinstance(value, float):
                self.note(What.REPORT, value=value)

    def finish(self) -> None:
        self.trace.outside = self.trace.toggled and not self.within
        if self.models:
            self.trace.weights = _flat(self.models[0].parameters())
        for average in self.averages[:1]:
            weights = average.module.parameters() if isinstance(average, AveragedModel) else average.shadow
            self.trace.average = _flat(weights)

    # What is watched

    @contextmanager
    def watching(self) -> Iterator[None]:
        with ExitStack() as stack:
            self.stack = stack
            stack.callback(register_optimizer_step_pre_hook(self.before_step).remove)
            stack.callback(register_optimizer_step_post_hook(self.after_step).remove)
            for name in ("cross_entropy", "l1_loss", "mse_loss"):
                self.around(F, name, after=lambda result, *_, name=name, **__: self.evaluated(name, result))
            self.around(torch.autograd, "backward", before=self.before_backward, after=self.after_backward)
            for name in ("clip_grad_norm_", "clip_grad_value_"):
                self.around(nn.utils, name, before=self.before_clip, after=lambda *_, **__: self.keep(), forgives=RuntimeError)
            self.around(LRScheduler, "__init__", before=self.building_schedule, after=self.built_schedule)
            self.around(LRScheduler, "step", before=self.before_schedule, forgives=ValueError)
            self.around(Optimizer, "__init__", after=lambda _, each, *__, **___: self.optimizers.append(each))
            self.around(AveragedModel, "__init__", after=lambda _, each, *__, **___: self.averages.append(each))
            self.around(AveragedModel, "update_parameters", before=lambda *_: self.averaged())
            self.around(Average, "__init__", after=lambda _, each, *__, **___: self.averages.append(each))
            self.around(Average, "update", before=lambda *_: self.averaged())
            self.around(Net, "__init__", after=lambda _, each, *__: self.models.append(each))
            self.around(DataLoader, "__iter__", before=lambda *_: (self.look(), self.note(What.PASS)))
            self.around(DistributedDataParallel, "__init__", after=self.wrapped)
            self.around(DistributedDataParallel, "no_sync", before=self.entered)
            self.watch_scaler()
            yield

    def around(
        self,
        owner: Any,
        name: str,
        before: Callable[..., object] | None = None,
        after: Callable[..., object] | None = None,
        forgives: type[Exception] | tuple[()] = (),
    ) -> None:
        """Have every call of `owner.name` noted; what it `forgives` is a step too many, or a clip of nothing: the run goes on."""
        original = getattr(owner, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            args = tuple(list(each) if isinstance(each, types.GeneratorType) else each for each in args)
            if before is not None:
                before(*args, **kwargs)
            try:
                result = original(*args, **kwargs)
            except forgives:
                result = None
            if after is not None:
                after(result, *args, **kwargs)
            return result

        call.__name__ = name
        self.stack.enter_context(patch.object(owner, name, call))

    def evaluated(self, name: str, result: Tensor) -> None:
        if not result.requires_grad:
            return
        if name == "cross_entropy":
            self.look()
            self.trace.losses.append(result.item())
            self.note(What.LOSS)
        else:
            self.trace.losses[-1] += 0.1 * result.item()
        result.register_hook(lambda gradient: self.pending.__setitem__(name, float(gradient)))

    def before_backward(self, *_: Any, **__: Any) -> None:
        self.look()
        self.pending.clear()

    def after_backward(self, *_: Any, **__: Any) -> None:
        scaled = self.factor != 1.0
        self.keep()
        # Weights that a bypassed scaler threw off give no gradient, or none that is a number: nothing shows what was divided.
        measured = all(0 < norm < inf for norm in self.norms.values())
        factors = tuple((name, value / self.factor) for name, value in sorted(self.pending.items()) if measured)
        self.factor = 1.0
        reduced = self.reductions > self.seen_reductions
        self.seen_reductions = self.reductions
        for number in range(len(self.optimizers)):
            self.unscaled.setdefault(number, True)
            if scaled:
                self.unscaled[number] = False
        self.note(What.BACKWARD, factors=factors, scaled=scaled, reduced=reduced)

    def before_clip(self, parameters: Any, *_: Any, **__: Any) -> None:
        self.look()
        given = [parameters] if isinstance(parameters, Tensor) else parameters
        for number in self.numbers(given):
            self.note(What.CLIP, optimizer=number, scaled=not self.unscaled.get(number, True))

    def before_step(self, optimizer: Optimizer, *_: Any) -> None:
        if self.in_scaler:
            self.keep()  # the scaler has just unscaled what nobody had
        else:
            self.look()
        number = self.optimizers.index(optimizer)
        # A step that is refused by the scaler never comes here; one past the scaler does.
        self.note(What.STEP, optimizer=number, scaled=self.in_scaler)
        group = optimizer.param_groups[0]
        if isinstance(optimizer, torch.optim.Adam) and not isinstance(optimizer, torch.optim.AdamW):
            self.trace.coupled |= bool(group["weight_decay"]) and not group.get("decoupled_weight_decay", False)

    def after_step(self, optimizer: Optimizer, *_: Any) -> None:
        self.unscaled[self.optimizers.index(optimizer)] = True
        self.keep()

    def building_schedule(self, *_: Any, **__: Any) -> None:
        self.building += 1

    def built_schedule(self, _: object, *__: Any, **___: Any) -> None:
        self.building -= 1

    def before_schedule(self, scheduler: LRScheduler, *_: Any) -> None:
        if not self.building:
            self.look()
            self.note(What.SCHEDULE, value=_length(scheduler))

    def averaged(self) -> None:
        self.look()
        self.note(What.AVERAGE)

    # Mixed precision

    def watch_scaler(self) -> None:
        kind = torch.amp.GradScaler
        scale, unscale, step, update = kind.scale, kind.unscale_, kind.step, kind.update

        def scaled(scaler: Any, outputs: Any) -> Any:
            result = scale(scaler, outputs)
            if scaler.is_enabled():
                self.factor = float(scaler.get_scale())
            return result

        def unscaled(scaler: Any, optimizer: Optimizer) -> None:
            if not scaler.is_enabled():
                return
            self.look()
            number = self._number(optimizer)
            self.note(What.UNSCALE, optimizer=number)
            try:
                unscale(scaler, optimizer)
            except RuntimeError:
                if number not in self.stepped:
                    return  # a second time in one window: noted, and the run goes on
                scaler._per_optimizer_states.clear()  # never updated, which PyTorch refuses
                unscale(scaler, optimizer)
            self.unscaled[number] = True
            self.keep()

        def stepped(scaler: Any, optimizer: Optimizer, *args: Any, **kwargs: Any) -> Any:
            if not scaler.is_enabled():
                return step(scaler, optimizer, *args, **kwargs)
            self.look()
            self.in_scaler = True
            try:
                return step(scaler, optimizer, *args, **kwargs)
            except RuntimeError:
                scaler._per_optimizer_states.clear()
                return step(scaler, optimizer, *args, **kwargs)
            except AssertionError:  # there is no gradient
                return self._raw(optimizer).step()
            finally:
                self.stepped.add(self._number(optimizer))
                self.in_scaler = False
                self.keep()

        def updated(scaler: Any, new_scale: Any = None) -> None:
            if not scaler.is_enabled():
                return
            self.look()
            self.note(What.SCALER_UPDATE)
            self.stepped.clear()
            try:
                update(scaler, new_scale)
            except AssertionError:
                scaler._per_optimizer_states.clear()

        for name, call in (("scale", scaled), ("unscale_", unscaled), ("step", stepped), ("update", updated)):
            self.stack.enter_context(patch.object(kind, name, call))

    def _raw(self, optimizer: Any) -> Optimizer:
        return getattr(optimizer, "optimizer", optimizer)

    def _number(self, optimizer: Any) -> int:
        return self.optimizers.index(self._raw(optimizer))

    # Several processes, of which this is the only one

    def wrapped(self, _: object, model: DistributedDataParallel, *__: Any, **___: Any) -> None:
        def reduce(state, bucket):  # type: ignore[no-untyped-def]  # DDP refuses annotations that are strings
            self.reductions += 1
            done = torch.futures.Future()
            done.set_result(bucket.buffer())
            return done

        model.register_comm_hook(None, reduce)
        model.register_forward_pre_hook(lambda each, _: self.forward(each))

    def forward(self, model: Any) -> None:
        if not model.require_backward_grad_sync:
            self.trace.toggled = self.within = True

    def entered(self, *_: Any) -> None:
        self.trace.toggled = True


def _parameters(optimizer: Optimizer) -> list[Tensor]:
    return [p for group in optimizer.param_groups for p in group["params"]]


def _norm(optimizer: Optimizer) -> float:
    return float(sum(float(p.grad.detach().square().sum()) for p in _parameters(optimizer) if p.grad is not None)) ** 0.5


def _flat(tensors: Iterable[Tensor]) -> Tensor:
    return torch.cat([each.detach().reshape(-1) for each in tensors]).clone()


def _length(scheduler: LRScheduler) -> float:
    """How many steps a schedule was built for; 0 where it has no end."""
    for name in ("total_steps", "T_max", "total_iters"):
        if hasattr(scheduler, name):
            return float(getattr(scheduler, name))
    if isinstance(scheduler, LambdaLR):
        return float(getattr(scheduler.lr_lambdas[0], "keywords", {}).get("num_training_steps", 0))
    return 0.0


def _forget_accelerators() -> None:
    """Accelerate keeps its settings in the process; the next script is to begin without them."""
    if "accelerate" in sys.modules:
        from accelerate.state import AcceleratorState, GradientState

        AcceleratorState._reset_state(reset_partial_state=True)
        GradientState._reset_state()
