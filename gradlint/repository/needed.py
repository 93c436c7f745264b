"""Selects the top-level statements of a module that its importers need, by names, without running or fully analysing it."""

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
"""What a function or class contains if training may depend on it. Others are not followed, and count as library code."""

_UPDATES = re.compile(r"backward|\.step\b|zero_grad|clip_grad")
_SHORT = 25
"""Helpers with fewer rows are always followed, because they may divide a loss or decide where a window ends."""

_IS_MODEL = re.compile(r"^class \w+\([^)]*\bModule\b", re.M)
_HAS_WEIGHTS = re.compile(r"\bParameter\(|\bnn\.[A-Z]\w*(?<!Loss)\(|ModuleList|Sequential|register_buffer|from_pretrained")
"""What a model contains. A criterion without it only computes a loss, and shows whether that is a mean or a sum."""
_GIVES_DATA = re.compile(r"def (__iter__|__next__|__getitem__)\b")

_COMMENT = re.compile(r"#.*")

_MOST_STATEMENTS = 3000
"""Limit on the top-level statements of a module that is followed. A longer module holds data."""


@dataclass(frozen=True, eq=False)
class Statement:
    """A top-level statement, with its first and last row, the names that it binds or changes, and those that it reads."""

    node: ast.stmt
    rows: tuple[int, int]
    text: str

    @cached_property
    def gives(self) -> frozenset[str]:
        """The module's names that it binds, or whose objects it changes: `config.steps = 4`, `parser.add_argument(...)`."""
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
        """Everything that it imports, at any depth."""
        if "import" not in self.text:
            return ()
        found = (each for each in self._nodes if type(each) is ast.Import or type(each) is ast.ImportFrom)
        return tuple(inner for each in found for inner in imports_of(each))

    @cached_property
    def _nodes(self) -> list[ast.AST]:
        """All its nodes that may contain names, outermost first. `ast.walk` takes several times as long."""
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
        """Whether it runs only if the module is the program."""
        return isinstance(self.node, ast.If) and "__main__" in self.text.partition("\n")[0]

    @cached_property
    def matters(self) -> bool:
        """Whether training may depend on it. A definition that does nothing related to training does not matter."""
        if not self.is_definition:
            return True
        code = _COMMENT.sub("", self.text)
        is_short = self.rows[1] - self.rows[0] < _SHORT
        if isinstance(self.node, ast.ClassDef) and (_GIVES_DATA.search(code) or _IS_MODEL.search(code)):
            # A loader's length comes from the simulated world, however it counts. Neither kind of class shows all of its
            # behaviour.
            criterion = is_short and "def forward" in code and _HAS_WEIGHTS.search(code) is None
            return criterion or _UPDATES.search(code) is not None
        return is_short or _TRAINS.search(code) is not None


@dataclass(frozen=True, eq=False)
class Outline:
    """A module by its top-level statements."""

    text: str
    statements: tuple[Statement, ...]

    @cached_property
    def _givers(self) -> dict[str, list[int]]:
        """The indices of the statements that give each name."""
        givers: dict[str, list[int]] = {}
        for place, each in enumerate(self.statements):
            for name in each.gives if not each.is_main else ():
                givers.setdefault(name, []).append(place)
        return givers

    def needed(self, names: Iterable[str] | None) -> list[Statement]:
        """Return, in order, the statements that these names need, with everything that those read. None means all names."""
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
    """Return the fields that may contain nodes. Literals, and what is not a node, have none."""
    return tuple(kind._fields) if issubclass(kind, ast.AST) and kind is not ast.Constant else ()


def outline(text: str) -> Outline | None:
    """Return the outline of a module, or None if the interpreter cannot parse it, or it is too deep or too long to follow."""
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
