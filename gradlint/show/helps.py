"""What would help gradlint to judge an unknown loop: a name to teach it, or code that it does not see."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import libcst as cst

from gradlint.model.syntax.expressions import dotted, walk, walk_all
from gradlint.show.labels import short
from gradlint.show.loops import Loop
from gradlint.show.words import boundaries
from gradlint.simulate.imports import imported
from gradlint.simulate.world import known_package

Why = Callable[[str], str]
"""Returns why the module of an imported name is not followed, or "" if it is not in the repository."""


def help_for(loop: Loop, node: cst.CSTNode | None, statements: Sequence[cst.BaseStatement], why: Why) -> str:
    """Return what would help with a loop, or "" if nothing is known to help. `node` is what gradlint cannot judge in it."""
    if not loop.views:
        return _without_step(loop, statements, why)
    if any(view.doubt for view in loop.views):
        return next(filter(None, (_of_boundary(test, statements) for test in boundaries(loop))), "")
    elsewhere = _elsewhere(node, statements, why) if node is not None else ""
    if not elsewhere and loop.size > 1 and not loop.steps and not loop.trace.literals:
        return _teach("If a name holds the number of micro-batches in a window", "accumulation-steps", "NAME")
    return elsewhere


def _without_step(loop: Loop, statements: Sequence[cst.BaseStatement], why: Why) -> str:
    """Suggest that the owner of a `step()` is an optimizer."""
    around = (loop.node,) if loop.node is not None else statements
    names = list(dict.fromkeys(_owners(around, "step")))
    zeroed = [name for name in names if name in set(_owners(around, "zero_grad"))]
    if names:
        name = (zeroed or names)[0]
        return _teach(f"If `{short(name)}.step()` updates the weights", "optimizers", _last(name))
    return _elsewhere(loop.node, statements, why) if loop.node is not None else ""


def _owners(around: Sequence[cst.CSTNode], method: str) -> Iterator[str]:
    """Yield the objects that a method is called on, as the text names them."""
    for each in walk_all(around):
        if isinstance(each, cst.Call) and isinstance(each.func, cst.Attribute) and each.func.attr.value == method:
            name = dotted(each.func.value)
            if name is not None:
                yield name


def _of_boundary(test: cst.CSTNode, statements: Sequence[cst.BaseStatement]) -> str:
    """Suggest that the call or flag in a condition is a boundary."""
    bare = test.expression if isinstance(test, cst.UnaryOperation) else test
    asked = bare.func if isinstance(bare, cst.Call) else bare
    name = dotted(asked)
    if name is None or known_package(dict(_imports(statements)).get(name.partition(".")[0], "")):
        return ""
    shown = f"`{name}()`" if isinstance(bare, cst.Call) else f"`{name}`"
    return _teach(f"If {shown} is true on the micro-batch that closes a window", "boundaries", _last(name))


def _elsewhere(node: cst.CSTNode | None, statements: Sequence[cst.BaseStatement], why: Why) -> str:
    """Say which call in a node leads to code that gradlint does not see."""
    known = {name: path for name, path in _imports(statements) if not known_package(path)}
    calls = (each for each in walk(node) if isinstance(each, cst.Call)) if node is not None else ()
    for call in calls:
        first = (dotted(call.func) or "").partition(".")[0]
        if first in known:
            reason = why(known[first])
            unseen = f"`{dotted(call.func)}` comes from `{known[first]}`, which gradlint does not see"
            return f"{unseen}: {reason}" if reason else unseen
    return ""


def _imports(statements: Sequence[cst.BaseStatement]) -> Iterator[tuple[str, str]]:
    for node in walk_all(statements):
        if isinstance(node, (cst.Import, cst.ImportFrom)):
            yield from imported(node)


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _teach(when: str, key: str, name: str) -> str:
    return f'{when}, teach gradlint the name: `{key} = ["{name}"]` in `[tool.gradlint.names]`'
