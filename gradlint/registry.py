"""Finds the rules. This is the only module that imports them."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import replace
from functools import cache

from gradlint import rules as package
from gradlint.rule import Rule


@cache
def all_rules() -> tuple[Rule, ...]:
    """Return every rule of the package, in the order of their codes."""
    found = [
        value
        for module in pkgutil.iter_modules(package.__path__)
        if module.name.startswith("grd")
        for value in vars(importlib.import_module(f"{package.__name__}.{module.name}")).values()
        if isinstance(value, Rule)
    ]
    found.sort(key=lambda each: each.code)
    peers = tuple(each for each in found if each.peers is None)
    return tuple(each if each.peers is None else replace(each, peers=peers) for each in found)
