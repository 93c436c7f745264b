"""Which rules run, and whose fixes may be applied. Selectors are codes, prefixes and names, in layers as in Ruff."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from gradlint.diagnostic import Severity

if TYPE_CHECKING:
    from gradlint.rule import Rule

    AnyRule = Rule

ALWAYS_ON = "GRD000"


class UnknownRule(ValueError):
    """A selector matches no rule. The message says which selector, and what it may have meant."""

    def __init__(self, message: str, selector: str = "") -> None:
        super().__init__(message)
        self.selector = selector


@dataclass(frozen=True)
class Layer:
    """What one source of settings, a configuration file or the command line, says about rules.

    None means that it does not say.
    """

    select: tuple[str, ...] | None = None
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    fixable: tuple[str, ...] | None = None
    unfixable: tuple[str, ...] = ()

    def runs(self, code: str, name: str, before: bool) -> bool:
        """Whether a rule runs, given whether it runs in the layers below. A `select` replaces what they say."""
        wanted = closest(code, name, (*(self.select or ()), *self.extend_select))
        unwanted = closest(code, name, self.ignore)
        if not wanted and not unwanted:
            return before and self.select is None
        return wanted > unwanted

    def fixes(self, code: str, name: str, before: bool) -> bool:
        """Like `runs`, for whether the fixes of a rule may be applied."""
        wanted, unwanted = closest(code, name, self.fixable or ()), closest(code, name, self.unfixable)
        if not wanted and not unwanted:
            return before and self.fixable is None
        return wanted > unwanted


@dataclass(frozen=True)
class Selection:
    """Everything the settings say about rules for one file. It can be pickled, and all its selectors match rules.

    `layers` are in order from the outermost settings to the innermost. `severity` holds pairs of a selector and a severity: the
    most specific one applies, and the last of those that are equally specific. `silenced` is ignored in this file, whatever is
    selected.
    """

    layers: tuple[Layer, ...] = ()
    severity: tuple[tuple[str, str], ...] = ()
    silenced: tuple[str, ...] = ()

    def severity_of(self, code: str, name: str, default: Severity) -> Severity:
        """Return the severity of a rule: `default`, unless settings override it."""
        found, best = default, 1
        for selector, severity in self.severity:
            fits = specificity(code, name, selector)
            if fits >= best:
                found, best = Severity(severity), fits
        return found

    def runs(self, code: str, name: str, default: Severity) -> bool:
        """Whether a rule runs. By default, every rule runs whose severity is not info."""
        if closest(code, name, self.silenced):
            return False
        runs = self.severity_of(code, name, default) is not Severity.INFO
        for layer in self.layers:
            runs = layer.runs(code, name, runs)
        return runs

    def fixes(self, code: str, name: str) -> bool:
        """Whether the fixes of a rule may be applied."""
        may = True
        for layer in self.layers:
            may = layer.fixes(code, name, may)
        return may

    def choose(self, rules: Iterable[AnyRule]) -> tuple[AnyRule, ...]:
        """Return the rules that run, with the severity from the settings."""
        chosen = [rule for rule in rules if self.runs(rule.code, rule.name, rule.severity)]
        if not self.severity:
            return tuple(chosen)
        return tuple(replace(rule, severity=self.severity_of(rule.code, rule.name, rule.severity)) for rule in chosen)


def specificity(code: str, name: str, selector: str) -> int:
    """Return how closely a selector (a code, its beginning, a name, or ALL) matches a rule: 0 for not at all."""
    if selector.upper() == "ALL":
        return 1
    if selector.lower() == name:
        return 100
    if selector.upper().startswith("GRD") and code.startswith(selector.upper()):
        return 100 if len(selector) == len(code) else 1 + len(selector)
    return 0


def closest(code: str, name: str, selectors: Iterable[str]) -> int:
    """Return the greatest specificity among the selectors."""
    return max((specificity(code, name, selector) for selector in selectors), default=0)


def choose(rules: Sequence[AnyRule], select: Iterable[str] | None, ignore: Iterable[str] | None) -> tuple[AnyRule, ...]:
    """Return the selected rules without the ignored ones. By default, every rule whose severity is not info is selected.

    The more specific selector wins, as in Ruff: `--select GRD101 --ignore GRD1` runs GRD101. Raises UnknownRule.
    """
    layer = Layer(None if select is None else tuple(select), ignore=tuple(ignore or ()))
    for selector in (*(layer.select or ()), *layer.ignore):
        if not any(specificity(rule.code, rule.name, selector) for rule in rules):
            raise unknown_rule(selector, rules)
    return Selection((layer,)).choose(rules)


def require_known(selectors: Iterable[str]) -> None:
    """Raise UnknownRule for the first selector that matches no rule.

    Codes are recognized by the names of the rule modules. The rules, and the parser with them, are only imported to look up other
    selectors.
    """
    unsure = [selector for selector in selectors if not _is_code(selector)]
    if unsure:
        from gradlint.registry import all_rules

        choose(all_rules(), unsure, None)


def named(rules: Sequence[AnyRule], selector: str) -> list[AnyRule]:
    """Return the rules that a code, the beginning of a code, a name, or ALL selects. Raises UnknownRule if there are none."""
    found = [rule for rule in rules if specificity(rule.code, rule.name, selector)]
    if not found:
        raise unknown_rule(selector, rules)
    return found


def _is_code(selector: str) -> bool:
    modules = (Path(__file__).parent.parent / "rules").iterdir()
    return any(specificity(module.name[:6].upper(), "-", selector) for module in modules if module.name.startswith("grd"))


def unknown_rule(selector: str, rules: Sequence[AnyRule]) -> UnknownRule:
    """Return the error for a selector that matches no rule."""
    if selector.upper() == ALWAYS_ON:
        return UnknownRule(f"{ALWAYS_ON} is always on: it can be neither selected nor ignored", selector)
    near = _nearest(selector, rules)
    return UnknownRule(f"unknown rule `{selector}`{f'; did you mean `{near}`?' if near else ''}", selector)


def _nearest(selector: str, rules: Sequence[AnyRule]) -> str | None:
    """Return what a selector may have meant.

    For codes, prefer one with the same digits, then the most similar, then the closest number.
    """
    from difflib import SequenceMatcher, get_close_matches

    text = selector.upper()
    if text[3:].isdecimal():

        def distance(code: str) -> tuple[bool, float, int]:
            return sorted(code) != sorted(text), -SequenceMatcher(None, text, code).ratio(), abs(int(code[3:]) - int(text[3:]))

        nearest = min((rule.code for rule in rules), key=distance)
        return nearest if -distance(nearest)[1] > 0.6 else None
    known = {each.lower(): each for rule in rules for each in (rule.code, rule.name)}
    near = get_close_matches(selector.lower(), known, n=1, cutoff=0.5)
    return known[near[0]] if near else None
