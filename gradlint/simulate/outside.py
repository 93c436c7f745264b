"""Calls of what is out of sight: by the full name where it is imported, else by what it is handed."""

from __future__ import annotations

import re
from dataclasses import replace
from enum import Enum
from functools import lru_cache
from typing import Any

import libcst as cst

from gradlint.model.names.vocabulary import (
    BOUNDARY_ARGUMENTS,
    CLIPS,
    GRADIENT_RESCALERS,
    LOSS_SPELLING,
    WRAPS_ITERABLE,
    Role,
    spells_zeroing,
)
from gradlint.model.syntax.expressions import last_name, text
from gradlint.simulate.arithmetic import flattened, joined, models_of
from gradlint.simulate.callables import Frame, Function, Instance, Stream
from gradlint.simulate.comparisons import made_truth
from gradlint.simulate.conditions import truth
from gradlint.simulate.contrast import compares
from gradlint.simulate.engines import deepspeed
from gradlint.simulate.logs import log
from gradlint.simulate.machine import Machine, is_data
from gradlint.simulate.optimizing import average, backward, clear, clip, rescale, step, unknown_call
from gradlint.simulate.tensors import usual_answer
from gradlint.simulate.things import Context, Engine, Gradient, Loader, Network, Optimizer, Parameter, Scaler, Thing
from gradlint.simulate.torch_names import FUNCTIONS, construct
from gradlint.simulate.unknown import unknown
from gradlint.simulate.values import DRIFT, IN_WINDOWS, OVER_ROWS, SIZES, Answer, Factor, Num, Opaque, Tensor, number, whole

_CLIP = re.compile(r"^(clip|dispatch_clip)_(model_)?(grads?|gradients?)(_norm|_value|_by_norm)?_?$|^clip_gradient$", re.I)
_FETCH = re.compile(r"^next$|get_batch|next_batch|sample_batch|fetch_batch|load_batch|get_next")
_ENGINE = re.compile(r"engine|deepspeed|(^|_)(model|net|network)(_|$)", re.I)
_UPDATES = re.compile(r"^(optimi[sz]er?(_step)?|step(_optimi[sz]er)?|do_step|apply_gradients|update_weights|optim_step)$")
"""Methods of wrappers that update with the optimizer that they are handed."""
_AVERAGE = re.compile(r"^(update_ema|ema_update|update_average|update_moving_average|ema_step)\w*$", re.I)
_WALKS = re.compile(r"(^|_)(log_every|progress(_bar)?|pbar|track|tqdm|prefetch(er)?|timed|with_progress)$", re.I)
_EVERY = re.compile(r"^every_n_(inner_)?(iters|steps|batches)$")
_CHANCE = frozenset("random uniform randint randrange rand randn normal gauss random_sample integers beta".split())
"""What gives another number each time."""
_OF_FILES = frozenset("os json pathlib sys shutil re logging yaml pickle glob datetime socket platform".split())
_FIXED = frozenset("get format join exists getenv environ keys".split())


class _Does(Enum):
    """What a function out of sight does, by its name alone."""

    CLIP = "clip gradients"
    RESCALE = "multiply gradients"
    ZERO = "clear gradients"
    AVERAGE = "update an average of the weights"
    FETCH = "give a batch"
    WALK = "walk what it is given"
    EVERY = "ask whether a window is full"
    OTHER = "anything"


@lru_cache(maxsize=8192)
def _does(last: str) -> _Does:
    if last in CLIPS or _CLIP.search(last):
        return _Does.CLIP
    if GRADIENT_RESCALERS.search(last):
        return _Does.RESCALE
    if spells_zeroing(last):
        return _Does.ZERO
    if _AVERAGE.search(last):
        return _Does.AVERAGE
    if _FETCH.search(last):
        return _Does.FETCH
    if last in WRAPS_ITERABLE or _WALKS.search(last):
        return _Does.WALK
    return _Does.EVERY if _EVERY.search(last) else _Does.OTHER


def call_external(
    machine: Machine, path: str, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None
) -> Any:
    """A call of something that is imported, or of Python's own."""
    machine.tick(node)
    if path.split(".")[0] not in ("math", "numpy", "torch"):
        log(machine, path.rsplit(".", 1)[-1], [*args, *kwargs.values()], node)
    known = FUNCTIONS.get(path) or FUNCTIONS.get(path.rsplit(".", 1)[-1] if path.startswith(("torch.", "itertools.")) else path)
    if known is not None:
        return known(machine, args, kwargs, node, frame)
    last = path.rsplit(".", 1)[-1]
    if last in _CHANCE and path.startswith(("random.", "numpy.random.")):
        return Tensor(machine.current(), None, text=last)
    made = construct(machine, path, args, kwargs, node)
    if made is not None:
        return made
    return _by_name(machine, path, last, args, kwargs, node)


