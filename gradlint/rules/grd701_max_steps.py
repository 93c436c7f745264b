"""GRD701 max-steps-in-micro-batches; the page is rules/GRD701.md."""

from __future__ import annotations

from collections.abc import Iterator

from gradlint.diagnostic import Severity
from gradlint.edits import AddImport, Enclose
from gradlint.finding import Finding, Fix
from gradlint.fixes.lengths import assigned_beside, divides, loader_length, other_reader
from gradlint.fixes.shared import Outcome, atom, withheld
from gradlint.model.file import TrainingFile
from gradlint.model.syntax.expressions import keywords, last_name, literal, text
from gradlint.rule import file_rule

_WINDOW = {"Trainer": "accumulate_grad_batches", "TrainingArguments": "gradient_accumulation_steps"}


@file_rule(
    "GRD701",
    "max-steps-in-micro-batches",
    "`max_steps` counts optimizer steps, but is computed from the number of micro-batches",
    severity=Severity.WARNING,
)
def max_steps_in_micro_batches(file: TrainingFile) -> Iterator[Finding]:
    facts = file.facts
    if facts is None or not any(name.endswith(tuple(_WINDOW)) for name in facts.called):
        return
    for statement in file.statements:
        for call in facts.tree.calls(statement):
            setting = _WINDOW.get((last_name(call.func) or "").replace("Seq2Seq", ""))
            given = keywords(call) if setting is not None else {}
            window, steps = given.get(setting or ""), given.get("max_steps")
            if window is None or steps is None or literal(window) in (1, None):
                continue
            beside = assigned_beside(statement, file.statements)
            length, names = loader_length(steps, beside)
            if length is None or divides(names, window):
                continue
            new = Enclose(length, "math.ceil(", f" / {atom(text(window))})")
            outcome: Outcome = Fix("Count optimizer steps", (new, AddImport("import math"))), None
            reader = None if facts.tree.holds(steps, length) else other_reader(names, beside, facts)
            if reader is not None:
                outcome = withheld(f"`{reader}` is also read elsewhere, where it counts micro-batches")
            yield Finding(
                at=steps,
                message="`max_steps` counts micro-batches instead of optimizer steps",
                reason=f"`{text(steps)}` counts the micro-batches of `{text(length)}`, but the optimizer steps once every "
                f"`{text(window)}`: training runs N times too long",
                related=((window, "the window is set here"),),
                fix=outcome[0],
                note=outcome[1],
            )
