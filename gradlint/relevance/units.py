"""Splits a text into units that are read or skipped as a whole: functions, methods, the rest of each class, other statements."""

from __future__ import annotations

import ast
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from functools import cached_property

from gradlint.relevance.unit_contents import Contents, contents_of, last_name

Rows = tuple[int, int]
"""The first and last row of a run, counted from 1."""

NEWLINE = re.compile(r"\r\n|\r|\n")
_LARGE_LITERAL = 200
_LARGE_TEXT = 100_000
_WORD = re.compile(r"[^\W\d]\w*")
_RENAMED = re.compile(r" as (\w+)")
_NAMED = re.compile(r"\s+(\w+)")
_GIVEN = re.compile(r"\bself\s*\.\s*(\w+)\s*[=,:)\]#\\]")
_LAST_WORD = re.compile(r"(\w+)\s*$")
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, eq=False)
class Unit:
    """Whole rows that are read together, and the statements in them."""

    text: str
    """The full text of its rows."""
    rows: tuple[Rows, ...]
    nodes: tuple[ast.AST, ...]
    names: tuple[str, ...]
    """The names under which other code can reach it."""
    owner: str | None = None
    """The class of the method, or of the other statements in its body."""
    of_module: bool = False
    bases: frozenset[str] = frozenset()
    """For a class, the last parts of the names of its bases."""

    @property
    def is_head(self) -> bool:
        """Whether it contains the statements of a class outside its methods."""
        return self.owner is not None and self.owner in self.names

    @cached_property
    def words(self) -> frozenset[str]:
        """Every word of its text, including comments and strings."""
        return frozenset(_WORD.findall(self.text))

    @cached_property
    def contents(self) -> Contents:
        """What its code calls, reads, binds and computes."""
        return contents_of(self.nodes)

    @cached_property
    def defined(self) -> frozenset[str]:
        """The names under which other code can reach it, and the names of all functions and classes that its text may define."""
        named = (_NAMED.match(each) for word in ("def", "class") for each in self.text.split(word)[1:])
        return frozenset((*self.names, *(match[1] for match in named if match is not None)))

    def defines(self, name: str) -> bool:
        """Whether the code defines one of the names, instead of only mentioning it."""
        return name in self.names or name in self.contents.defines

    def calls_any(self, names: Set[str]) -> bool:
        """Whether it calls something with one of these names. Checking the text first is much faster."""
        return any(name in self.text for name in names) and not names.isdisjoint(self.contents.called)

    def gives_any(self, names: Set[str]) -> bool:
        """Whether it assigns an attribute of `self` with one of these names."""
        return not names.isdisjoint(self._perhaps_given) and not names.isdisjoint(self.contents.gives)

    @cached_property
    def _perhaps_given(self) -> frozenset[str]:
        return frozenset(_GIVEN.findall(self.text))


