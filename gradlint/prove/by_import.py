"""The training function of a test, as a call of the function in the script that contains the loop."""

from __future__ import annotations

import ast

from gradlint.model.names.vocabulary import Role, role_of_spelling
from gradlint.prove.batch_form import batch_form
from gradlint.prove.document import Step
from gradlint.prove.roles import loader_of, model_of
from gradlint.prove.script import Script
from gradlint.prove.stand_ins import is_count_of_passes, stand_in


def by_import(script: Script, name: str) -> Step | None:
    """Call the function of the script if it takes the model, the data and N; None if it does not."""
    function = script.function
    if len(script.functions) != 1 or script.owner is not None or not isinstance(function, ast.FunctionDef):
        return None
    arguments = function.args
    if not script.module_name or function.decorator_list or arguments.vararg or arguments.kwarg or arguments.posonlyargs:
        return None
    every = [each.arg for each in (*arguments.args, *arguments.kwonlyargs)]
    model, loader, n = model_of(script), loader_of(script.data_loop, function), script.known.steps
    if not all(len(each) == 1 and each[0] in every for each in (model, loader)) or n not in every:
        return None
    around = script.loops[: script.loops.index(script.data_loop)]
    counts = {
        each.id
        for loop in around
        for each in ast.walk(loop.iter if isinstance(loop, ast.For) else loop.test)
        if isinstance(each, ast.Name)
    }
    if any(not counts & set(every) for _ in around):
        return None  # it makes a fixed number of passes
    own = (model[0], loader[0], n)
    optimizer = next((each for each in every if role_of_spelling(each) is Role.OPTIMIZER), "")
    defaults = _with_defaults(arguments)
    lines, given = [], []
    for each in _in_order(every, optimizer):
        if each not in own and each not in defaults:
            lines.append(stand_in(each, own[0], optimizer, f"what `{function.name}` gets as `{each}`"))
    keywords = {each.arg for each in arguments.kwonlyargs}
    by_name = False
    for each in every:
        by_name = by_name or each in keywords or each in defaults
        if each in own or each not in defaults:
            given.append(f"{each}={each}" if by_name else each)
        elif is_count_of_passes(each):
            given.append(f"{each}=1")
    lines = [f"{line.partition(' = ')[0]} = 1" if is_count_of_passes(line.partition(" = ")[0]) else line for line in lines]
    lines.append(f"{function.name}({', '.join(given)})")
    return Step(
        name,
        own,
        tuple(lines),
        (f"from {script.module_name} import {function.name}",),
        batch_form(script.data_loop),
        f"What `{function.name}` in {script.path.name} does to a model with these batches.",
    )


def _in_order(every: list[str], optimizer: str) -> list[str]:
    """The parameters, with the optimizer first: a schedule needs it."""
    return [optimizer, *(each for each in every if each != optimizer)] if optimizer else every


def _with_defaults(arguments: ast.arguments) -> set[str]:
    """The parameters that need not be given."""
    optional = arguments.args[len(arguments.args) - len(arguments.defaults) :] if arguments.defaults else []
    named = [each for each, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if default is not None]
    return {each.arg for each in (*optional, *named)}