def call_unknown(
    machine: Machine, callee: Any, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, name: str = ""
) -> Any:
    """A call of something that nothing is known of but its name."""
    machine.tick(node)
    if isinstance(callee, Engine):
        return deepspeed.forward(machine, callee, args, kwargs, node)
    if isinstance(callee, Network):
        made = joined(machine, node, [*args, *kwargs.values()], callee.models)
        made.reduced = callee.syncs
        machine.reductions.passed(callee, node)
        made.detached = not machine.grad
        return made
    if isinstance(callee, Scaler):
        return _wrapper(machine, callee.identity, args, kwargs, node)
    called = node.func if isinstance(node, cst.Call) else node
    last = name or last_name(called) or ""
    return _by_name(machine, machine.compiler.spelled(called) if len(last) < 200 else last, last, args, kwargs, node, callee)


def opaque_method(machine: Machine, value: Any, name: str, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    """A method of something unknown."""
    from gradlint.simulate.attributes import get_attribute
    from gradlint.simulate.methods import method, network_method, stepped

    if name == "step" and type(value) is Opaque and machine.words.role_of_spelling(value.last) is Role.OPTIMIZER:
        return method(machine, stepped(machine, value), name, args, kwargs, node)  # options have no such method
    if name in _OF_MODELS and not (name == "zero_grad" and not isinstance(value, Opaque)):
        return network_method(machine, value, name, args, kwargs, node)
    if name in ("backward", "step") and isinstance(value, Opaque):
        return _perhaps_engine(machine, value, name, args, kwargs, node)
    if name in ("add_argument",):
        return _argument(machine, args, kwargs)
    if name in ("parse_args", "parse_known_args", "parse_args_into_dataclasses"):
        found = _arguments(machine)
        return found if name == "parse_args" else (found, [])
    if name in _FIXED and isinstance(value, Opaque):
        if name == "get" and args and isinstance(args[0], str):
            default = args[1] if len(args) > 1 else kwargs.get("default")
            return unknown(machine, f"{value.identity}.{args[0]}", default=default, has_default=default is not None)
        return Opaque(f"{value.identity}.{name}()")
    if name in SIZES and machine.in_loop and not kwargs:
        return Tensor(machine.current(), None, text=name)
    if isinstance(value, Opaque):
        child = get_attribute(machine, value, name, node)
        if not isinstance(child, (Opaque, Thing)):
            from gradlint.simulate.calling import call

            return call(machine, child, args, kwargs, node)
    return call_unknown(machine, value, args, kwargs, node, name)


_OF_MODELS = frozenset(
    (
        "parameters named_parameters modules named_modules children train eval to cuda cpu half zero_grad no_sync no_backward_sync "
        "clip_grad_norm_ clip_grad_norm requires_grad_ set_requires_gradient_sync state_dict manual_backward"
    ).split()
)


def _perhaps_engine(
    machine: Machine, value: Opaque, name: str, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode
) -> Any:
    """`engine.backward(loss)` and `engine.step()` of what is not built in sight; `loss.backward()` of an unknown loss."""
    if name == "backward" and not args and kwargs.keys() <= {"retain_graph", "create_graph", "inputs", "gradient"}:
        backward(machine, value, node)
        return None
    engine = value.kept.get("<engine>")
    spelled = last_name(node.func.value) if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) else None
    if engine is None and _ENGINE.search(spelled or value.last):
        engine = value.kept["<engine>"] = Engine(value.identity)
    if engine is not None and (name == "backward" or not args):
        return deepspeed.method(machine, engine, name, args, kwargs, node)
    if name == "backward":
        backward(machine, args[0] if args else kwargs.get("loss"), node, through="object")
        return None
    unknown_call(machine, f"{value.last}.{name}", [value, *args, *kwargs.values()], node)
    return _result(machine, args, kwargs, node, value)


def _argument(machine: Machine, args: list[Any], kwargs: dict[str, Any]) -> None:
    """`parser.add_argument(...)`: an option, and what it is where nobody sets it."""
    names = [each for each in args if isinstance(each, str)]
    long = next((each for each in names if each.startswith("--")), names[0] if names else "")
    dest = kwargs.get("dest", long.lstrip("-").replace("-", "_"))
    if not isinstance(dest, str):
        return
    action = kwargs.get("action")
    default = kwargs.get("default", False if action == "store_true" else True if action == "store_false" else None)
    machine.options[dest] = default


def _arguments(machine: Machine) -> Opaque:
    """The namespace of the options that were declared."""
    made = Opaque("args")
    for dest, default in machine.options.items():
        made.kept[dest] = unknown(machine, f"args.{dest}", default=default, has_default=default is not None)
    return made


