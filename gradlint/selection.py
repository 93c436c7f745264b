"""Which rules run: codes, prefixes and names, as `select` and `ignore` give them."""

from __future__ import annotations

import difflib
import pkgutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gradlint.rule import Rule

    AnyRule = Rule[Any]

ALWAYS_ON = "GRD000"


class UnknownRule(ValueError):
    """A selector names no rule; the message says which, and what it may have meant."""


def specificity(code: str, name: str, selector: str) -> int:
    """How closely a selector (a code, the beginning of one, a name, or ALL) names a rule: 0 for not at all."""
    if selector.upper() == "ALL":
        return 1
    if selector.lower() == name:
        return 100
    if selector.upper().startswith("GRD") and code.startswith(selector.upper()):
        return 1 + len(selector)
    return 0


def choose(rules: Sequence[AnyRule], select: Iterable[str] | None, ignore: Iterable[str] | None) -> tuple[AnyRule, ...]:
    """The selected rules less the ignored ones; without a selection every rule that is not informational.

    The more specific selector wins, as in Ruff: `--select GRD101 --ignore GRD1` runs GRD101. Raises UnknownRule.
    """
    wanted = [] if select is None else list(select)
    unwanted = [] if ignore is None else list(ignore)
    for selector in (*wanted, *unwanted):
        if not any(specificity(rule.code, rule.name, selector) for rule in rules):
            raise UnknownRule(_unknown(selector, rules))
    chosen = []
    for rule in rules:
        by_select = max((specificity(rule.code, rule.name, s) for s in wanted), default=0)
        by_ignore = max((specificity(rule.code, rule.name, s) for s in unwanted), default=0)
        selected = by_select > 0 if select is not None else rule.on_by_default
        if selected and (by_ignore == 0 or by_select > by_ignore):
            chosen.append(rule)
    return tuple(chosen)


def require_known(selectors: Iterable[str]) -> None:
    """Raise UnknownRule for the first selector that names no rule.

    Codes are told by the names of the rule modules, so that the rules, and the parser with them, are imported only to
    look up a name.
    """
    unsure = [selector for selector in selectors if not _is_code(selector)]
    if unsure:
        from gradlint.registry import all_rules

        choose(all_rules(), unsure, None)


def find(rules: Sequence[AnyRule], name: str) -> AnyRule:
    """One rule by its code or name. Raises UnknownRule."""
    for rule in rules:
        if name.upper() == rule.code or name.lower() == rule.name:
            return rule
    raise UnknownRule(_unknown(name, rules))


def _is_code(selector: str) -> bool:
    modules = pkgutil.iter_modules([str(Path(__file__).parent / "rules")])
    return any(specificity(module.name[:6].upper(), "-", selector) for module in modules if module.name.startswith("grd"))


def _unknown(selector: str, rules: Sequence[AnyRule]) -> str:
    if selector.upper() == ALWAYS_ON:
        return f"{ALWAYS_ON} is always on: it can be neither selected nor ignored"
    known = {each.lower(): each for rule in rules for each in (rule.code, rule.name)}
    near = difflib.get_close_matches(selector.lower(), known, n=1, cutoff=0.5)
    hint = f"; did you mean `{known[near[0]]}`?" if near else ""
    return f"unknown rule `{selector}`{hint}"