class Units:
    """The units of a text, in the order of their first rows."""

    def __init__(self, text: str, tree: ast.Module) -> None:
        self.text = text
        self._starts = (0, *(match.end() for match in NEWLINE.finditer(text)))
        self.all: tuple[Unit, ...] = tuple(self._of_module(tree.body))
        self.of_module = tuple(n for n, unit in enumerate(self.all) if unit.of_module and not _is_large_literal(unit))

    def __getitem__(self, number: int) -> Unit:
        return self.all[number]

    @cached_property
    def words(self) -> frozenset[str]:
        """Every word of the text, including comments and strings."""
        return frozenset(_WORD.findall(self.text))

    # Search

    def calling(self, *names: str) -> list[int]:
        """The units that may call something with one of the names, judged by their text.

        A name may be just the end of a longer one.
        """
        found: dict[int, None] = {}
        for name in names:
            if name in self.text:
                for match in re.finditer(rf"""{name}["'\])\s\\]*\(""", self.text):
                    found.update(dict.fromkeys(self._at(match.start())))
        return sorted(found)

    def defining(self, name: str) -> list[int]:
        """The units that define a function or method with a name, at any depth, judged by their text."""
        matches = re.finditer(rf"def\s+{re.escape(name)}\b", self.text) if name in self.text else ()
        return sorted({number for match in matches for number in self._at(match.start())})

    def holding(self, words: Set[str], endings: tuple[str, ...] = ()) -> Iterator[int]:
        """The units that contain one of the words, a name that one was imported as, or a word with one of the endings."""
        wanted = words | self.aliases(words)
        for number, unit in enumerate(self.all):
            if not wanted.isdisjoint(unit.words) or (endings and any(word.endswith(endings) for word in unit.words)):
                yield number

    def aliases(self, names: Set[str]) -> set[str]:
        """The names that some names are imported as."""
        return {alias for alias, name in self.renamed.items() if name in names}

    @property
    def _lonely(self) -> Set[str]:
        """The words that occur only once in a large text. Nothing reads the variables that they name."""
        if len(self.text) < _LARGE_TEXT:
            return frozenset()
        return {word for word, times in Counter(_WORD.findall(self.text)).items() if times == 1}

    @cached_property
    def renamed(self) -> dict[str, str]:
        """Map the name after each `as` to the name before it."""
        found: dict[str, str] = {}
        for match in _RENAMED.finditer(self.text):
            before = _LAST_WORD.search(self.text[max(0, match.start() - 80) : match.start()])
            if before is not None:
                found[match.group(1)] = before.group(1)
        return found

    def bases(self, number: int) -> frozenset[str]:
        """The last parts of the names of the bases of a unit's class, and of the classes inside it."""
        owner = self.all[number].owner
        own = (unit.bases for unit in self.all if owner is not None and unit.owner == owner)
        return frozenset(self.all[number].contents.bases).union(*own)

    def family(self, number: int) -> list[int]:
        """All units of a unit's class, or only the unit itself if it has none."""
        owner = self.all[number].owner
        return [n for n, unit in enumerate(self.all) if unit.owner == owner] if owner is not None else [number]

    def _at(self, offset: int) -> Iterator[int]:
        row = bisect_right(self._starts, offset)
        place = bisect_right(self._row_starts, (row, len(self.all))) - 1
        if place >= 0:
            yield self._row_starts[place][1]

    @cached_property
    def _row_starts(self) -> list[tuple[int, int]]:
        return sorted((first, number) for number, unit in enumerate(self.all) for first, _ in unit.rows)

    # Splitting

    def _of_module(self, body: Sequence[ast.stmt]) -> Iterator[Unit]:
        for first, last, nodes in _alive(list(_lines(body, 0)), self._lonely):
            node = nodes[0]
            if isinstance(node, _DEFINITIONS):
                yield self._unit([(first, last)], nodes, (node.name,))
            elif isinstance(node, ast.ClassDef):
                yield from self._of_class(node, first, last)
            else:
                yield self._unit([(first, last)], nodes, tuple(_defined_in(nodes)), of_module=True)

    def _of_class(self, node: ast.ClassDef, first: int, last: int) -> Iterator[Unit]:
        bases = frozenset(filter(None, map(last_name, node.bases)))
        start = _first_row(node.body[0])
        if start <= node.lineno:
            methods = [each.name for each in node.body if isinstance(each, _DEFINITIONS)]
            yield self._unit([(first, last)], (node,), (node.name, *methods), owner=node.name, bases=bases)
            return
        rest: list[Rows] = [(first, start - 1)]
        others: list[ast.AST] = [*node.bases, *node.keywords, *node.decorator_list]
        names = [node.name]
        methods_of: list[tuple[Rows, ast.stmt, str]] = []
        for begin, end, nodes in _lines(node.body, start - 1):
            inner = nodes[0]
            if isinstance(inner, _DEFINITIONS):
                methods_of.append(((begin, end), inner, inner.name))
            else:
                rest.append((begin, end))
                others.extend(nodes)
                names.extend(_defined_in(nodes))
        if len(rest) == 1:  # a class needs a body
            rows, method, name = methods_of.pop(0)
            rest.append(rows)
            others.append(method)
            names.append(name)
        yield self._unit(rest, others, tuple(names), owner=node.name, bases=bases)
        for rows, method, name in methods_of:
            yield self._unit([rows], (method,), (name,), owner=node.name)

    def _unit(
        self,
        rows: Sequence[Rows],
        nodes: Iterable[ast.AST],
        names: tuple[str, ...],
        *,
        owner: str | None = None,
        of_module: bool = False,
        bases: frozenset[str] = frozenset(),
    ) -> Unit:
        text = "".join(self.between(*row) for row in rows)
        return Unit(text, tuple(rows), tuple(nodes), names, owner, of_module, bases)

    def between(self, first: int, last: int) -> str:
        """The text of a run of rows."""
        return self.text[slice(*self.offsets(first, last))]

    def offsets(self, first: int, last: int) -> tuple[int, int]:
        """The start and end offsets of a run of rows."""
        return self._starts[first - 1], self._starts[last] if last < len(self._starts) else len(self.text)


def _defined_in(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """The functions and classes in some statements, at any depth."""
    for node in nodes:
        if hasattr(node, "body") or hasattr(node, "cases"):  # no other statement contains statements
            yield from (each.name for each in ast.walk(node) if isinstance(each, (*_DEFINITIONS, ast.ClassDef)))


def _first_row(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(each.lineno for each in decorators)])


def _lines(body: Sequence[ast.stmt], before: int) -> Iterator[tuple[int, int, list[ast.stmt]]]:
    """Group statements by row, with their rows and the gap above. Statements that share a row stay together."""
    current: tuple[int, int, list[ast.stmt]] | None = None
    for node in body:
        last = node.end_lineno or node.lineno
        if current is not None and _first_row(node) <= current[1]:
            current = (current[0], max(last, current[1]), [*current[2], node])
            continue
        if current is not None:
            yield current
            before = current[1]
        current = (before + 1 if before else _first_row(node), last, [node])
    if current is not None:
        yield current


def _alive(
    lines: Sequence[tuple[int, int, list[ast.stmt]]], lonely: Set[str] = frozenset()
) -> list[tuple[int, int, list[ast.stmt]]]:
    """Drop plain constants that nothing reads: those with lonely names, or overwritten before anything else runs."""
    kept = []
    overwritten: set[str] = set()
    for line in reversed(lines):
        name = _given_constant(line[2])
        if name is None:
            overwritten.clear()
        elif name in overwritten or name in lonely:
            continue
        else:
            overwritten.add(name)
        kept.append(line)
    return kept[::-1]


def _given_constant(nodes: Sequence[ast.stmt]) -> str | None:
    """The single name that a line assigns a constant to, if it does nothing else."""
    node = nodes[0]
    if len(nodes) > 1 or not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Constant) or len(node.targets) > 1:
        return None
    target = node.targets[0]
    return target.id if isinstance(target, ast.Name) else None


def _is_large_literal(unit: Unit) -> bool:
    first, last = unit.rows[0]
    large = last - first > _LARGE_LITERAL or len(unit.text) > 100 * _LARGE_LITERAL
    return large and isinstance(unit.nodes[0], (ast.Assign, ast.Expr, ast.AnnAssign))
