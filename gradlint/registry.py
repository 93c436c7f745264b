"""Finds the rules: the only module that imports them."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import Any

from gradlint import rules as package
from gradlint.rule import Rule


@cache
def all_rules() -> tuple[Rule[Any], ...]:
    """Every rule of the package, in the order of their codes."""
    found = [
        value
        for module in pkgutil.iter_modules(package.__path__)
        if module.name.startswith("grd")
        for value in vars(importlib.import_module(f"{package.__name__}.{module.name}")).values()
        if isinstance(value, Rule)
    ]
    return tuple(sorted(found, key=lambda each: each.code))
