"""Which expressions are the model and the data of a loop."""

from __future__ import annotations

import ast
import re

from gradlint.prove.names import path_of
from gradlint.prove.script import Loop, Script

Path = tuple[str, ...]
_MODEL = re.compile(r"model|net(work)?$|^net|module$|gpt|bert|unet|vae|encoder|classifier", re.I)
_AROUND_MODEL = ("parameters", "named_parameters", "train", "state_dict", "no_sync")
_WALKING = ("enumerate", "tqdm", "trange", "iter", "islice", "progress_bar", "track", "zip", "cycle", "list")


def model_of(script: Script) -> Path:
    """The model: what has parameters, or else what has the name of a model; empty if unknown."""
    scope: ast.AST = script.owner or (script.functions[0] if script.functions else script.module)
    calls = [each for each in ast.walk(scope) if isinstance(each, ast.Call)]
    for method in _AROUND_MODEL:
        for call in calls:
            path = path_of(call.func)
            if len(path) > 1 and path[-1] == method and path != ("self", method) and path[-2] not in ("ema", "averaged"):
                return _unwrapped(path[:-1])
    named = [path_of(each.func) for each in calls if each.lineno >= script.data_loop.lineno]
    return next((each for each in named if each and _MODEL.search(each[-1]) and each[0] not in script.imports), ())


def _unwrapped(path: Path) -> Path:
    return path[:-1] if len(path) > 1 and path[-1] == "module" else path


def loader_of(loop: Loop, function: ast.AST) -> Path:
    """The data that a loop goes through; empty if it is not one name."""
    if isinstance(loop, ast.For):
        return _walked(loop.iter)
    for call in (each for each in ast.walk(loop) if isinstance(each, ast.Call)):
        if isinstance(call.func, ast.Name) and call.func.id == "next" and call.args:
            return _bound_to(path_of(call.args[0]), function)
    return ()


def _walked(node: ast.expr) -> Path:
    while isinstance(node, ast.Call):
        name = (path_of(node.func) or ("",))[-1]
        if name in ("range", "len") or not node.args or (name not in _WALKING and len(node.args) > 2):
            return ()
        node = node.args[0]
    return path_of(node)


def _bound_to(name: Path, function: ast.AST) -> Path:
    """What an iterator goes through: `loader` if `name = iter(loader)`."""
    for each in ast.walk(function):
        if isinstance(each, ast.Assign) and any(path_of(target) == name for target in each.targets):
            return _walked(each.value)
    return name
