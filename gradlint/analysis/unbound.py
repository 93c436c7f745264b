"""Finds names that a text reads but never binds. If a fix introduced one, the code would raise `NameError`."""

from __future__ import annotations

import builtins
import re
import symtable
from collections.abc import Iterator

_GIVEN = frozenset(dir(builtins)) | {"__file__", "__path__", "__annotations__", "__builtins__"}
_ALL_OF_ANOTHER = re.compile(r"^\s*from\s[^#\n]*\simport\s*\*", re.M)

Reads = frozenset[tuple[str, str]]
"""Pairs of a scope path and a name that is read in that scope."""


def unbound(text: str) -> Reads | None:
    """The names that a text reads without binding them in any visible scope. None if the text does not allow an answer."""
    if _ALL_OF_ANOTHER.search(text):
        return None
    try:
        module = symtable.symtable(text, "train.py", "exec")
    except (SyntaxError, ValueError, RecursionError):  # the syntax is newer than this Python, or nested too deeply
        return None
    scopes = list(_scopes(module, ""))
    known = {each.get_name() for each in module.get_symbols() if _binds(each)} | _GIVEN
    known |= {
        each.get_name() for _, scope in scopes for each in scope.get_symbols() if each.is_declared_global() and _binds(each)
    }
    return frozenset(
        (path, each.get_name())
        for path, scope in scopes
        for each in scope.get_symbols()
        if each.is_referenced() and (each.is_global() or scope is module) and each.get_name() not in known
    )


def _scopes(table: symtable.SymbolTable, path: str) -> Iterator[tuple[str, symtable.SymbolTable]]:
    yield path, table
    for inner in table.get_children():
        yield from _scopes(inner, f"{path}.{inner.get_name()}")


def _binds(symbol: symtable.Symbol) -> bool:
    return symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()
