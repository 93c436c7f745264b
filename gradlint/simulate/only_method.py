"""Objects that unknown code makes, of training classes of the text: recognized by a parameter's annotation, or by a method."""

from __future__ import annotations

import contextlib
import re
from typing import Any

from gradlint.simulate.callables import ClassValue, Function, Instance
from gradlint.simulate.calling import call_unseen
from gradlint.simulate.machine import Machine
from gradlint.simulate.stops import Raised
from gradlint.simulate.things import Network
from gradlint.simulate.unknown import unknown
from gradlint.simulate.values import Opaque

_OF_TORCH = frozenset(("backward", "manual_backward", "forward", "train"))
"""Method names that models and tensors have anyway, so that they do not identify a class of the text."""
_MADE_OUTSIDE = re.compile(r"(^|\.)[A-Z]\w*\(")
"""How the identity of an object of another package's class looks."""


def made_out_of_sight(machine: Machine, cls: ClassValue, identity: str = "self") -> Instance:
    """An object of a class. Its constructor runs with what the names and defaults of its parameters suggest."""
    instance = Instance(cls, identity=identity)
    found, init = cls.lookup("__init__")
    if found and isinstance(init, Function):
        with contextlib.suppress(Raised):
            call_unseen(machine, init, dict.fromkeys(init.parameters.positional[:1], instance), init.node)
    return instance


def of_kind(machine: Machine, function: Function, name: str) -> Instance | None:
    """The object for a parameter whose annotation names a class of settings, or one that leads to a backward pass.

    It is the same each time.
    """
    cls = function.frame.lookup(function.parameters.kinds[name])[1]
    if not isinstance(cls, ClassValue):
        return None
    trains = any(cls.lookup(each)[0] for each in machine.compiler.aims.leading - _OF_TORCH)
    if not (trains or cls.is_data):
        return None
    key = f"{name}: {cls.name}"
    if key not in machine.things:
        machine.things[key] = None  # while it is being made, a parameter of the same class is unknown
        machine.things[key] = made_out_of_sight(machine, cls, name) if trains else _settings(machine, cls, name)
    made = machine.things[key]
    return made if isinstance(made, Instance) else None


def _settings(machine: Machine, cls: ClassValue, identity: str) -> Instance:
    """An object of a data class whose fields are settings: the caller may have set each to something other than its default."""
    made = Instance(cls, identity=identity)
    for name in cls.fields:
        default = cls.lookup(name)[1]
        known = isinstance(default, (int, float, str))
        made.names[name] = unknown(machine, f"{identity}.{name}", default=default if known else None, has_default=known)
    return made


def only_method(machine: Machine, receiver: Any, name: str) -> tuple[Any, Function] | None:
    """The object and the function of `receiver.name`, if only one class has that method and it leads to a backward pass.

    `receiver` is something unknown or a model, and `name` is a method that leads to a backward pass.
    """
    if name in _OF_TORCH:
        return None
    if isinstance(receiver, Opaque) and _MADE_OUTSIDE.search(receiver.identity):
        return None
    own = [cls for cls in machine.classes if isinstance(cls.names.get(name), Function)]
    if len(own) != 1:
        return None
    function = own[0].names[name]
    if function.is_static or function.is_class or function.is_property or function.node in machine.running:
        return None  # while the method runs, the name on another object means another method
    if _runs_in(machine, own[0]):
        return None  # an object that calls one of its own methods does so through `self`
    if isinstance(receiver, Network):
        return receiver, function
    if own[0] not in receiver.kept:
        receiver.kept[own[0]] = made_out_of_sight(machine, own[0])
    return receiver.kept[own[0]], function


def _runs_in(machine: Machine, cls: ClassValue) -> bool:
    """Whether an ordinary method of a class is running."""
    frame = machine.frame
    function = frame.function if frame is not None and frame.owner is cls else None
    return function is not None and not (function.is_static or function.is_class)
