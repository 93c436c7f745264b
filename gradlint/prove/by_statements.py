"""The training function of a test, written out from the loop's statements and from what they need."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from gradlint.prove.batch_form import batch_form
from gradlint.prove.defaults import default_of
from gradlint.prove.document import Step, import_of
from gradlint.prove.names import free_names, path_of
from gradlint.prove.pieces import of_one_pass, short_names, text_of, useless
from gradlint.prove.roles import loader_of, model_of
from gradlint.prove.script import NoProof, Script
from gradlint.prove.stand_ins import is_device, stand_in

_COPIED = frozenset("torch accelerate transformers diffusers lightning math functools itertools contextlib collections".split())
"""Packages whose calls a test may repeat: they build things, and read no data."""
Path = tuple[str, ...]


def by_statements(script: Script, name: str) -> Step:
    """Write the loop's statements as a function. Raises NoProof."""
    scope = script.function or script.module
    model, loader, n = model_of(script), loader_of(script.data_loop, scope), tuple(script.known.steps.split("."))
    if not model:
        raise NoProof("it is not clear which object is the model")
    if not loader:
        raise NoProof(f"it is not clear what the loop in line {script.data_loop.lineno} reads its batches from")
    return _Writer(script, model, loader, n).step(name)


class _Writer:
    """Collects what the statements of a loop need, from the last statement that binds each name."""

    def __init__(self, script: Script, model: Path, loader: Path, n: Path) -> None:
        self.script = script
        self.n_path, self.loader_path = n, loader
        self.model, self.loader = model[-1], loader[-1]
        self.n = n[-1].lower() if n[-1].isidentifier() else "accumulation"
        if self.n in (self.model, self.loader):
            self.n = "accumulation"
        self.lines: dict[int, str] = {}
        self.holes: list[str] = []
        self.imports: set[str] = set()
        self._settings: dict[str, Path] = {}
        self._asked: set[tuple[str, int]] = set()

    def step(self, name: str) -> Step:
        statements = of_one_pass(self.script)
        keep = (self.model, self.loader, "optimizer", "scheduler", "scaler", "self")
        body = self._text(statements, useless(statements, self.script, keep))
        self._need(body, statements[0].lineno)
        copied = [line for row in sorted(self.lines) for line in self.lines[row].splitlines()]
        late = [each for each in self.holes if "(optimizer" in each]  # a schedule needs the optimizer
        lines = [*(each for each in self.holes if each not in late), *copied, *late, *body.splitlines()]
        if any("accelerator" in each for each in self.imports) or any("Accelerator(" in each for each in lines):
            lines.insert(0, f"{self.loader} = torch.utils.data.DataLoader({self.loader}, batch_size=None)")
        where = f"{self.script.path.name}, line {self.script.data_loop.lineno}"
        return Step(
            name,
            (self.model, self.loader, self.n),
            tuple(lines),
            tuple(self.imports),
            batch_form(self.script.data_loop),
            f"The loop of {where}, and what it needs.",
        )

    def _text(self, statements: Sequence[ast.stmt], leave_out: Sequence[ast.stmt] = ()) -> str:
        names = short_names(statements, self.script, self.n_path, self.n)
        if len(self.loader_path) > 1:
            names[self.loader_path] = self.loader
        text = text_of(statements, self.script, leave_out, names)
        for path, short in names.items():
            self._settings[short] = path
        if len(self.n_path) == 1 and self.n_path[0] != self.n:
            text = _renamed(text, self.n_path[0], self.n)
        return text if self.n_path[0] else _without_literal(text, self.script.known.n, self.n)

    def _need(self, text: str, before: int) -> None:
        """Bind the names that a text reads, each from the last statement before a line."""
        for name in free_names([ast.parse(text)]):
            if (name, before) not in self._asked:
                self._asked.add((name, before))
                self._bind(name, before)

    def _bind(self, name: str, before: int) -> None:
        given = name in (self.model, self.loader, self.n)
        if name in self.script.imports and not given:
            node = self.script.imports[name]
            if not (isinstance(node, ast.ImportFrom) and node.level):
                self.imports.add(import_of(node, name))
                return
        found = self._binding(name, before) if not is_device(name) else None
        if found is not None and not given and self._is_n(found.value):
            self.holes.append(f"{name} = {self.n}")
        elif found is not None and ((isinstance(found.value, ast.Constant) and not given) or self._may_copy(found, name)):
            if found.lineno not in self.lines:
                text = self._text([found])
                self.lines[found.lineno] = text
                self._need(text, found.lineno)
        elif not given:
            self._stand_in(name, found)

    def _is_n(self, value: ast.expr) -> bool:
        """Whether a constant is N, in a script where no simulated condition names it: an engine counts to it."""
        return not self.n_path[0] and isinstance(value, ast.Constant) and value.value == self.script.known.n

    def _stand_in(self, name: str, found: ast.Assign | None) -> None:
        defined = {each.name for each in self.script.module.body if isinstance(each, (ast.FunctionDef, ast.ClassDef))}
        if name in defined and self.script.module_name:
            self.imports.add(f"from {self.script.module_name} import {name}")
            return
        default = default_of(self.script, self._settings.get(name, (name,)))
        if default:
            line = f"{name} = {default}"
        else:
            origin = f"line {found.lineno} of {self.script.path.name}" if found is not None else self.script.path.name
            spelled = ".".join(self._settings.get(name, (name,)))
            line = stand_in(name, self.model, "optimizer", f"`{spelled}` in {origin}")
        if line not in self.holes:
            self.holes.append(line)

    def _binding(self, name: str, before: int) -> ast.Assign | None:
        """The last assignment to a name, or to an attribute of `self` with that name, before a line."""
        scopes: list[ast.AST] = [
            *reversed(self.script.functions),
            *([self.script.owner] if self.script.owner else []),
            self.script.module,
        ]
        for scope in scopes:
            found = [
                each
                for each in ast.walk(scope)
                if isinstance(each, ast.Assign)
                and (each.lineno < before or scope is self.script.owner)
                and any(path_of(part) in ((name,), ("self", name)) for target in each.targets for part in _parts(target))
            ]
            if found:
                return max(found, key=lambda each: each.lineno)
        return None

    def _may_copy(self, found: ast.Assign, name: str) -> bool:
        """Whether a test may repeat an assignment: what it calls builds something of PyTorch or an engine."""
        calls = [each for each in ast.walk(found.value) if isinstance(each, ast.Call)]
        if not calls or found in getattr(self.script.data_loop, "body", ()):
            return False
        prepares = path_of(calls[0].func)[-1:] == ("prepare",)
        if name in (self.model, self.loader, self.n):
            return prepares
        roots = [path_of(each.func) for each in calls]
        return prepares or all(
            root and (self.script.package_of(root[0]) in _COPIED or root[-1] in ("parameters", "len")) for root in roots
        )


