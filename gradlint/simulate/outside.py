"""Calls of unknown code: recognized by full name if it is imported, else by its arguments."""

from __future__ import annotations

import re
from typing import Any

import libcst as cst

from gradlint.model.names.vocabulary import (
    Role,
)
from gradlint.model.syntax.expressions import last_name, receiver_name
from gradlint.simulate import options, stated
from gradlint.simulate.averaging import forwarded, is_trained, wrapper_of
from gradlint.simulate.callables import Frame, Function, Instance, Partial, Stream
from gradlint.simulate.comparisons import made_truth
from gradlint.simulate.contents import flattened, shown_in, terms_in
from gradlint.simulate.engines import deepspeed
from gradlint.simulate.given_back import given_back
from gradlint.simulate.joined import joined
from gradlint.simulate.logs import log, tell
from gradlint.simulate.machine import Machine
from gradlint.simulate.optimizing import average, backward, clear, clip, rescale, step, stepped, unknown_call
from gradlint.simulate.owners import is_stepped, spells_model
from gradlint.simulate.paths import same_file
from gradlint.simulate.spelled_calls import Does, does, name_of_update, steps_by_name, wraps
from gradlint.simulate.tensors import of_norm, usual_answer
from gradlint.simulate.things import Average, Context, Engine, Gradient, Loader, Network, Optimizer, Parameter, Scaler, Thing
from gradlint.simulate.torch_names import BATCH_NORMS, FUNCTIONS, construct
from gradlint.simulate.unknown import unknown
from gradlint.simulate.values import SIZES, TABLE, Answer, Factor, Opaque, Tensor, whole
from gradlint.simulate.wrappers import combined, optimizer_in, perhaps_engine, wrapper

_CLIPPER = re.compile(r"clip(per|ping)?$", re.I)
"""Names of objects with a `step` method that clips its argument."""
_CHANCE = frozenset("random uniform randint randrange rand randn normal gauss random_sample integers beta".split())
"""Functions that return another number each time."""
_TEXTS = frozenset(("builtins.str", "builtins.repr", "builtins.format"))
_FIXED = frozenset("get format join exists getenv environ keys".split())


def call_external(
    machine: Machine, path: str, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, frame: Frame | None
) -> Any:
    """Call something imported, or a builtin."""
    machine.tick(node)
    last = path.rpartition(".")[2]
    if path.partition(".")[0] not in ("math", "numpy", "torch"):
        log(machine, last, [*args, *kwargs.values()], node)
    if path in _TEXTS and terms_in(args):
        return shown_in(args[:1])
    known = FUNCTIONS.get(path) or FUNCTIONS.get(last if path.startswith(("torch.", "itertools.")) else path)
    if known is not None:
        return known(machine, args, kwargs, node, frame)
    if last in BATCH_NORMS and path.startswith("torch.nn."):
        machine.norms.append(node)
    if last in _CHANCE and path.startswith(("random.", "numpy.random.")):
        return Tensor(machine.current(), None, text=last)
    made = construct(machine, path, args, kwargs, node)
    if made is not None:
        return made
    if not path.startswith("torch."):
        tell(machine, last, [*args, *kwargs.values()], node)
    return _by_name(machine, path, last, args, kwargs, node)


def call_unknown(
    machine: Machine, callee: Any, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode, name: str = ""
) -> Any:
    """Call something of which only the name is known."""
    machine.tick(node)
    if isinstance(callee, Engine):
        return deepspeed.forward(machine, callee, args, kwargs, node)
    if isinstance(callee, Network):
        made = joined(machine, node, flattened([*args, *kwargs.values()]), callee.models, anew=True)
        forwarded(machine, callee, made, node)
        made.detached = not machine.grad
        return made
    if isinstance(callee, Average) and any(is_trained(machine, each) or spells_model(each) for each in (*args, *kwargs.values())):
        average(machine, node, callee, [*args, *kwargs.values()])  # it gets the weights, not data to compute with
        return None
    if isinstance(callee, Scaler):
        return wrapper(machine, callee.identity, args, kwargs, node)
    called = node.func if isinstance(node, cst.Call) else node
    last = name or last_name(called) or ""
    given = [*args, *kwargs.values()]
    if not name:
        log(machine, last, given, node)
    tell(machine, last, given, node)
    path = machine.compiler.spelled(called) if len(last) < 200 else last
    acts = isinstance(callee, Instance) and (bool(name) or not is_stepped(machine, callee))
    made = _by_name(machine, path, last, args, kwargs, node, callee, acts=acts)
    around = wrapper_of(machine, callee) if isinstance(made, Tensor) else None
    if around is not None:
        forwarded(machine, around, made, node)
    return made


def opaque_method(machine: Machine, value: Any, name: str, args: list[Any], kwargs: dict[str, Any], node: cst.CSTNode) -> Any:
    """Call a method of something unknown."""
    from gradlint.simulate.attributes import get_attribute
    from gradlint.simulate.methods import method, network_method

    if steps_by_name(name) and type(value) is Opaque and _spells_optimizer(machine, value, node):
        return method(machine, stepped(machine, value), name, args, kwargs, node)  # a setting has no such method
    if name == "zero_grad" and isinstance(value, Opaque) and "<engine>" in value.kept:
        return deepspeed.method(machine, value.kept["<engine>"], name, args, kwargs, node)
    if name in _OF_MODELS and not (name == "zero_grad" and not isinstance(value, Opaque)):
        return network_method(machine, value, name, args, kwargs, node)
    if name == "step" and type(value) is Opaque and _CLIPPER.search(value.last) and any(map(_is_weights, args[:1])):
        return clip(machine, args, kwargs, node, text=f"{value.identity}.step")
    if name in ("backward", "step") and isinstance(value, Opaque):
        return perhaps_engine(machine, value, name, args, kwargs, node)
    if name in options.METHODS:
        return options.method(machine, name, args, kwargs)
    if type(value) is Opaque and TABLE in value.kept and (held := stated.method(machine, value, name, args)) is not None:
        return held
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


