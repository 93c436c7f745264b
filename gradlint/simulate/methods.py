"""Methods of everything that is not an object of the text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import libcst as cst

from gradlint.model.names.vocabulary import CLIPS, GRADIENT_RESCALERS
from gradlint.simulate.averaging import held_back, unwrapped
from gradlint.simulate.callables import Bound, DefaultDict, Function, Instance, Partial, Stream
from gradlint.simulate.conditions import truth
from gradlint.simulate.container_methods import dict_method, list_method, number_method, set_method, string_method
from gradlint.simulate.contents import flattened, models_of
from gradlint.simulate.engines import accelerate, deepspeed, fabric, ignite, lightning_manual
from gradlint.simulate.hooks import REGISTER, register
from gradlint.simulate.iteration import entries, items_of
from gradlint.simulate.logs import log, tell
from gradlint.simulate.machine import Machine
from gradlint.simulate.optimizing import (
    advance,
    average,
    backward,
    clear,
    clip,
    loss_of,
    rescale,
    scaler_update,
    step,
    stepped,
    unknown_call,
    unscale,
)
from gradlint.simulate.owners import is_part, spells_model
from gradlint.simulate.spelled_calls import steps_by_name
from gradlint.simulate.tensors import answer_method, gradient_method, tensor_method
from gradlint.simulate.things import (
    AVERAGES,
    Accelerator,
    Average,
    Context,
    Engine,
    Fabric,
    Gradient,
    IgniteEngine,
    Loader,
    Network,
    Optimizer,
    Parameter,
    Scale,
    Scaler,
    Schedule,
)
from gradlint.simulate.values import Answer, Factor, Num, Opaque, Pieces, Shown, Tensor

Method = Callable[[Machine, Any, str, list[Any], dict[str, Any], cst.CSTNode], Any]
_OF_DATA_SETS = frozenset("shuffle map filter with_format take skip repeat".split())
_SELF = frozenset("to cuda cpu float half bfloat16 double train eval requires_grad_ compile share_memory to_empty apply".split())


def method(machine: Machine, value: Any, name: str, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    """The value of `value.name(...)`."""
    if name in REGISTER:
        register(machine, value, name, args, node)
        return Opaque("a handle")
    given = [*args, *kwargs.values()]
    log(machine, name, given, node)
    if isinstance(value, Tensor):  # something built in a loop may be anything
        tell(machine, name, given, node)
    if isinstance(value, Answer):
        return value
    if name == "backward" and isinstance(value, (int, float, Num, str, list, dict, type(None), Network, Context)):
        backward(machine, args[0] if args else Opaque("a loss"), node)
        return None
    held = entries(machine, value, name, node) if not given else None
    if held is not None:
        return held
    make = _METHODS.get(type(value), _of_other)
    return make(machine, value, name, args, kwargs, node)


def _of_optimizer(
    machine: Machine, value: Optimizer, name: str, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode
) -> Any:
    if steps_by_name(name):
        from gradlint.simulate.calling import call

        if args and isinstance(args[0], Scaler):
            return _of_scaler(machine, args[0], "step", [value], {}, node)
        if args and isinstance(args[0], (Function, Partial, Bound)):
            call(machine, args[0], [], {}, node)
        step(machine, value, node)
    elif name in ("zero_grad", "clear_grad"):
        clear(machine, value, node)
    elif name == "add_param_group":
        from gradlint.simulate.owners import owners_of

        value.models |= owners_of(args[0]) if args else frozenset()
    elif name in ("backward", "manual_backward"):
        backward(machine, args[0] if args else None, node, through="optimizer")
    elif name in CLIPS or name == "clip_master_grads":
        return clip(machine, [value, *args], kwargs, node, through="optimizer")
    elif name in ("train", "eval"):
        return None
    elif name == "toggle_model":
        return Context(name, node, kind="toggle", subject=value)
    elif GRADIENT_RESCALERS.search(name):
        rescale(machine, value, Factor(doubt=f"gradlint does not see `{name}`"), node)
    return Opaque(f"{value.identity}.{name}()")


def _of_schedule(machine: Machine, value: Schedule, name: str, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    if name in ("step", "step_update"):
        advance(machine, value, [*args, *kwargs.values()], node)
    else:
        unknown_call(machine, f"scheduler.{name}", [value], node)
    return Opaque(f"{value.identity}.{name}()")


def _of_scaler(machine: Machine, value: Scaler, name: str, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    works = truth(machine, value.enabled, decides=True) if name in ("scale", "unscale_", "step", "update") else True
    given = args[0] if args else next(iter(kwargs.values()), None)
    if name in ("unscale_", "step") and type(given) is Opaque:
        given = stepped(machine, given)
    if name == "scale":
        if not works:
            return given
        if isinstance(given, (list, tuple)):
            return [_of_scaler(machine, value, name, [each], {}, node) for each in given]
        loss = loss_of(machine, given, node)
        return Tensor(loss.draws, loss.terms, loss.models, value, loss.detached, loss.reduced)
    if name == "get_scale":
        unknown_call(machine, "scaler.get_scale", [value], node)
        return Scale(f"{value.identity}.get_scale()", scaler=value)
    if name == "unscale_" and works and isinstance(given, Optimizer):
        value.checked = True
        unscale(machine, given, value, node)
    elif name == "step":
        if isinstance(given, Optimizer):
            value.checked = True
            if len(args) > 1 or len(kwargs) > (0 if args else 1):
                rescale(machine, given, Factor(doubt="the step receives a scale"), node)
            step(machine, given, node, "scaler" if works else "", scaled=works)
        else:
            unknown_call(machine, "scaler.step", flattened(args), node)
    elif name == "update" and works:
        scaler_update(machine, value, node)
    elif name == "is_enabled":
        return value.enabled
    elif name in ("get_scale", "state_dict"):
        unknown_call(machine, f"scaler.{name}", [value], node)
    return Opaque(f"{value.identity}.{name}()")


def _of_average(machine: Machine, value: Average, name: str, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    if name in AVERAGES:
        average(machine, node, value, [*args, *kwargs.values()])
    return Opaque(f"{value.identity}.{name}()")


def _of_parameter(
    machine: Machine, value: Parameter, name: str, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode
) -> Any:
    return value if name in _SELF else Opaque(f"parameter.{name}()")


def _of_network(machine: Machine, value: Any, name: str, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    """A method of a model: wrapped, of the text, or unknown."""
    if name in ("parameters", "named_parameters", "modules", "named_modules", "children", "buffers", "get_parameters"):
        owner = Parameter(owner=value)
        return Stream(iter([("a name", owner)]), owner) if name.startswith("named") else owner
    if name in _SELF:
        return value
    if name == "zero_grad":
        clear(machine, value, node)
        return None
    if name in ("no_sync", "no_backward_sync"):
        if not (isinstance(value, Network) and value.parallel):
            machine.risks.add("the model may have no `no_sync` if nothing wraps it")
        return held_back(machine, value, node)
    if name in ("clip_grad_norm_", "clip_grad_norm"):
        return clip(machine, [value, *args], kwargs, node, text=name)
    if name in ("manual_backward",):
        backward(machine, args[0] if args else None, node, through="lightning")
        return None
    if name in lightning_manual.HELD:
        return lightning_manual.held(machine, value, name)
    if name in lightning_manual.TOGGLES:
        lightning_manual.toggle(machine, name, args)
        return None
    if name in ("set_requires_gradient_sync", "set_gradient_sync"):
        flag = args[0] if args else kwargs.get("requires_gradient_sync", True)
        if not is_part(value) and kwargs.get("recurse", True) is True:
            machine.reductions.tell(models_of(value), truth(machine, flag), node)
        return None
    if name == "state_dict":
        return Opaque(f"{getattr(value, 'identity', '')}.state_dict()", getattr(value, "models", frozenset()))
    from gradlint.simulate.outside import call_unknown

    if name == "module" and isinstance(value, Network):
        return call_unknown(machine, unwrapped(value), args, kwargs, node)
    return call_unknown(machine, value, args, kwargs, node, name)


def _of_loader(machine: Machine, value: Loader, name: str, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    if name == "__len__":
        from gradlint.simulate.iteration import length_of

        return length_of(machine, value)
    if name in ("next", "__next__", "get_batch", "next_batch"):
        return Tensor(machine.current())
    if name == "__iter__":
        return Stream(items_of(machine, value, node), value)
    if name in ("shuffle", "map", "filter", "batch", "with_format", "to", "shard", "prefetch", "repeat"):
        return value
    return Opaque(f"{value.identity}.{name}()")


def _of_stream(machine: Machine, value: Stream, name: str, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    if name in ("__next__", "next"):
        from gradlint.simulate.outside import call_external

        return call_external(machine, "builtins.next", [value], {}, node, None)
    return Opaque(f"stream.{name}()")


def _of_context(machine: Machine, value: Context, name: str, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    from gradlint.simulate.contexts import enter, leave, push

    if name == "__enter__":
        return enter(machine, value, node)
    if name == "__exit__":
        leave(machine, value, node)
    elif name == "enter_context" and args:
        return push(machine, value, args[0], node)
    elif name == "close":
        leave(machine, value, node)
    return None


def _of_other(machine: Machine, value: Any, name: str, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    from gradlint.simulate.outside import opaque_method

    if isinstance(value, Instance):
        if name in _OF_DATA_SETS and any("Dataset" in base for base in value.cls.outside):
            return value
        if value.cls.outside or spells_model(Opaque(value.cls.name)):
            return _of_network(machine, value, name, args, kwargs, node)
        return _of_unseen(machine, value, name, args, kwargs, node)
    if isinstance(value, range):
        return Opaque("a range")
    return opaque_method(machine, value, name, args, kwargs, node)


def _of_unseen(machine: Machine, value: Instance, name: str, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    """A call of an attribute that unknown code gave to an object: `self.model(x)`."""
    from gradlint.simulate.attributes import get_attribute
    from gradlint.simulate.calling import call

    held = get_attribute(machine, value, name, node)
    return Opaque(f"{value.cls.name}.{name}()") if isinstance(held, Bound) else call(machine, held, args, kwargs, node)


def network_method(machine: Machine, value: Any, name: str, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    """A method of a model."""
    return _of_network(machine, value, name, args, kwargs, node)


_METHODS: dict[type, Method] = {
    Answer: answer_method,
    Optimizer: _of_optimizer,
    Schedule: _of_schedule,
    Scaler: _of_scaler,
    Average: _of_average,
    Parameter: _of_parameter,
    Gradient: gradient_method,
    Network: _of_network,
    Loader: _of_loader,
    Stream: _of_stream,
    Context: _of_context,
    Accelerator: accelerate.method,
    Engine: deepspeed.method,
    Fabric: fabric.method,
    IgniteEngine: ignite.method,
    Tensor: tensor_method,
    list: list_method,
    Pieces: list_method,
    dict: dict_method,
    DefaultDict: dict_method,
    set: set_method,
    str: string_method,
    Shown: string_method,
    int: number_method,
    float: number_method,
    bool: number_method,
}
