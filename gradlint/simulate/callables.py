"""What can be called in a simulated run: functions and classes of the text, and names that come from outside of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import libcst as cst


@dataclass(eq=False)
class Frame:
    """One activation: its names, where free names are looked up, and the machine that runs it."""

    machine: Any
    names: dict[str, Any]
    outer: Frame | None = None
    function: Function | None = None
    declared: dict[str, Frame] = field(default_factory=dict)
    owner: ClassValue | None = None
    origin: str = ""
    """The module whose names these are, for the outermost one: its path in the repository."""

    def lookup(self, name: str) -> tuple[bool, Any]:
        """Whether the name has a value here or outside, and the value."""
        frame: Frame | None = self
        while frame is not None:
            if name in frame.names:
                return True, frame.names[name]
            frame = frame.outer
        return False, None

    def bind(self, name: str, value: Any) -> None:
        """Give a name a value, where the function's declarations say that it lives."""
        self.declared.get(name, self).names[name] = value

    @property
    def module(self) -> Frame:
        frame = self
        while frame.outer is not None:
            frame = frame.outer
        return frame


@dataclass(frozen=True, eq=False)
class Parameters:
    """A signature. Defaults are compiled expressions, `kinds` the names of what parameters are annotated with."""

    positional: tuple[str, ...] = ()
    keyword_only: tuple[str, ...] = ()
    star: str | None = None
    double_star: str | None = None
    defaults: dict[str, Callable[[Frame], Any]] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)


@dataclass(eq=False)
class Function:
    """A function or a lambda of the text, with the frame that it closes over."""

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
    """A class of the text: its own names, and its bases, which may be unknown."""

    name: str
    node: cst.CSTNode
    names: dict[str, Any]
    bases: tuple[Any, ...] = ()
    is_data: bool = False
    fields: tuple[str, ...] = ()

    def lookup(self, name: str) -> tuple[bool, Any]:
        """A name of the class or of the bases that are in sight."""
        seen: list[ClassValue] = [self]
        for each in seen:
            if name in each.names:
                return True, each.names[name]
            seen.extend(base for base in each.bases if isinstance(base, ClassValue) and base not in seen and len(seen) < 40)
        return False, None

    @property
    def outside(self) -> tuple[str, ...]:
        """The dotted names of the bases that are not in the text."""
        found: list[str] = []
        seen: list[ClassValue] = [self]
        for each in seen:
            found.extend(base.path for base in each.bases if isinstance(base, External))
            seen.extend(base for base in each.bases if isinstance(base, ClassValue) and base not in seen and len(seen) < 40)
        return tuple(found)


@dataclass(eq=False)
class Instance:
    """An object of a class of the text."""

    cls: ClassValue
    names: dict[str, Any] = field(default_factory=dict)
    identity: str = ""
    kept: dict[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bound:
    """A method of an object of the text, or of anything else under its name."""

    receiver: Any
    method: Any


@dataclass(frozen=True, slots=True)
class Partial:
    """A call that waits for the rest of its arguments."""

    call: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


@dataclass(frozen=True, slots=True)
class External:
    """Something that is imported, or a builtin, by its full dotted name."""

    path: str

    @property
    def last(self) -> str:
        return self.path.rsplit(".", 1)[-1]


@dataclass(frozen=True, slots=True)
class ModuleValue:
    """A module of the repository, by its dotted path as the module at `origin` spells it; no `path` for a folder of modules."""

    dotted: str
    path: str
    origin: str


@dataclass(eq=False)
class Stream:
    """What is walked item by item: a generator, an iterator, what `enumerate` makes.

    `source` is what `len` would be asked of; `of` are the settings that say how long a range is, `stop` is the number that it ends
    before, `by_data` whether the data say so, `level` how many loops ran where `iter` made it.
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
    """What `super()` gives."""

    instance: Instance
    after: ClassValue