def _by_name(
    machine: Machine, path: str, last: str, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, callee: Any = None
) -> Any:
    """What a function out of sight does, by its name."""
    given = [*args, *kwargs.values()]
    does = _does(last)
    if does is _Does.CLIP:
        return clip(machine, args, kwargs, node, text=path)
    if does is _Does.RESCALE and given:
        doubt = Factor(doubt=f"`{last}` is not in sight")
        rescale(machine, given[0], doubt, node)
        return None
    if does is _Does.ZERO:
        clear(machine, given[0] if given and not isinstance(given[0], (bool, int, str)) else None, node)
        return None
    if does is _Does.AVERAGE:
        average(machine, node, None, given)
        return None
    if last == "scale_loss":
        return Context("scale_loss", node, kind="scale_loss", subject=given[0] if given else None)
    if does is _Does.FETCH:
        return Tensor(machine.current())
    if last in ("backward", "manual_backward") and args:
        backward(machine, args[0], node, through="function")
        return None
    if name_of_update(last, node) and len(given) <= 3:
        optimizer = next(filter(None, map(_optimizer_in, given)), None)
        if optimizer is not None:
            step(machine, optimizer, node, "wrapper")
            return Tensor(frozenset(), None, text="whether it stepped")
    if len(args) >= 2 and any(isinstance(each, Optimizer) for each in args[1:3]) and _wraps(last, kwargs, node):
        return _wrapper(machine, path, args, kwargs, node)
    if does is _Does.WALK:
        walked = next((each for each in given if isinstance(each, (Loader, Stream, range))), None)
        if walked is not None:
            return walked
    if does is _Does.EVERY and given:
        return _every(machine, given[-1])
    checked = usual_answer(last)
    if checked is not None:
        return Answer(last, checked)
    role = machine.words.role_of_constructor(path)
    if role in (Role.OPTIMIZER, Role.SCHEDULER, Role.LOADER):
        made = construct(machine, path, args, kwargs, node, role)
        if made is not None:
            return made
    unknown_call(machine, path, [*given, callee] if isinstance(callee, Instance) else given, node)
    for each in given:
        _call_back(machine, each, kwargs.get("args"), node)
    return _result(machine, args, kwargs, node, callee if callee is not None else Opaque(path))


def _optimizer_in(value: Any) -> Optimizer | None:
    """The optimizer that something is, or that what gave it was handed."""
    if isinstance(value, Optimizer):
        return value
    return value.kept.get("<optimizer>") if type(value) is Opaque else None


def _call_back(machine: Machine, function: Any, args: Any, node: cst.CSTNode) -> None:
    """Run what trains and is handed to something out of sight, which will call it: `spawn(train, args=(config,))`."""
    from gradlint.simulate.calling import bind_unknown, call

    if not isinstance(function, Function) or not machine.compiler.aims.of(getattr(function.node, "body", None)).leads:
        return
    frame = Frame(machine, {}, function.frame, function, {}, function.owner)
    names = function.parameters.positional
    if isinstance(args, tuple) and len(args) <= len(names):
        frame.names.update(zip(names[len(names) - len(args) :], args, strict=True))
    bind_unknown(machine, function, frame)
    call(machine, replace(function, given=frame.names), [], {}, node)


def _every(machine: Machine, pace: Any) -> Any:
    """`hook.every_n_iters(runner, n)`: whether the micro-batches that the caller counts fill a window."""
    known = machine.number_of(pace)
    counted = (machine.turn or 0) + 1
    return made_truth(counted % max(whole(known, 1), 1) == 0, known)


def name_of_update(last: str, node: cst.CSTNode) -> bool:
    """Whether a method's name says that it updates the weights."""
    return isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) and _UPDATES.search(last) is not None


