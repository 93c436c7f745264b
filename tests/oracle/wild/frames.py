"""Where the code of a program stands: in the file, in a function, in a class, in a closure."""

from __future__ import annotations

from . import stages
from .code import Draft, indent
from .objects import build
from .plan import Wild
from .settings import settle
from .training import training

_LIBRARIES = ("accelerate", "torch", "toy", "tqdm")


def source(plan: Wild) -> str:
    """The program of a plan."""
    draft = Draft(plan)
    settle(draft)
    build(draft)
    trained = [*training(draft), *stages.after(draft)]
    draft.setup += stages.before(draft)
    framed = _framed(draft, trained)
    blocks = [line for block in draft.blocks for line in (*block, "", "")]
    head = [*_imports(draft), "", *draft.constants, "", ""]
    return "\n".join([*head, *blocks, *framed]) + "\n"


def _framed(draft: Draft, trained: list[str]) -> list[str]:
    given = ", ".join(draft.given)
    match draft.plan.frame:
        case "main":
            return ["def main():", *indent([*draft.setup, *trained]), "", "", 'if __name__ == "__main__":', "    main()"]
        case "train":
            return [f"def train({given}):", *indent(trained), "", "", *_main(draft, f"train({given})")]
        case "closure":
            inside = ["def fit():", *indent(trained), "", "return fit"]
            return [f"def make_fit({given}):", *indent(inside), "", "", *_main(draft, f"make_fit({given})()")]
        case "bag":
            draft.use("from types import SimpleNamespace")
            bag = ", ".join(f"{name}={name}" for name in draft.given)
            return ["def train(ctx):", *indent(trained), "", "", *_main(draft, f"train(SimpleNamespace({bag}))")]
        case "trainer":
            kept = [f"self.{name} = {name}" for name in draft.given]
            lines = ["class Trainer:", f"    def __init__(self, {given}):", *indent(kept, 2)]
            for method in (["def fit(self):", *indent(trained)], *draft.methods):
                lines += ["", *indent(method)]
            return [*lines, "", "", *_main(draft, f"Trainer({given}).fit()")]
    return [*draft.setup, *trained]


def _main(draft: Draft, call: str) -> list[str]:
    return ["def main():", *indent([*draft.setup, call]), "", "", "main()"]


def _imports(draft: Draft) -> list[str]:
    """The standard library first."""
    others = sorted(line for line in draft.imports if line.split()[1].split(".")[0] in _LIBRARIES)
    own = sorted(draft.imports.difference(others))
    return [*own, "", *others] if own else others
