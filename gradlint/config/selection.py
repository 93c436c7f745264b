"""Which rules run and which of their fixes may be applied: codes, prefixes and names, in layers as Ruff has them."""

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
    """A selector names no rule; the message says which, and what it may have meant."""

    def __init__(self, message: str, selector: str = "") -> None:
        super().__init__(message)
        self.selector = selector


@dataclass(frozen=True)
class Layer:
    """What one source of settings says of rules: a configuration file, or the command line. None means not said."""

    select: tuple[str, ...] | None = None
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    fixable: tuple[str, ...] | None = None
    unfixable: tuple[str, ...] = ()

    def runs(self, code: str, name: str, before: bool) -> bool:
        """Whether a rule runs that ran, or not, by the layers below: a `select` replaces what they say."""
        wanted = closest(code, name, (*(self.select or ()), *self.extend_select))
        unwanted = closest(code, name, self.ignore)
        if not wanted and not unwanted:
            return before and self.select is None
        return wanted > unwanted

    def fixes(self, code: str, name: str, before: bool) -> bool:
        """As `runs`, for whether the fixes of a rule may be applied."""
        wanted, unwanted = closest(code, name, self.fixable or ()), closest(code, name, self.unfixable)
        if not wanted and not unwanted:
            return before and self.fixable is None
        return wanted > unwanted


@dataclass(frozen=True)
class Selection:
    """All that is said of rules for one file; picklable. The selectors are known to name rules.

    `layers` go from the outermost settings to the innermost, `severity` holds pairs of a selector and a severity of
    which the most specific and among those the last counts, `silenced` is what is ignored in this file whatever is selected.
    """

    layers: tuple[Layer, ...] = ()
    severity: tuple[tuple[str, str], ...] = ()
    silenced: tuple[str, ...] = ()

    def severity_of(self, code: str, name: str, default: Severity) -> Severity:
        """The severity of a rule, which is `default` unless settings say otherwise."""
        found, best = default, 1
        for selector, severity in self.severity:
            fits = specificity(code, name, selector)
            if fits >= best:
                found, best = Severity(severity), fits
        return found

    def runs(self, code: str, name: str, default: Severity) -> bool:
        """Whether a rule of a severity runs: unless settings say otherwise, every rule that is not informational."""
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
        """The rules that run, with the severity that settings give them."""
        chosen = [rule for rule in rules if self.runs(rule.code, rule.name, rule.severity)]
        if not self.severity:
            return tuple(chosen)
        return tuple(replace(rule, severity=self.severity_of(rule.code, rule.name, rule.severity)) for rule in chosen)


def specificity(code: str, name: str, selector: str) -> int:
    """How closely a selector (a code, the beginning of one, a name, or ALL) names a rule: 0 for not at all."""
    if selector.upper() == "ALL":
        return 1
    if selector.lower() == name:
        return 100
    if selector.upper().startswith("GRD") and code.startswith(selector.upper()):
        return 100 if len(selector) == len(code) else 1 + len(selector)
    return 0


def closest(code: str, name: str, selectors: Iterable[str]) -> int:
    """The greatest specificity among selectors."""
    return max((specificity(code, name, selector) for selector in selectors), default=0)


def choose(rules: Sequence[AnyRule], select: Iterable[str] | None, ignore: Iterable[str] | None) -> tuple[AnyRule, ...]:
    """The selected rules less the ignored ones; without a selection every rule that is not informational.

    The more specific selector wins, as in Ruff: `--select GRD101 --ignore GRD1` runs GRD101. Raises UnknownRule.
    """
    layer = Layer(None if select is None else tuple(select), ignore=tuple(ignore or ()))
    for selector in (*(layer.select or ()), *layer.ignore):
        if not any(specificity(rule.code, rule.name, selector) for rule in rules):
            raise unknown_rule(selector, rules)
    return Selection((layer,)).choose(rules)


def require_known(selectors: Iterable[str]) -> None:
    """Raise UnknownRule for the first selector that names no rule.

    Codes are told by the names of the rule modules, so that the rules, and the parser with them, are imported only to
    look up a name.
    """
    unsure = [selector for selector in selectors if not _is_code(selector)]
    if unsure:
        from gradlint.registry import all_rules

        choose(all_rules(), unsure, None)


def named(rules: Sequence[AnyRule], selector: str) -> list[AnyRule]:
    """The rules that a code, the beginning of one, a name, or ALL names. Raises UnknownRule where there are none."""
    found = [rule for rule in rules if specificity(rule.code, rule.name, selector)]
    if not found:
        raise unknown_rule(selector, rules)
    return found


def _is_code(selector: str) -> bool:
    modules = (Path(__file__).parent.parent / "rules").iterdir()
    return any(specificity(module.name[:6].upper(), "-", selector) for module in modules if module.name.startswith("grd"))


def unknown_rule(selector: str, rules: Sequence[AnyRule]) -> UnknownRule:
    """What to say of a selector that names no rule."""
    if selector.upper() == ALWAYS_ON:
        return UnknownRule(f"{ALWAYS_ON} is always on: it can be neither selected nor ignored", selector)
    near = _nearest(selector, rules)
    return UnknownRule(f"unknown rule `{selector}`{f'; did you mean `{near}`?' if near else ''}", selector)


def _nearest(selector: str, rules: Sequence[AnyRule]) -> str | None:
    """What a selector may have meant: among codes first one with the same digits, then the one that is nearest in the list."""
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
