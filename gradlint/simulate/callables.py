"""Things that a simulated run can call: functions and classes of the text, and imported names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import libcst as cst


@dataclass(eq=False)
class Frame:
    """One activation of a function: its names, its enclosing frame, and the machine that runs it."""

    machine: Any
    names: dict[str, Any]
    outer: Frame | None = None
    function: Function | None = None
    declared: dict[str, Frame] = field(default_factory=dict)
    owner: ClassValue | None = None
    origin: str = ""
    """For the outermost frame: the path of its module in the repository."""

    def lookup(self, name: str) -> tuple[bool, Any]:
        """Whether the name is bound here or in an enclosing frame, and its value."""
        frame: Frame | None = self
        while frame is not None:
            if name in frame.names:
                return True, frame.names[name]
            frame = frame.outer
        return False, None

    def bind(self, name: str, value: Any) -> None:
        """Bind a name, in the frame that `global` or `nonlocal` declares for it."""
        self.declared.get(name, self).names[name] = value

    @property
    def module(self) -> Frame:
        frame = self
        while frame.outer is not None:
            frame = frame.outer
        return frame


@dataclass(frozen=True, eq=False)
class Parameters:
    """A signature. `defaults` holds compiled expressions; `kinds` holds the names in the annotations."""

    positional: tuple[str, ...] = ()
    keyword_only: tuple[str, ...] = ()
    star: str | None = None
    double_star: str | None = None
    defaults: dict[str, Callable[[Frame], Any]] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)


@dataclass(eq=False)
class Function:
    """A function or lambda of the text, with the frame that it closes over."""

    name: str
    node: cst.CSTNode
    parameters: Parameters
    body: Any
    frame: Frame
    owner: ClassValue | None = None
    is_static: bool = False
    is_class: bool = False
    is_property: bool = False
    qualname: str = ""
    given: dict[str, Any] = field(default_factory=dict)


@dataclass(eq=False)
class ClassValue:
    """A class of the text, with its names and its bases, which may be unknown."""

    name: str
    node: cst.CSTNode
    names: dict[str, Any]
    bases: tuple[Any, ...] = ()
    is_data: bool = False
    fields: tuple[str, ...] = ()

    def lookup(self, name: str) -> tuple[bool, Any]:
        """Look up a name in the class, and in the bases that we can see."""
        seen: list[ClassValue] = [self]
        for each in seen:
            if name in each.names:
                return True, each.names[name]
            seen.extend(base for base in each.bases if isinstance(base, ClassValue) and base not in seen and len(seen) < 40)
        return False, None

    @property
    def outside(self) -> tuple[str, ...]:
        """The dotted names of the bases defined outside of the text."""
        found: list[str] = []
        seen: list[ClassValue] = [self]
        for each in seen:
            found.extend(base.path for base in each.bases if isinstance(base, External))
            seen.extend(base for base in each.bases if isinstance(base, ClassValue) and base not in seen and len(seen) < 40)
        return tuple(found)


@dataclass(eq=False)
class Instance:
    """An instance of a class of the text."""

    cls: ClassValue
    names: dict[str, Any] = field(default_factory=dict)
    identity: str = ""
    kept: dict[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bound:
    """A method with its receiver. For receivers not defined in the text, the method is a name."""

    receiver: Any
    method: Any


@dataclass(frozen=True, slots=True)
class Partial:
    """A call that is still missing arguments."""

    call: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


@dataclass(frozen=True, slots=True)
class External:
    """An import or a builtin, by its full dotted name."""

    path: str

    @property
    def last(self) -> str:
        return self.path.rsplit(".", 1)[-1]


@dataclass(frozen=True, slots=True)
class ModuleValue:
    """A module of the repository, with its dotted path as written in the module at `origin`. A package folder has no `path`."""

    dotted: str
    path: str
    origin: str


@dataclass(eq=False)
class Stream:
    """Something consumed item by item: a generator, an iterator, the result of `enumerate`.

    `source` is the object to take `len` of. `of` names the settings that give a range its length, and `stop` is the end of the
    range. `by_data` is set if the data give the length. `level` is the number of loops running where `iter` was called.
    """

    items: Iterator[Any]
    source: Any = None
    close: Callable[[], None] | None = None
    of: frozenset[str] = frozenset()
    stop: Any = None
    by_data: bool = False
    level: int = 0


@dataclass(frozen=True, slots=True)
class Super:
    """The result of `super()`."""

    instance: Instance
    after: ClassValue


class DefaultDict(dict[Any, Any]):
    """A `defaultdict`: `default` makes the value of a missing key."""

    def __init__(self, default: Callable[[], Any]) -> None:
        super().__init__()
        self.default = default

    def copy(self) -> DefaultDict:
        """The same keys and values, and the same default."""
        made = DefaultDict(self.default)
        made.update(self)
        return made
