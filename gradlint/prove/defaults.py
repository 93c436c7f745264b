"""The values of settings and parameters that a script states."""

from __future__ import annotations

import ast

from gradlint.prove.names import path_of
from gradlint.prove.script import Script


def default_of(script: Script, path: tuple[str, ...]) -> str:
    """The default of a setting or of a parameter, as text; "" if it has none."""
    spelled = ".".join(path)
    for known, value in script.known.settings.items():
        if known == spelled or spelled.endswith(f".{known}"):
            return f"{value:g}"
    return _of_parameter(script, path[-1]) if len(path) == 1 else _of_option(script, path[-1])


def _of_parameter(script: Script, name: str) -> str:
    for function in reversed(script.functions):
        arguments = function.args
        optional = arguments.args[len(arguments.args) - len(arguments.defaults) :] if arguments.defaults else []
        for each, default in zip(optional, arguments.defaults, strict=True):
            if each.arg == name and isinstance(default, ast.Constant) and default.value is not None:
                return ast.unparse(default)
    return ""


def _of_option(script: Script, name: str) -> str:
    """The default that `add_argument` gives an option."""
    for call in (each for each in ast.walk(script.module) if isinstance(each, ast.Call)):
        options = [each.value for each in call.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
        if path_of(call.func)[-1:] == ("add_argument",) and name in [each.lstrip("-").replace("-", "_") for each in options]:
            given = {each.arg: each.value for each in call.keywords}
            if isinstance(default := given.get("default"), ast.Constant) and default.value is not None:
                return ast.unparse(default)
            if isinstance(action := given.get("action"), ast.Constant) and action.value == "store_true":
                return "False"
    return ""
