"""A training loop of a script, with what the simulated run knows of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

Loop = ast.For | ast.While
Function = ast.FunctionDef | ast.AsyncFunctionDef


class NoProof(ValueError):
    """No test can be written for a loop. The message is a sentence that says why."""


@dataclass(frozen=True, eq=False)
class Known:
    """What a simulated run knows of a loop: its row, N as the text writes it, and N in numbers.

    `passes` are the rows where passes over data begin, `events` those of what trains, and `steps_at` those of optimizer steps.
    `settings` are the values of settings if nobody sets them.
    """

    row: int
    steps: str
    n: int
    passes: frozenset[int]
    events: frozenset[int]
    steps_at: frozenset[int]
    settings: dict[str, float]


@dataclass(frozen=True, eq=False)
class Script:
    """A file, and the loop in it that a test is about."""

    path: Path
    text: str
    known: Known

    @cached_property
    def module(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def around(self) -> list[ast.AST]:
        """The nodes around the training loop, outermost first, and the loop."""
        found = _path_to(self.module, self.known.row)
        if not found:
            raise NoProof("the backward pass is not in a `for` or `while` loop of this file")
        return found

    @cached_property
    def functions(self) -> list[Function]:
        """The functions around the loop, outermost first."""
        return [each for each in self.around if isinstance(each, Function)]

    @property
    def function(self) -> Function | None:
        """The innermost function around the loop."""
        return self.functions[-1] if self.functions else None

    @cached_property
    def owner(self) -> ast.ClassDef | None:
        """The class around the loop."""
        return next((each for each in self.around if isinstance(each, ast.ClassDef)), None)

    @cached_property
    def data_loop(self) -> Loop:
        """The loop that goes through the data once: the outermost one where a pass over the data begins."""
        loops = self.loops
        for each in loops:
            if isinstance(each, ast.For) and self.known.passes & set(range(each.lineno, each.body[0].lineno)):
                return each
        inner = loops[-1]
        whole_window = len(loops) > 1 and not any(inner.lineno < row <= (inner.end_lineno or 0) for row in self.known.steps_at)
        return loops[-2] if whole_window else inner

    @cached_property
    def loops(self) -> list[Loop]:
        """The loops around the backward pass in the innermost function, outermost first."""
        start = max((at for at, each in enumerate(self.around) if isinstance(each, Function)), default=-1)
        return [each for each in self.around[start + 1 :] if isinstance(each, Loop)]

    @cached_property
    def module_name(self) -> str:
        """The name by which a test imports the file; "" if it cannot, or if an import would train."""
        parts = [self.path.stem]
        folder = self.path.parent
        while (folder / "__init__.py").is_file() and folder.name:
            parts.insert(0, folder.name)
            folder = folder.parent
        named = str(self.path) != "<stdin>" and all(each.isidentifier() for each in parts)
        return ".".join(parts) if named and not any(map(_acts, self.module.body)) else ""

    @cached_property
    def imports(self) -> dict[str, ast.Import | ast.ImportFrom]:
        """The statements that import each name of the module."""
        found: dict[str, ast.Import | ast.ImportFrom] = {}
        for node in ast.walk(self.module):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                for each in node.names:
                    found[each.asname or each.name.partition(".")[0]] = node
        return found

    def package_of(self, name: str) -> str:
        """The package that a name is imported from; "" if it is not imported."""
        node = self.imports.get(name)
        if isinstance(node, ast.ImportFrom):
            return "" if node.level else (node.module or "").partition(".")[0]
        found = (
            next((each.name for each in node.names if (each.asname or each.name.partition(".")[0]) == name), "") if node else ""
        )
        return found.partition(".")[0]

    def segment(self, node: ast.AST) -> str:
        """The text of a node."""
        return ast.get_source_segment(self.text, node) or ast.unparse(node)


def _path_to(module: ast.Module, row: int) -> list[ast.AST]:
    """The nodes around the loop that begins in a row, outermost first, and the loop."""

    def search(node: ast.AST, path: list[ast.AST]) -> Iterator[list[ast.AST]]:
        if isinstance(node, Loop) and node.lineno == row:
            yield [*path, node]
        for child in ast.iter_child_nodes(node):
            yield from search(child, [*path, node])

    return next(search(module, []), [])


def _acts(statement: ast.stmt) -> bool:
    """Whether importing a module runs something: a loop, a call for its effect, or reading the command line."""
    if isinstance(statement, ast.If):
        return "__main__" not in ast.unparse(statement.test) and any(map(_acts, statement.body))
    if isinstance(statement, (ast.For, ast.While, ast.With)):
        return True
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Call) and "seed" not in ast.unparse(statement.value.func)
    calls = (each for each in ast.walk(statement) if isinstance(each, ast.Call)) if isinstance(statement, ast.Assign) else ()
    return any(ast.unparse(each.func).rpartition(".")[2] in ("parse_args", "parse_known_args") for each in calls)