def _spells_optimizer(machine: Machine, value: Opaque, node: cst.CSTNode) -> bool:
    """Whether something unknown has the name of an optimizer, and is not called a schedule where its method is called."""
    here = machine.words.role_of_spelling(receiver_name(node) or "")
    return here is not Role.SCHEDULER and machine.words.role_of_spelling(value.last) is Role.OPTIMIZER


_OF_MODELS = frozenset(
    (
        "parameters named_parameters modules named_modules children train eval to cuda cpu half zero_grad no_sync no_backward_sync "
        "clip_grad_norm_ clip_grad_norm requires_grad_ set_requires_gradient_sync state_dict manual_backward"
    ).split()
)


def _is_weights(value: Any) -> bool:
    """Whether something is the parameters of a model, or a list of them."""
    return any(isinstance(each, Parameter) for each in flattened([value]))


def _by_name(
    machine: Machine,
    path: str,
    last: str,
    args: list[Any],
    kwargs: dict[str, Any],
    node: cst.CSTNode,
    callee: Any = None,
    acts: bool = False,
) -> Any:
    """What unknown code does, judged by its name. `acts` says that it may act on the callee and everything the callee holds."""
    given = [*args, *kwargs.values()]
    done = does(last)
    if done is Does.CLIP:
        return clip(machine, args, kwargs, node, text=path)
    if done is Does.RESCALE and given:
        doubt = Factor(doubt=f"gradlint does not see `{last}`")
        rescale(machine, given[0], doubt, node)
        return None
    if done is Does.ZERO:
        clear(machine, given[0] if given and not isinstance(given[0], (bool, int, str)) else None, node)
        return None
    if done is Does.AVERAGE:
        average(machine, node, None, given)
        return None
    if last == "scale_loss":
        return Context("scale_loss", node, kind="scale_loss", subject=given[0] if given else None)
    if done is Does.FETCH:
        return Tensor(machine.current())
    if last in ("backward", "manual_backward") and args:
        backward(machine, combined(args[0]), node, through="function")
        return None
    if name_of_update(last, node) and len(given) <= 3:
        optimizer = next(filter(None, map(optimizer_in, given)), None)
        if optimizer is not None:
            step(machine, optimizer, node, "wrapper" if callee is None else "object")
            return Tensor(frozenset(), None, text="whether it stepped")
    if len(args) >= 2 and any(isinstance(each, Optimizer) for each in args[1:3]) and wraps(last, kwargs, node):
        return wrapper(machine, path, args, kwargs, node)
    if done is Does.WALK:
        walked = next((each for each in given if isinstance(each, (Loader, Stream, range))), None)
        if walked is not None:
            return walked
    if done is Does.EVERY and given:
        return _every(machine, given[-1])
    if last == "open":
        machine.opens()
    settings = stated.read(machine, path, last, given, node)
    if settings is not None:
        return settings
    checked = usual_answer(last)
    if checked is not None:
        return Answer(last, checked)
    role = machine.words.role_of_constructor(path)
    if role in (Role.OPTIMIZER, Role.SCHEDULER, Role.LOADER):
        made = construct(machine, path, args, kwargs, node, role)
        if made is not None:
            return made
    parts = flattened(given)
    scaled = next((each for each in parts if type(each) is Gradient), None)
    if scaled is not None and any(map(of_norm, given)):
        return clip(machine, [scaled], {}, node)
    unknown_call(machine, path, [*parts, callee] if acts else parts, node)
    for each in given:
        if isinstance(each, Function):
            _call_back(machine, each, kwargs.get("args"), {}, node)
        elif isinstance(each, Partial) and isinstance(each.call, Function):
            names = dict(zip(each.call.parameters.positional, each.args, strict=False))
            _call_back(machine, each.call, kwargs.get("args"), {**names, **each.kwargs}, node)
    made = given_back(machine, args, kwargs, parts, node, callee if callee is not None else Opaque(path))
    made = same_file(last, given, callee, made)
    for each in given if isinstance(made, Tensor) else ():
        if type(each) is Network:
            forwarded(machine, each, made, node)
    return made


def _call_back(machine: Machine, function: Function, args: Any, known: dict[str, Any], node: cst.CSTNode) -> None:
    """Run a training function that is passed to unknown code, which will call it: `spawn(train, args=(config,))`.

    `known` are the arguments that a `partial` has already.
    """
    from gradlint.simulate.calling import call_unseen

    if not machine.compiler.trains(function):
        return
    given = dict(known)
    names = tuple(each for each in function.parameters.positional if each not in known)
    if isinstance(args, tuple) and len(args) <= len(names):
        given.update(zip(names[len(names) - len(args) :], args, strict=True))
    call_unseen(machine, function, given, node)


def _every(machine: Machine, pace: Any) -> Any:
    """`hook.every_n_iters(runner, n)`: whether the micro-batches counted by the caller fill a window."""
    known = machine.number_of(pace)
    counted = (machine.turn or 0) + 1
    return made_truth(counted % max(whole(known, 1), 1) == 0, known)
