"""The engine of a file, by what it imports: for findings that are outside of every training loop."""

from __future__ import annotations

import ast
import json
import warnings
from pathlib import Path

_MODULES = {
    "accelerate": "accelerate",
    "deepspeed": "deepspeed",
    "ignite": "ignite",
    "lightning": "lightning",
    "pytorch_lightning": "lightning",
    "lightning_fabric": "fabric",
}
_TRAINER = "Trainer"


def engine_of_imports(path: str) -> str:
    """Return the engine whose library a script or notebook imports, or "plain". Transformers counts if its Trainer is imported."""
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
        if path.endswith(".ipynb"):
            cells = json.loads(text)["cells"]
            text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            nodes = list(ast.walk(ast.parse(text)))
    except (OSError, ValueError, KeyError, TypeError, SyntaxError, RecursionError, MemoryError):
        return ""
    found = {each.name for node in nodes if isinstance(node, ast.Import) for each in node.names}
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
            if node.module.partition(".")[0] in ("transformers", "trl") and any(_TRAINER in each.name for each in node.names):
                return "transformers"
    engines = {_MODULES[name] for each in found if (name := each.partition(".")[0]) in _MODULES}
    return min(engines, default="plain")
