"""Which rules run: codes, prefixes and names, as `select` and `ignore` give them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

from gradlint.rule import Rule

AnyRule = Rule[Any]


class UnknownRule(ValueError):
    """A selector names no rule; the message says which, and what it may have meant."""


def choose(rules: Sequence[AnyRule], select: Iterable[str] | None, ignore: Iterable[str] | None) -> tuple[AnyRule, ...]:
    """The selected rules less the ignored ones; without a selection every rule that is not informational.

    The more specific selector wins, as in Ruff: `--select GRD101 --ignore GRD1` runs GRD101. Raises UnknownRule.
    """
    wanted = [] if select is None else list(select)
    unwanted = [] if ignore is None else list(ignore)
    for selector in (*wanted, *unwanted):
        if not any(_specificity(rule, selector) for rule in rules):
            raise UnknownRule(_unknown(selector, rules))
    chosen = []
    for rule in rules:
        by_select = max((_specificity(rule, s) for s in wanted), default=0)
        by_ignore = max((_specificity(rule, s) for s in unwanted), default=0)
        selected = by_select > 0 if select is not None else rule.on_by_default
        if selected and (by_ignore == 0 or by_select > by_ignore):
            chosen.append(rule)
    return tuple(chosen)


def find(rules: Sequence[AnyRule], name: str) -> AnyRule:
    """One rule by its code or name. Raises UnknownRule."""
    for rule in rules:
        if name.upper() == rule.code or name.lower() == rule.name:
            return rule
    raise UnknownRule(_unknown(name, rules))


def _specificity(rule: AnyRule, selector: str) -> int:
    """0 where the selector does not match; the longer the match the greater."""
    if selector.upper() == "ALL":
        return 1
    if selector.lower() == rule.name:
        return 100
    if selector.upper().startswith("GRD") and rule.code.startswith(selector.upper()):
        return 1 + len(selector)
    return 0


def _unknown(selector: str, rules: Sequence[AnyRule]) -> str:
    known = {each.lower(): each for rule in rules for each in (rule.code, rule.name)}
    near = difflib.get_close_matches(selector.lower(), known, n=1, cutoff=0.5)
    hint = f"; did you mean `{known[near[0]]}`?" if near else ""
    return f"unknown rule `{selector}`{hint}"
