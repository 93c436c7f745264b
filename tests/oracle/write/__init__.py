"""From a plan to the text of its program."""

from __future__ import annotations

from ..plan import Plan
from .comments import commented
from .head import arguments, constants, helpers, imports
from .lines import indent
from .script import Script
from .setup import setup
from .training import training
from .update import update

__all__ = ["source"]


def source(plan: Plan) -> str:
    """The program of a plan."""
    text = "\n".join(_program(Script(plan))) + "\n"
    return commented(text, plan.comments) if plan.comments else text


def _program(script: Script) -> list[str]:
    """The lines of a program, as its author shares them out over functions and methods."""
    head = [*imports(script), "", *constants(script), "", *helpers(script)]
    prepared = [*arguments(script), *setup(script)]
    match script.plan.shape:
        case "script":
            return [*head, *prepared, *training(script)]
        case "function":
            body = indent([*prepared, *training(script)])
            return [*head, "def main():", *body, "", "", 'if __name__ == "__main__":', "    main()"]
        case "class":
            given = "args" if script.reads_arguments else ""
            return [*head, *_trainer(script), "", "", *arguments(script), f"Trainer({given}).fit()"]
    given = ", ".join(script.given)
    body = [f"def train({given}):", *indent(training(script)), "", ""]
    return [*head, *body, "def main():", *indent([*prepared, f"train({given})"]), "", "", "main()"]


def _trainer(script: Script) -> list[str]:
    given, keep = (", args", ["self.args = args"]) if script.reads_arguments else ("", [])
    lines = ["class Trainer:", f"    def __init__(self{given}):", *indent([*keep, *setup(script)], 2), ""]
    lines += ["    def fit(self):", *indent(training(script), 2)]
    if script.updates_in_method:
        lines += ["", "    def apply_update(self):", *indent(update(script), 2)]
    return lines
