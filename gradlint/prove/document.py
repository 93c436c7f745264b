"""A test as text: imports, the training function, and the test itself."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass

HOLE = "..."


@dataclass(frozen=True)
class Step:
    """A training function for a test: its parameters, its statements, and the imports that it needs."""

    name: str
    parameters: tuple[str, str, str]
    lines: tuple[str, ...]
    imports: tuple[str, ...] = ()
    batch: str = ""
    """The form of a batch as the loop takes it apart; "" if it is not known."""
    docstring: str = ""


def document(source: str, steps: Iterable[Step]) -> str:
    """The text of a test file."""
    made = list(steps)
    imports = _imports({"import torch", *(each for step in made for each in step.imports)})
    parts = [
        f'"""Training in {source} must equal training with the large batch. Fill in each `...`, then run pytest."""',
        "\n".join([*imports[0], "", *sorted([*imports[1], "from gradlint.testing import assert_equals_large_batch"])]),
    ]
    return "\n\n".join(parts) + "".join(f"\n\n\n{_test(each)}" for each in made) + "\n"


def _test(step: Step) -> str:
    model, batches, n = step.parameters
    form = f"  # {step.batch}" if step.batch else "  # as your loader gives them"
    lines = [
        f"def {step.name}({model}, {batches}, {n}):",
        f'    """{step.docstring}"""',
        *(f"    {line}" if line else "" for line in step.lines),
        "",
        "",
        f"def test_{step.name}_equals_the_large_batch():",
        "    torch.manual_seed(0)",
        f"    model = {HOLE}  # a small model of your kind",
        f"    batches = [{HOLE} for _ in range(9)]{form}, 2 samples each",
        f"    assert_equals_large_batch({step.name}, model, batches, accumulation=4)  # two windows, and a tail of 1",
    ]
    return "\n".join(lines)


def _imports(lines: set[str]) -> tuple[list[str], list[str]]:
    """The lines of plain imports and of others, each sorted."""
    plain = sorted(each for each in lines if each.startswith("import "))
    return plain, sorted(lines - set(plain))


def import_of(node: ast.Import | ast.ImportFrom, name: str) -> str:
    """The line that imports one name as a statement does."""
    alias = next(each for each in node.names if (each.asname or each.name.partition(".")[0]) == name)
    return ast.unparse(ast.ImportFrom(node.module, [alias], 0) if isinstance(node, ast.ImportFrom) else ast.Import([alias]))
