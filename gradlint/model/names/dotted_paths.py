"""Dotted paths of modules, as written in imports."""

from __future__ import annotations


def joined(module: str, name: str) -> str:
    """The dotted path of a name in a module. A module that consists of dots is the package itself."""
    return f"{module}{name}" if not module or module.endswith(".") else f"{module}.{name}"
