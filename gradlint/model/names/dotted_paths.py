"""Dotted paths of modules, as imports spell them."""

from __future__ import annotations


def joined(module: str, name: str) -> str:
    """The dotted path of a name in a module; a module of dots alone is the package itself."""
    return f"{module}{name}" if not module or module.endswith(".") else f"{module}.{name}"
