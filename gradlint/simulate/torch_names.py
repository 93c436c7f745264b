"""Calls known by their full name: Python's functions, and what PyTorch and related libraries build."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import libcst as cst

from gradlint.model.names.vocabulary import Role
from gradlint.model.syntax.expressions import calls_in, last_name
from gradlint.simulate import schedules
from gradlint.simulate.arithmetic import factor_of
from gradlint.simulate.callables import ClassValue, External, Frame, Function, Instance
from gradlint.simulate.contents import flattened
from gradlint.simulate.contrast import places
from gradlint.simulate.engines import accelerate, deepspeed, ignite
from gradlint.simulate.hooks import IN_BACKWARD, register
from gradlint.simulate.joined import joined
from gradlint.simulate.loaders import loader
from gradlint.simulate.machine import Machine
from gradlint.simulate.optimizing import backward, clear, clip, rescale
from gradlint.simulate.owners import owners_of
from gradlint.simulate.python_names import PYTHON
from gradlint.simulate.tensors import FUNCTIONS as TENSOR_FUNCTIONS
from gradlint.simulate.tensors import STACKED, norm_of_gradients, of_norm, tensor_method, usual_answer
from gradlint.simulate.things import (
    Average,
    Context,
    Fabric,
    Gradient,
    Network,
    Optimizer,
    Parameter,
    Scaler,
)
from gradlint.simulate.values import Answer, Opaque, Tensor

Known = Callable[[Machine, list[Any], dict[str, Any], cst.CSTNode, "Frame | None"], Any]
"""The signature of a function that is known by its full name."""
_DISTRIBUTED = frozenset(("torch.nn.parallel.DistributedDataParallel", "torch.nn.parallel.distributed.DistributedDataParallel"))
_PARALLEL = frozenset(("DistributedDataParallel", "DDP", "FullyShardedDataParallel", "FSDP"))

BATCH_NORMS = frozenset(("BatchNorm1d", "BatchNorm2d", "BatchNorm3d"))

_SHARDS = re.compile(r"torch\.distributed\.fsdp\.(fully_sharded_data_parallel\.)?FullyShardedDataParallel$")
_STRATEGIES = ("FULL_SHARD", "SHARD_GRAD_OP", "HYBRID_SHARD", "_HYBRID_SHARD_ZERO2")


def construct(
    machine: Machine, path: str, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, role: Role | None = None
) -> Any:
    """The object of training that a constructor makes; None if it makes none."""
    role = role or machine.words.role_of_constructor(path)
    last = path.rsplit(".", 1)[-1]
    if path == "deepspeed.initialize":
        return deepspeed.initialize(machine, kwargs, node)
    if role is None or role is Role.OTHER:
        return None
    given = [*args, *kwargs.values()]
    if role is Role.OPTIMIZER:
        parameters = [each for each in flattened(given) if isinstance(each, Parameter)]
        models = owners_of(parameters)
        name = last if path.startswith(("torch.optim", "transformers", "apex")) else ""
        inner = next((each for each in given if isinstance(each, Optimizer)), None)
        if inner is not None:
            return inner
        weights = tuple(each.owner for each in parameters)
        machine.enough.builds(machine.loops)
        return machine.gradients.add(
            Optimizer(last, node, models=models, built_by=name, arguments=_with_rate(args, kwargs), weights=weights)
        )
    if role is Role.SCHEDULER:
        return schedules.build(machine, path, args, kwargs, node)
    if role is Role.SCALER:
        return Scaler("scaler", node, enabled=kwargs.get("enabled", True))
    if role is Role.EMA:
        return Average(last, node)
    if role is Role.ACCELERATOR:
        return accelerate.accelerator(machine, args, kwargs, node)
    if role is Role.FABRIC:
        return Fabric("fabric", node)
    if role is Role.PARALLEL:
        models = owners_of(given[:1])
        sharded = bool(_SHARDS.match(path)) and _divides_weights(args, kwargs, node)
        way, reduces = tuple(machine.path), path in _DISTRIBUTED
        machine.asked.wraps = True
        return Network(last, node, models=models, parallel=last, reduces=reduces, sharded=sharded, path=way)
    if role is Role.LOADER:
        return loader(machine, given, node)
    return None


_USUAL = frozenset("__init__ __setstate__ __repr__ step zero_grad get_lr state_dict load_state_dict add_param_group".split())


def steps_by_itself(machine: Machine, cls: ClassValue) -> bool:
    """Whether a class of the text is an optimizer that changes the weights in its own `step`, and does nothing else."""
    if not any(machine.words.role_of_constructor(base) is Role.OPTIMIZER for base in cls.outside):
        return False
    own = {name: each for name, each in cls.names.items() if isinstance(each, Function)}
    public = {name for name in own if not name.startswith("_")}
    leads = any(last_name(call.func) == "step" for each in own.values() for call in calls_in(each.node))
    return "step" in own and public <= _USUAL and not leads


def _with_rate(args: list[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """An optimizer's arguments, with the rate of its first group if there is no common one."""
    groups = args[0] if args else kwargs.get("params")
    rates = [each["lr"] for each in groups if isinstance(each, dict) and "lr" in each] if isinstance(groups, list) else []
    return kwargs if "lr" in kwargs or not rates else {**kwargs, "lr": rates[0]}


