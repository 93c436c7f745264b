"""Checks a fix over several files from the files besides that of its finding: those that it changes, and those that import them."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence

from gradlint.analysis.neighbours import Neighbours
from gradlint.analysis.several import Part
from gradlint.analysis.source import Source, read_for_runs
from gradlint.files.parse import parse
from gradlint.model.names.vocabulary import Taught
from gradlint.repository.callers import importers
from gradlint.simulate.compare import Comparison, compare
from gradlint.simulate.promise import Promise
from gradlint.simulate.simulation import Simulation

MOST_IMPORTERS = 6
"""Limit on the files from which a fix is checked. With more, nobody knows whom the change would meet."""


def compare_from_others(
    around: Neighbours, changed: Mapping[str, str], parts: Sequence[Part], code: str, promise: Promise, taught: Taught
) -> Comparison:
    """Compare the repository with and without the `changed` texts, from every file that a change in another file may reach."""
    misses = missing_users(around, changed)
    if misses is not None:
        return Comparison(refused=misses)
    found = _views(around, parts)
    around.consulted.update(found)
    if len(found) > MOST_IMPORTERS:
        return Comparison(unseen=f"more files import `{around.repository.name(parts[0].path)}` than gradlint tries")
    unseen = ""
    for path in found:
        text = around.repository.text(path)
        if text is None:
            continue
        view = Neighbours(around.repository, path, text)
        before = _runs(view, text, taught)
        after = _runs(view.with_texts(changed), changed.get(path, text), taught)
        around.consulted.update(view.context.followed)
        if not before:
            continue
        seen = compare(before, after, code, promise)
        if seen.refused:
            return Comparison(refused=f"from `{around.repository.name(path)}`, {seen.refused}")
        if any(fault.code == code for each in before for fault in each.faults):
            unseen = unseen or seen.unseen
    return Comparison(unseen=unseen)


def missing_users(around: Neighbours, changed: Mapping[str, str]) -> str | None:
    """Why a function may not get other parameters: an unchanged file mentions it."""
    for path, text in changed.items():
        names = changed_functions(around.text if path == around.path else around.repository.text(path) or "", text)
        for other in importers(around.repository, path) if names else ():
            around.consulted.add(other)
            words = set(re.findall(r"\w+", around.repository.text(other) or "")) if other not in changed else set()
            name = next((each for each in names if each in words), None)
            if name is not None:
                return f"`{around.repository.name(other)}` also uses `{name}`, which would get another parameter"
    return None


def changed_functions(before: str, after: str) -> list[str]:
    """The names of the functions that have other parameters in the second text."""
    if _heads(before) == _heads(after):
        return []  # parsing both texts for each fix would take long
    known, now = _parameters(before), _parameters(after)
    return [name for name in known if now.get(name) != known[name]]


def _heads(text: str) -> list[str]:
    """The lines of the heads of all functions. If a head ends in a comment, more lines follow."""
    found: list[str] = []
    inside = False
    for line in text.splitlines():
        inside = inside or line.lstrip().startswith(("def ", "async def "))
        if inside:
            found.append(line)
            inside = not line.rstrip().endswith(":")
    return found


def _parameters(text: str) -> dict[str, list[str]]:
    """The parameters of each function, as written."""
    try:
        nodes = list(ast.walk(parse(text)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    functions = (each for each in nodes if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef)))
    found: dict[str, list[str]] = {}
    for each in functions:
        found.setdefault(each.name, []).append(ast.unparse(each.args))
    return found


def _views(around: Neighbours, parts: Sequence[Part]) -> list[str]:
    """The files to check from: those that the fix changes, and those that import them. The file of the finding is checked anyway."""
    changed = [each.path for each in parts]
    leading = [path for each in changed for path in importers(around.repository, each)]
    return [each for each in dict.fromkeys((*changed, *leading)) if each != around.path]


def _runs(view: Neighbours, text: str, taught: Taught) -> tuple[Simulation, ...]:
    source = read_for_runs(text, taught)
    return view.simulate(source.statements, taught) if isinstance(source, Source) else ()