def _parts(target: ast.expr) -> list[ast.expr]:
    return list(target.elts) if isinstance(target, (ast.Tuple, ast.List)) else [target]


def _renamed(text: str, old: str, new: str) -> str:
    tree = ast.parse(text)
    lines = [each.encode() for each in text.splitlines()]
    found = [each for each in ast.walk(tree) if isinstance(each, ast.Name) and each.id == old]
    for each in sorted(found, key=lambda each: (each.lineno, each.col_offset), reverse=True):
        line = lines[each.lineno - 1]
        lines[each.lineno - 1] = line[: each.col_offset] + new.encode() + line[each.end_col_offset or 0 :]
    return "\n".join(each.decode() for each in lines)


def _without_literal(text: str, n: int, name: str) -> str:
    """A text with a name for N where it divides by N as a number, or gives it to an engine."""
    lines = [each.encode() for each in text.splitlines()]
    found = [each for node in ast.walk(ast.parse(text)) for each in _counts(node) if isinstance(each, ast.Constant)]
    same = (each for each in found if each.value in (n, 1 / n))
    for each in sorted(same, key=lambda each: (each.lineno, each.col_offset), reverse=True):
        line, written = lines[each.lineno - 1], name if each.value == n else f"(1 / {name})"
        lines[each.lineno - 1] = line[: each.col_offset] + written.encode() + line[each.end_col_offset or 0 :]
    return "\n".join(each.decode() for each in lines)


def _counts(node: ast.AST) -> tuple[ast.expr, ...]:
    """The operands of a node that may be N or 1/N."""
    if isinstance(node, ast.keyword):
        return (node.value,) if "accum" in (node.arg or "") else ()
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        return (node.left,)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return tuple(each for each in (node.left, node.right) if isinstance(each, ast.Constant) and isinstance(each.value, float))
    if isinstance(node, (ast.BinOp, ast.AugAssign)) and isinstance(node.op, (ast.Mod, ast.Div, ast.FloorDiv)):
        return (node.right if isinstance(node, ast.BinOp) else node.value,)
    return ()