def _divides_weights(args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> bool:
    """Whether FullyShardedDataParallel is known to shard: by default, or by its strategy."""
    strategy = kwargs.get("sharding_strategy", args[2] if len(args) > 2 else None)
    if strategy is None and any(each.star for each in getattr(node, "args", ())):
        return False
    return strategy is None or (isinstance(strategy, External) and strategy.path.rsplit(".", 1)[-1] in _STRATEGIES)


def _no_grad(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    return Context("no_grad", node, kind="no_grad")


def _null(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    return Context("null", node, kind="null")


def _autograd_backward(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    backward(machine, args[0] if args else kwargs.get("tensors"), node)


def _scale_loss(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    """apex's `amp.scale_loss`: it unscales at the end of its block, unless it is told to wait."""
    return Context("scale_loss", node, kind="scale_loss", subject=args[0] if args else None)


def _of_tensor(name: str) -> Known:
    def run(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
        given = args[0] if args else next(iter(kwargs.values()), None)
        if isinstance(given, Tensor):
            return tensor_method(machine, given, name, args[1:], kwargs, node)
        if isinstance(given, Gradient):
            from gradlint.simulate.tensors import gradient_method

            return gradient_method(machine, given, name, args[1:], kwargs, node)
        if isinstance(given, Answer):
            return given
        return Answer(name, usual_answer(name)) if name.startswith("is") else Opaque(f"torch.{name}()")

    return run


def _stack(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    """`torch.stack(losses)`, `torch.cat(...)`: a list that `mean` and `sum` reduce, represented by its values."""
    parts = [each for each in flattened(args[:1]) if isinstance(each, Tensor)]
    if not parts:
        return Opaque("torch.stack()")
    draws = frozenset().union(*(each.draws for each in parts))
    terms = tuple(term for each in parts for term in each.terms or ()) if any(each.terms for each in parts) else None
    detached = all(each.detached for each in parts)
    made = Tensor(draws, terms, frozenset().union(*(each.models for each in parts)), detached=detached)
    made.kept[STACKED] = len(parts)
    return made


def _arange(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    made = places([*args, *(value for name, value in kwargs.items() if name in ("start", "end"))])
    return made if made is not None else Opaque("torch.arange()") if not machine.in_loop else Tensor(machine.current())


def _foreach(name: str) -> Known:
    kind = cst.Multiply if "mul" in name else cst.Divide

    def run(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
        given = next((each for each in flattened(args[:1]) if isinstance(each, Gradient)), None)
        if given is not None and len(args) > 1 and of_norm(args[1]):
            clip(machine, [given], {}, node)
        elif given is not None and len(args) > 1:
            rescale(machine, given.owner, factor_of(machine, kind, args[1], node), node)

    return run


def _foreach_norm(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    """The norms of gradients, represented by one. For anything else, a value computed from it."""
    given = flattened(args[:1])
    return [norm_of_gradients()] if any(isinstance(each, Gradient) for each in given) else joined(machine, node, flattened(given))


def _zero_all(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    given = next((each for each in flattened(args[:1]) if isinstance(each, Gradient)), None)
    if given is not None:
        clear(machine, given.owner, node)


def _mean(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    """The mean of a list of numbers, or of stacked values."""
    stacked = args[0] if args and isinstance(args[0], Tensor) else _stack(machine, args, kwargs, node, frame)
    return tensor_method(machine, stacked, "mean", [], {}, node) if isinstance(stacked, Tensor) else Opaque("a mean")


def _losses(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    """`np.array(losses)`: a list of losses, represented by its values. Everything else becomes unknown."""
    if args and isinstance(args[0], list) and any(isinstance(each, Tensor) and each.terms for each in args[0]):
        return _stack(machine, args, kwargs, node, frame)
    from gradlint.simulate.outside import call_unknown

    return call_unknown(machine, External("numpy.array"), args, kwargs, node)


def _scalar(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    """`torch.tensor(x)`: a number stays a number, so that a divisor or the seed of a backward pass is known."""
    if kwargs.get("requires_grad") is True:
        return Opaque(f"a weight at {machine.compiler.place(node)}")
    if args and isinstance(args[0], list) and any(isinstance(each, Tensor) and each.terms for each in args[0]):
        return _stack(machine, args, kwargs, node, frame)
    return args[0] if args else Opaque("torch.tensor()")


def _is_class(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    if len(args) == 2 and isinstance(args[0], Instance) and isinstance(args[1], ClassValue):
        return args[0].cls is args[1] or args[1] in args[0].cls.bases
    if args and args[0] is None:
        return False
    asked = args[1].path.rsplit(".", 1)[-1] if len(args) == 2 and isinstance(args[1], External) else ""
    if asked in _PARALLEL and isinstance(args[0], Network) and args[0].parallel in _PARALLEL:
        return asked == args[0].parallel
    if args and isinstance(args[0], Tensor):
        return Answer("isinstance")
    return Opaque(f"isinstance at {machine.compiler.place(node)}")


def _class_of(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    """`type(model)`, as in `type(model) is DDP`."""
    if len(args) == 1 and isinstance(args[0], Network) and args[0].parallel in _PARALLEL:
        return External(f"torch.nn.parallel.{args[0].parallel}")
    return args[0].cls if len(args) == 1 and isinstance(args[0], Instance) else Opaque(f"type at {machine.compiler.place(node)}")


def _in_backward(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> None:
    """Register an optimizer that steps, and clears, as soon as there are gradients."""
    given = [*args, *kwargs.values()]
    optimizer = construct(machine, getattr(given[0], "path", ""), given[1:2], {}, node, Role.OPTIMIZER) if given else None
    register(machine, None, IN_BACKWARD, [optimizer], node)


def _compiled(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    """`torch.compile(model)` behaves like the model."""
    return args[0] if args else kwargs.get("model", Opaque("torch.compile()"))


def _initialized(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None) -> Any:
    """`amp.initialize(models, optimizers)` returns its arguments."""
    models = args[0] if args else kwargs.get("models")
    optimizers = args[1] if len(args) > 1 else kwargs.get("optimizers")
    return models if optimizers is None else (models, optimizers)


FUNCTIONS: dict[str, Known] = {
    **PYTHON,
    "builtins.isinstance": _is_class,
    "builtins.type": _class_of,
    "torch.no_grad": _no_grad,
    "torch.inference_mode": _no_grad,
    "torch.set_grad_enabled": _null,
    "torch.autocast": _null,
    "torch.cuda.amp.autocast": _null,
    "torch.amp.autocast": _null,
    "contextlib.nullcontext": _null,
    "contextlib.suppress": _null,
    "torch.autograd.backward": _autograd_backward,
    "torch.autograd.set_detect_anomaly": _null,
    "torch.distributed.autograd.backward": _null,
    "torch.distributed.optim._apply_optimizer_in_backward": _in_backward,
    "torch.distributed.optim.apply_optimizer_in_backward._apply_optimizer_in_backward": _in_backward,
    "apex.amp.scale_loss": _scale_loss,
    "apex.amp.initialize": _initialized,
    "torch.stack": _stack,
    "torch.cat": _stack,
    "torch.arange": _arange,
    **dict.fromkeys(("numpy.mean", "numpy.average", "numpy.nanmean", "statistics.mean", "statistics.fmean"), _mean),
    **dict.fromkeys(("numpy.array", "numpy.asarray", "torch.FloatTensor"), _losses),
    "torch.compile": _compiled,
    **ignite.FUNCTIONS,
    "torch.tensor": _scalar,
    "torch.as_tensor": _scalar,
    "torch._foreach_zero_": _zero_all,
    "torch._foreach_norm": _foreach_norm,
    "torch._foreach_div_": _foreach("div"),
    "torch._foreach_mul_": _foreach("mul"),
    **{f"torch.{name}": _of_tensor(name) for name in sorted(TENSOR_FUNCTIONS)},
    **{
        f"{module}.{name}": _of_tensor(name)
        for module in ("math", "numpy")
        for name in ("isnan", "isinf", "isfinite", "any", "all")
    },
}
