"""Resolves imports to a module of the repository, to a value in one, or to a name of which only the dotted path is known."""

from __future__ import annotations

from typing import Any

import libcst as cst

from gradlint.model.names.dotted_paths import joined
from gradlint.model.syntax.expressions import dotted
from gradlint.simulate.callables import External, Frame, ModuleValue
from gradlint.simulate.machine import Machine
from gradlint.simulate.unknown import unknown
from gradlint.simulate.world import known_package, spells_constant


def imported(node: cst.Import | cst.ImportFrom) -> list[tuple[str, str]]:
    """The names that an import binds, each with its full dotted name."""
    found: list[tuple[str, str]] = []
    if isinstance(node, cst.Import):
        for alias in node.names:
            path = dotted(alias.name) or ""
            if alias.asname is not None and isinstance(alias.asname.name, cst.Name):
                found.append((alias.asname.name.value, path))
            else:
                first = path.partition(".")[0]
                found.append((first, first))
    elif not isinstance(node.names, cst.ImportStar):
        module = module_of(node)
        for alias in node.names:
            name = dotted(alias.name) or ""
            bound = alias.asname.name.value if alias.asname is not None and isinstance(alias.asname.name, cst.Name) else name
            found.append((bound, f"{module}.{name}" if module else name))
    return found


def module_of(node: cst.ImportFrom) -> str:
    """The dotted path of the module in a `from` import, with leading dots."""
    return "." * len(node.relative) + (dotted(node.module) or "" if node.module is not None else "")


def run_import(frame: Frame, node: cst.Import | cst.ImportFrom) -> None:
    """Bind the names of an import."""
    module = module_of(node) if isinstance(node, cst.ImportFrom) else ""
    if isinstance(node, cst.ImportFrom) and isinstance(node.names, cst.ImportStar):
        _bind_all(frame, module)
        return
    for name, path in imported(node):
        taken = path[len(module) :].lstrip(".") if module else None
        found, value = _in_sight(frame, module or path, taken)
        frame.bind(name, value if found else _by_path(frame.machine, name, path))


def attribute_of_module(machine: Machine, value: ModuleValue, name: str) -> Any:
    """`module.name`."""
    frame = module_frame(machine, value.path) if value.path else None
    if frame is not None and name in frame.names:
        return frame.names[name]
    path = joined(value.dotted, name)
    inner = _submodule(machine, value.origin, path)
    return inner if inner is not None else _by_path(machine, name, path)


def module_frame(machine: Machine, path: str) -> Frame:
    """The names of a module, which is run when it is first imported."""
    found: Frame | None = machine.frames.get(path)
    if found is None:
        found = machine.frames[path] = Frame(machine, {}, origin=path)
        around, machine.frame = machine.frame, found
        try:
            machine.compiler.run_plain(machine.compiler.module(path), found)
        finally:
            machine.frame = around
    return found


def _in_sight(frame: Frame, module: str, name: str | None) -> tuple[bool, Any]:
    """Whether the repository defines the import, and its value. Without a name, this is the module itself."""
    machine, origin = frame.machine, frame.module.origin
    if name is None:
        value = _submodule(machine, origin, module)
        return value is not None, value
    path = machine.around.imports.get((origin, module))
    names = module_frame(machine, path).names if path is not None else {}
    if name in names:
        return True, names[name]
    value = _submodule(machine, origin, joined(module, name))
    return value is not None, value


def _submodule(machine: Machine, origin: str, path: str) -> ModuleValue | None:
    imports = machine.around.imports
    if (origin, path) in imports:
        return ModuleValue(path, imports[origin, path], origin)
    if any(who == origin and each.startswith(f"{path}.") for who, each in imports):
        return ModuleValue(path, "", origin)  # a package folder
    return None


def _bind_all(frame: Frame, module: str) -> None:
    path = frame.machine.around.imports.get((frame.module.origin, module))
    if path is not None:
        for name, value in list(module_frame(frame.machine, path).names.items()):
            if not name.startswith("_"):
                frame.bind(name, value)


def _by_path(machine: Machine, name: str, path: str) -> Any:
    sets = not known_package(path) and (spells_constant(name) or machine.counts_steps(name))
    return unknown(machine, name) if sets else External(path)
