"""The keys of the configuration: how each is read, what it means, and its JSON schema, in one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gradlint.config.selection import UnknownRule, require_known
from gradlint.report import names

FORMATS = names.NAMES
SEVERITIES = ("error", "warning", "info", "off")


class Mistake(ValueError):
    """A value that is none: the message goes on after the name of the key.

    `within` is the way from the key to what is wrong, `holding` the string that is wrong.
    """

    def __init__(self, message: str, within: tuple[str, ...] = (), holding: str | None = None) -> None:
        super().__init__(message)
        self.within = within
        self.holding = holding


@dataclass(frozen=True)
class Key:
    """One key: `read` turns a TOML value into a setting or raises Mistake."""

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
    for line in lines:
        _pattern(line, (), line)
    return lines


def _pattern(line: str, within: tuple[str, ...], holding: str | None) -> None:
    from gradlint.config.patterns import is_pattern

    if not is_pattern(line):
        raise Mistake(f": `{line}` is no pattern of a .gitignore", within, holding)


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
            raise Mistake(f": `{name}` is no name of Python, such as `my_optimizer` or `engine.optimizer`", (), name)
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
    """What an unknown key may have meant, or else all that are known."""
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
        _names, _NAMES, "Names of optimizers, and of what builds them: their `step()` is an update of the weights."
    ),
    "schedulers": Key(_names, _NAMES, "Names of learning-rate schedulers, and of what builds them."),
    "accumulation-steps": Key(_names, _NAMES, "Names under which the number of accumulation steps is kept."),
    "boundaries": Key(_names, _NAMES, "Names of flags and functions that are true on the micro-batch that closes a window."),
}

KEYS: Mapping[str, Key] = {
    "extend": Key(_text, _STRING, "A configuration file to begin with, relative to this one; what is said here wins."),
    "select": Key(
        _rules,
        _RULES,
        "The rules that run: codes, beginnings of codes, names, or ALL. Default: every rule of severity error or warning.",
    ),
    "extend-select": Key(_rules, _RULES, "Rules that run in addition to those that run anyway."),
    "ignore": Key(_rules, _RULES, "Rules that do not run. Where a rule is selected as well, the more specific of both wins."),
    "per-file-ignores": Key(
        _per_file,
        {"type": "object", "additionalProperties": _RULES},
        "Rules that are ignored in the files that a pattern names; a pattern that begins with ! stands for all other files.",
    ),
    "severity": Key(
        _severity,
        {
            "type": "object",
            "propertyNames": {"$ref": "#/definitions/rule"},
            "additionalProperties": {"type": "string", "enum": list(SEVERITIES)},
        },
        "The severity of rules. What is info does not run unless it is selected; off ignores the rule.",
    ),
    "fixable": Key(_rules, _RULES, "The rules whose fixes may be applied. Default: all."),
    "unfixable": Key(_rules, _RULES, "The rules whose fixes are not applied."),
    "unsafe-fixes": Key(
        _truth, _BOOLEAN, "Whether fixes count that may change what the author chose on purpose. Default: false."
    ),
    "exclude": Key(
        _patterns,
        _LIST,
        "Patterns, as in a .gitignore, of files and folders to leave out instead of the usual ones (.venv, build, ...).",
    ),
    "extend-exclude": Key(_patterns, _LIST, "Patterns of files and folders to leave out in addition to those of `exclude`."),
    "force-exclude": Key(_truth, _BOOLEAN, "Whether files are left out even where the command line names them. Default: false."),
    "respect-gitignore": Key(_truth, _BOOLEAN, "Whether what .gitignore files name is left out. Default: true."),
    "baseline": Key(_text, _STRING, "A baseline, relative to this file: what stands in it is not reported."),
    "output-format": Key(_one_of(FORMATS), {"type": "string", "enum": list(FORMATS)}, "How findings are written. Default: full."),
    "names": Key(
        _taught,
        {
            "type": "object",
            "additionalProperties": False,
            "properties": {name: {"description": key.about, **key.schema} for name, key in NAMES.items()},
        },
        "The names of a private framework: variables, attributes and constructors. Of a dotted name the last part counts.",
    ),
}
