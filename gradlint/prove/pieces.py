"""The statements of one pass over the data, without what does not train, and with short names for attributes."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gradlint.prove.names import bound_names, chains, path_of, root_of
from gradlint.prove.script import Script

Path = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Piece:
    """Some statements as text, with their first line in the script."""

    text: str
    line: int


def of_one_pass(script: Script) -> list[ast.stmt]:
    """The loop over the data, and the statements around it, in its block, that train or prepare it."""
    loop = script.data_loop
    block = next(block for each in script.around for block in _blocks(each) if loop in block)
    last = max((at for at, each in enumerate(block) if _trains(each, script)), default=block.index(loop))
    first = min((at for at, each in enumerate(block) if _trains(each, script)), default=block.index(loop))
    return [each for each in block[first : last + 1] if each is loop or _trains(each, script)]


def _blocks(node: ast.AST) -> Iterator[Sequence[ast.stmt]]:
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if isinstance(block, list):
            yield block


def _trains(statement: ast.stmt, script: Script) -> bool:
    rows = range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)
    return not isinstance(statement, (ast.FunctionDef, ast.ClassDef)) and bool(script.known.events & set(rows))


def useless(statements: Iterable[ast.stmt], script: Script, keep: Iterable[str]) -> list[ast.stmt]:
    """The statements that only report or save: calls of what neither trains nor belongs to the loop."""
    some = list(statements)
    own = bound_names(some) | set(keep)
    found: list[ast.stmt] = []

    def search(block: Sequence[ast.stmt]) -> bool:
        """Note what is useless in a block, and return whether all of it is."""
        useless_ones = [each for each in block if look(each)]
        if len(useless_ones) < len(block):
            found.extend(useless_ones)
        return len(useless_ones) == len(block)

    def look(statement: ast.stmt) -> bool:
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            return not _trains(statement, script) and root_of(statement.value.func) not in own
        if isinstance(statement, ast.If) and not _trains(statement, script):
            both = [search(block) for block in (statement.body, statement.orelse) if block]
            return all(both)
        for block in _blocks(statement):
            if block:
                search(block)
        return False

    search(some)
    return found


def text_of(statements: Sequence[ast.stmt], script: Script, leave_out: Iterable[ast.stmt], names: Mapping[Path, str]) -> str:
    """The text of some statements, without others, and with names for some paths, such as `model` for `self.model`."""
    out = [(each.lineno, each.end_lineno or each.lineno) for each in leave_out]
    lines = script.text.splitlines()
    replaced: dict[int, list[tuple[int, int, str]]] = {}
    for node, path, called in chains(statements):
        name, length = _short(path, called, names)
        while length and path_of(node) != path[:length]:
            node = node.value  # type: ignore[assignment]
        if length and node.end_lineno == node.lineno:
            replaced.setdefault(node.lineno, []).append((node.col_offset, node.end_col_offset or 0, name))
    shown = []
    for statement in statements:
        for row in range(statement.lineno, (statement.end_lineno or statement.lineno) + 1):
            if any(first <= row <= last for first, last in out):
                continue
            line = lines[row - 1].encode()
            for start, end, name in sorted(replaced.get(row, ()), reverse=True):
                line = line[:start] + name.encode() + line[end:]
            shown.append(line.decode())
    return textwrap.dedent("\n".join(shown))


def _short(path: Path, called: bool, names: Mapping[Path, str]) -> tuple[str, int]:
    """The name for the longest known beginning of a path, and its length; 0 if there is none."""
    for length in range(len(path), 1, -1):
        if path[:length] in names and not (called and length == len(path) and len(path) > 2):
            return names[path[:length]], length
    return "", 0


def short_names(statements: Sequence[ast.AST], script: Script, n: Path, n_name: str) -> dict[Path, str]:
    """Names for the attributes of `self` and of settings, by path."""
    found: dict[Path, str] = {}
    own = bound_names(statements)
    every = list(chains(statements))
    methods = {path[0] for _, path, called in every if called and path[0] != "self"}
    for _, path, called in every:
        if path == n or path[-len(n) :] == n:
            found[path] = n_name
        elif path[0] == "self":
            kept = path[:-1] if called and len(path) > 2 else path
            found.setdefault(kept, kept[-1] if kept[-1] not in own else f"own_{kept[-1]}")
        elif path[0] not in own | methods | script.imports.keys() and not called:
            found.setdefault(path, path[-1] if path[-1] not in own else f"own_{path[-1]}")
    return found
