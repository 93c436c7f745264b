"""Which top-level statements of a module its importers need, told by names, without running or fully parsing any of it."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property

from gradlint.files.parse import parse, tree_is_deep
from gradlint.repository.imports import Import, imports_of

_TRAINS = re.compile(
    r"backward|\.step\b|zero_grad|clip_grad|unscale|[Ss]caler\b|scale_loss|[Oo]ptim|[Ss]chedul|LambdaLR|\bLR\b|accum|no_sync|"
    r"Accelerator|deepspeed|DistributedDataParallel|\bDDP\b|learning_rate|\blr\b|\.grad\b|add_argument|ArgumentParser"
)
"""What the text of a function or class holds that a training loop may depend on; others stay out of sight, as any library is."""

_UPDATES = re.compile(r"backward|\.step\b|zero_grad|clip_grad")
_SHORT = 25
"""Rows of a helper that is followed whatever it does: it may divide a loss, or say where a window ends."""

_IS_MODEL = re.compile(r"^class \w+\([^)]*\bModule\b", re.M)
_GIVES_DATA = re.compile(r"def (__iter__|__next__|__getitem__)\b")

_COMMENT = re.compile(r"#.*")

_MOST_STATEMENTS = 3000
"""Top-level statements of the largest module that is followed: one with more holds data."""


@dataclass(frozen=True, eq=False)
class Statement:
    """A top-level statement: its first and last row, the names that it gives a value or changes, and those that it reads."""

    node: ast.stmt
    rows: tuple[int, int]
    text: str

    @cached_property
    def gives(self) -> frozenset[str]:
        """The names of the module that it binds, or whose objects it changes: `config.steps = 4`, `parser.add_argument(...)`."""
        if isinstance(self.node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            return frozenset((self.node.name,))
        return frozenset(_given(self._nodes))

    @cached_property
    def reads(self) -> frozenset[str]:
        """The names that it may look up in the module."""
        loads, own = set[str](), set[str]()
        for each in self._nodes:
            if type(each) is ast.Name:
                (loads if type(each.ctx) is ast.Load else own).add(each.id)
            elif type(each) is ast.arg:
                own.add(each.arg)
        return frozenset(loads - own) if self.is_definition else frozenset(loads)

    @cached_property
    def imported(self) -> tuple[Import, ...]:
        """What it imports, wherever in it."""
        if "import" not in self.text:
            return ()
        found = (each for each in self._nodes if type(each) is ast.Import or type(each) is ast.ImportFrom)
        return tuple(inner for each in found for inner in imports_of(each))

    @cached_property
    def _nodes(self) -> list[ast.AST]:
        """All its nodes in which names stand, outermost first; the interpreter's own walk takes several times as long."""
        found: list[ast.AST] = [self.node]
        for node in found:
            for name in _fields_of(type(node)):  # type: ignore[arg-type]  # every class can be hashed
                value = getattr(node, name)
                if type(value) is list:
                    found.extend(value)
                elif value is not None:
                    found.append(value)
        return found

    @property
    def is_definition(self) -> bool:
        return isinstance(self.node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))

    @property
    def imports(self) -> bool:
        return isinstance(self.node, (ast.Import, ast.ImportFrom))

    @cached_property
    def is_main(self) -> bool:
        """Whether it runs only where the module is the program."""
        return isinstance(self.node, ast.If) and "__main__" in self.text.partition("\n")[0]

    @cached_property
    def matters(self) -> bool:
        """Whether training may depend on it: what defines a function that does nothing of the kind does not."""
        if not self.is_definition:
            return True
        code = _COMMENT.sub("", self.text)
        if isinstance(self.node, ast.ClassDef) and (_GIVES_DATA.search(code) or _IS_MODEL.search(code)):
            # A loader has a length of its own, however it counts; of both the class says only in part what comes of them.
            return _UPDATES.search(code) is not None
        return self.rows[1] - self.rows[0] < _SHORT or _TRAINS.search(code) is not None


@dataclass(frozen=True, eq=False)
class Outline:
    """A module by its top-level statements."""

    text: str
    statements: tuple[Statement, ...]

    @cached_property
    def _givers(self) -> dict[str, list[int]]:
        """The places of the statements that give each name."""
        givers: dict[str, list[int]] = {}
        for place, each in enumerate(self.statements):
            for name in each.gives if not each.is_main else ():
                givers.setdefault(name, []).append(place)
        return givers

    def needed(self, names: Iterable[str] | None) -> list[Statement]:
        """The statements that give names their values, with all that those read, in order; None asks for all of them."""
        givers = self._givers
        stars = [place for place, each in enumerate(self.statements) if "*" in each.gives]
        waiting = list(givers if names is None else names)
        seen: set[str] = set()
        kept: set[int] = set()
        for name in waiting:
            if name in seen:
                continue
            seen.add(name)
            for place in givers.get(name, stars):
                each = self.statements[place]
                if place not in kept and each.matters:
                    kept.add(place)
                    waiting.extend(each.reads | (each.gives - {"*"} if not each.imports else frozenset()))
        return [self.statements[place] for place in sorted(kept)]


@cache
def _fields_of(kind: type) -> tuple[str, ...]:
    """The fields in which nodes may stand; none for what is no node, and for a literal."""
    return tuple(kind._fields) if issubclass(kind, ast.AST) and kind is not ast.Constant else ()


def outline(text: str) -> Outline | None:
    """The outline of a module; None for what the interpreter does not read, or what is too deep or too long to be followed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = parse(text)
            if tree_is_deep(text, tree) or len(tree.body) > _MOST_STATEMENTS:
                return None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    lines = text.split("\n")
    return Outline(text, tuple(_statement(each, lines) for each in tree.body))


def _statement(node: ast.stmt, lines: list[str]) -> Statement:
    first = min((node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))))
    last = node.end_lineno or node.lineno
    return Statement(node, (first, last), "\n".join(lines[first - 1 : last]))


def _given(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for each in nodes:
        if isinstance(each, (ast.Import, ast.ImportFrom)):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in each.names)
        elif isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield each.name
        elif isinstance(each, ast.Name) and not isinstance(each.ctx, ast.Load):
            yield each.id
        elif isinstance(each, (ast.Attribute, ast.Subscript)) and not isinstance(each.ctx, ast.Load):
            yield from _root(each)
        elif isinstance(each, ast.Expr) and isinstance(each.value, ast.Call) and isinstance(each.value.func, ast.Attribute):
            yield from _root(each.value.func)


def _root(node: ast.expr) -> Iterator[str]:
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    if isinstance(node, ast.Name):
        yield node.id
