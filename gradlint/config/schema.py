"""The keys of the configuration: how each is read, what it means, and its JSON schema, all in one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sized
from dataclasses import dataclass
from typing import Any

from gradlint.config.contents import MOST_PATTERNS
from gradlint.config.selection import UnknownRule, require_known
from gradlint.report import names

FORMATS = names.NAMES
SEVERITIES = ("error", "warning", "info", "off")


class Mistake(ValueError):
    """An invalid value. The message continues after the name of the key.

    `within` is the path from the key to the mistake, and `holding` is the string that is wrong.
    """

    def __init__(self, message: str, within: tuple[str, ...] = (), holding: str | None = None) -> None:
        super().__init__(message)
        self.within = within
        self.holding = holding


@dataclass(frozen=True)
class Key:
    """A configuration key. `read` turns a TOML value into a setting, or raises Mistake."""

    read: Callable[[object], Any]
    schema: Mapping[str, object]
    about: str


# Readers


def _strings(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise Mistake(" must be a list of strings")
    return tuple(value)


def _patterns(value: object) -> tuple[str, ...]:
    lines = _strings(value)
    _not_too_many(lines)
    for line in lines:
        _pattern(line, (), line)
    return lines


def _pattern(line: str, within: tuple[str, ...], holding: str | None) -> None:
    from gradlint.config.patterns import is_pattern

    if not is_pattern(line):
        raise Mistake(f": `{line}` is not a .gitignore pattern", within, holding)


def _not_too_many(patterns: Sized) -> None:
    if len(patterns) > MOST_PATTERNS:
        raise Mistake(f" has {len(patterns):,} patterns, and gradlint reads up to {MOST_PATTERNS:,}")


def _rules(value: object) -> tuple[str, ...]:
    selectors = _strings(value)
    for selector in selectors:
        _known(selector)
    return selectors


def _known(selector: str, within: tuple[str, ...] = ()) -> None:
    try:
        require_known((selector,))
    except UnknownRule as error:
        raise Mistake(f": {error}", within, selector) from error


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise Mistake(" must be true or false")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Mistake(" must be a string")
    return value


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise Mistake(" must be a whole number above 0")
    return value


def _one_of(choices: tuple[str, ...]) -> Callable[[object], str]:
    def read(value: object) -> str:
        if not isinstance(value, str) or value not in choices:
            raise Mistake(f" must be one of {', '.join(map(repr, choices))}")
        return value

    return read


def _table(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise Mistake(" must be a table")
    return value


def _per_file(value: object) -> tuple[tuple[str, tuple[str, ...]], ...]:
    found = []
    _not_too_many(_table(value))
    for pattern, each in _table(value).items():
        _pattern(pattern.removeprefix("!"), (pattern,), None)
        found.append((pattern, _within(pattern, _rules, each)))
    return tuple(found)


def _severity(value: object) -> tuple[tuple[str, str], ...]:
    found = []
    for selector, each in _table(value).items():
        _known(selector, (selector,))
        found.append((selector, _within(selector, _one_of(SEVERITIES), each)))
    return tuple(found)


def _names(value: object) -> tuple[str, ...]:
    names = _strings(value)
    for name in names:
        if not all(part.isidentifier() for part in name.split(".")):
            raise Mistake(f": `{name}` is not a Python name, such as `my_optimizer` or `engine.optimizer`", (), name)
    return names


def _taught(value: object) -> dict[str, tuple[str, ...]]:
    found = {}
    for key, each in _table(value).items():
        if key not in NAMES:
            raise Mistake(f" is an unknown key{suggestion(key, NAMES)}", (key,))
        found[key] = _within(key, _names, each)
    return found


def _within(key: str, read: Callable[[object], Any], value: object) -> Any:
    try:
        return read(value)
    except Mistake as error:
        raise Mistake(str(error), (key, *error.within), error.holding) from error


def suggestion(key: str, known: Mapping[str, object]) -> str:
    """Return a hint that names the closest known key, or lists all known keys."""
    from difflib import get_close_matches

    near = get_close_matches(key, known, n=1)
    return f"; did you mean `{near[0]}`?" if near else f"; known keys: {', '.join(known)}"


# Schemas

_STRING: Mapping[str, object] = {"type": "string"}
_LIST: Mapping[str, object] = {"type": "array", "items": _STRING}
_RULES: Mapping[str, object] = {"type": "array", "items": {"$ref": "#/definitions/rule"}}
_BOOLEAN: Mapping[str, object] = {"type": "boolean"}
_NAMES: Mapping[str, object] = {"type": "array", "items": {"type": "string", "pattern": r"^[^\W\d]\w*(\.[^\W\d]\w*)*$"}}

# The tables

NAMES: Mapping[str, Key] = {
    "optimizers": Key(
        _names, _NAMES, "Names of optimizers, and of the functions that build them. Their `step()` updates the weights."
    ),
    "schedulers": Key(_names, _NAMES, "Names of learning-rate schedulers, and of the functions that build them."),
    "accumulation-steps": Key(_names, _NAMES, "Names that hold the number of accumulation steps."),
    "boundaries": Key(_names, _NAMES, "Names of flags and functions that are true on the micro-batch that closes a window."),
}

KEYS: Mapping[str, Key] = {
    "extend": Key(_text, _STRING, "A configuration file to extend, relative to this one. Settings here override it."),
    "select": Key(
        _rules,
        _RULES,
        "The rules that run: codes, beginnings of codes, names, or ALL. Default: every rule of severity error or warning.",
    ),
    "extend-select": Key(_rules, _RULES, "Rules to run on top of the selected ones."),
    "ignore": Key(_rules, _RULES, "Rules that do not run. If a rule is also selected, the more specific selector wins."),
    "per-file-ignores": Key(
        _per_file,
        {"type": "object", "additionalProperties": _RULES},
        "Rules to ignore in the files that match a pattern. A pattern that begins with ! matches all other files.",
    ),
    "severity": Key(
        _severity,
        {
            "type": "object",
            "propertyNames": {"$ref": "#/definitions/rule"},
            "additionalProperties": {"type": "string", "enum": list(SEVERITIES)},
        },
        "The severity of rules. A rule with severity info runs only if you select it, and off ignores the rule.",
    ),
    "fixable": Key(_rules, _RULES, "The rules whose fixes gradlint may apply. Default: all."),
    "unfixable": Key(_rules, _RULES, "The rules whose fixes gradlint must not apply."),
    "unsafe-fixes": Key(
        _truth, _BOOLEAN, "Whether to include fixes that may change something you chose on purpose. Default: false."
    ),
    "exclude": Key(
        _patterns,
        _LIST,
        ".gitignore patterns of files and folders to skip, instead of the default ones (.venv, build, ...).",
    ),
    "extend-exclude": Key(_patterns, _LIST, "Patterns of files and folders to skip on top of `exclude`."),
    "force-exclude": Key(_truth, _BOOLEAN, "Whether to skip excluded files even if the command line names them. Default: false."),
    "respect-gitignore": Key(_truth, _BOOLEAN, "Whether to skip files that a .gitignore names. Default: true."),
    "follow": Key(
        _truth,
        _BOOLEAN,
        "Whether to read the modules of the repository that a file imports, and the programs that lead to it. Default: true.",
    ),
    "max-size": Key(
        _number,
        {"type": "integer", "minimum": 1},
        "Characters of code that can matter to a training loop: a file with more is not checked, and reported. Default: 600000.",
    ),
    "baseline": Key(_text, _STRING, "A baseline, relative to this file. gradlint does not report the findings in it."),
    "output-format": Key(_one_of(FORMATS), {"type": "string", "enum": list(FORMATS)}, "How to print findings. Default: full."),
    "names": Key(
        _taught,
        {
            "type": "object",
            "additionalProperties": False,
            "properties": {name: {"description": key.about, **key.schema} for name, key in NAMES.items()},
        },
        "The names of a private framework: variables, attributes, functions and constructors. In a dotted name, the last part counts.",
    ),
}