def _result(machine: Machine, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, callee: Any) -> Any:
    """What a call out of sight gives: something of the data where it is handed data, or where it runs in a loop; else a setting."""
    given = [*args, *kwargs.values()]
    models = models_of(callee)
    if isinstance(callee, Instance):
        models = frozenset((callee.identity or callee.cls.name,))
    parts = flattened(given)
    if machine.loops and any(is_data(each) for each in parts):
        tensors = [each for each in parts if is_data(each)]
        if all(each.terms is None for each in tensors) and not _computes(callee, node):
            return Tensor(frozenset().union(*(each.draws for each in tensors)), None, models)
        made = joined(machine, node, given, models, across=compares(callee, args, kwargs))
        made.detached = made.detached or not machine.grad
        return made.scaled_by(Factor(doubt=OVER_ROWS)) if _sums(callee, kwargs) else made
    if any(isinstance(each, (Answer,)) for each in parts):
        return next(each for each in parts if isinstance(each, Answer))
    if any(isinstance(each, Gradient) for each in parts):
        return Tensor(frozenset(), None)
    name = machine.compiler.spelled(node) if isinstance(node, cst.Call) else "call"
    if isinstance(callee, Opaque) and callee.last in ("deepcopy", "copy"):
        return Opaque(name[:120], models=frozenset((f"{name[:40]} at {machine.compiler.place(node)}",)))
    called = callee.last if isinstance(callee, Opaque) else ""
    spells_loss = machine.loops and LOSS_SPELLING.search(called) and not called[:1].isupper()  # a class makes a criterion
    wrapped = next((each for each in parts if isinstance(each, Optimizer)), None)
    if spells_loss or (machine.in_loop and wrapped is None and not _is_fixed(machine, node, callee)):
        made = joined(machine, node, given, models)
        made.models |= DRIFT if _asked_anew(machine, node, parts, callee) else frozenset()
        return made
    for each in parts:
        models |= models_of(each) if not isinstance(each, Parameter) else models_of(each.owner)
    unknown_thing = Opaque(name[:120], models=models | {f"{name[:40]} at {machine.compiler.place(node)}"})
    if wrapped is not None:
        unknown_thing.kept["<optimizer>"] = wrapped
    if _sums(None, kwargs):
        unknown_thing.kept["<sums>"] = True
    if any(_counts_windows(machine, each) for each in kwargs.values()):
        unknown_thing.kept[IN_WINDOWS] = True
    return unknown_thing


def _counts_windows(machine: Machine, value: Any) -> bool:
    """Whether a number was multiplied by N."""
    if type(value) is not Num or value.value <= 0 or value.value % machine.world.n:
        return False
    return any(map(machine.counts_steps, value.of))


def _sums(callee: Any, kwargs: dict[str, Any]) -> bool:
    """Whether a criterion adds up the losses of its rows, as it is told, or was when it was built."""
    told = kwargs.get("reduction")
    return told == "sum" or (told is None and type(callee) is Opaque and "<sums>" in callee.kept)


def _asked_anew(machine: Machine, node: cst.CSTNode, parts: list[Any], callee: Any) -> bool:
    """Whether a function of numbers was handed other ones before: what else is out of sight may keep to its own count."""
    if not (isinstance(callee, Opaque) and callee.identity.startswith("numpy.")):
        return False
    numbers = tuple(number(each) for each in parts)
    if machine.handed.setdefault(node, numbers) == numbers:
        return False
    machine.handed[node] = ()  # once is enough, whatever it is handed later
    return True


def _is_fixed(machine: Machine, node: cst.CSTNode, callee: Any) -> bool:
    """Whether what a call in a loop gives has nothing to do with the data: files, the clock, the number of accumulation steps."""
    path = callee.identity if isinstance(callee, Opaque) else ""
    called = last_name(node.func) if isinstance(node, cst.Call) else None
    return path.split(".")[0] in _OF_FILES or machine.counts_steps(called or "")


def _computes(callee: Any, node: cst.CSTNode) -> bool:
    """Whether a call that is handed data may be a forward pass: whatever is no function of the data alone."""
    path = callee.identity if isinstance(callee, Opaque) else ""
    return not path.startswith(("torch.tensor", "torch.cat", "torch.stack", "numpy.", "np.", "torch.from_numpy", "torch.zeros"))


def _wraps(last: str, kwargs: dict[str, Any], node: cst.CSTNode) -> bool:
    first = node.args[0].value if isinstance(node, cst.Call) and node.args else node
    spelled = last.lower().endswith("scaler") or not BOUNDARY_ARGUMENTS.isdisjoint(kwargs)
    if not spelled and isinstance(node, cst.Call):
        spelled = any(isinstance(arg.value, cst.Comparison) and "%" in text(arg.value) for arg in node.args[2:])
    return spelled and LOSS_SPELLING.search(last_name(first) or text(first)) is not None


def _wrapper(machine: Machine, path: str, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    """`loss_scaler(loss, optimizer, ..., update_grad=boundary)`: backward, and at the boundary all that a step needs."""
    optimizer = next((each for each in args[1:3] if isinstance(each, Optimizer)), None)
    flags = [value for name, value in kwargs.items() if name in BOUNDARY_ARGUMENTS]
    flags += [
        value
        for arg, value in zip(node.args if isinstance(node, cst.Call) else (), args, strict=False)
        if isinstance(arg.value, cst.Comparison)
    ]
    backward(machine, args[0] if args else kwargs.get("loss"), node, through="wrapper argument")
    flag = flags[0] if flags else True
    if optimizer is not None and truth(machine, flag):
        step(machine, optimizer, node, "wrapper argument", scaled=True)
    return Tensor(frozenset(), None, text="norm")
