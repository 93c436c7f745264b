"""The laws over a few hundred texts, always the same; `python -m tests.robustness` asks the same of tens of thousands."""

from __future__ import annotations

import json
from random import Random

import pytest

from gradlint.fixes.fixer import FixOutcome

from . import sources
from .__main__ import FIXTURES
from .files import judge_file
from .laws import (
    CORE,
    Law,
    comments_and_strings_survive,
    edits_tell_every_change,
    fixes_settle,
    judge,
    output_parses,
    replacements_hold_together,
)
from .mutate import mutant
from .programs import PROGRAMS, loop
from .shrink import reduce
from .trial import Round, Trial, parsed
from .twins import TWINS, line_endings_do_not_matter

SCRIPTS = sorted(path for path in FIXTURES.rglob("*.py") if path.stat().st_size < 4000)


def told(text: str, laws: tuple[Law, ...] = CORE) -> list[str]:
    return [f"{each.law}: {each.detail}\n{text}" for each in judge(Trial(text), laws)]


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_of_awkward_shapes(name: str) -> None:
    assert told(PROGRAMS[name], (*CORE, line_endings_do_not_matter)) == []


@pytest.mark.parametrize("part", range(6))
def test_mutants(part: int) -> None:
    python = 0
    for number in range(16):
        random = Random(f"{part}:{number}")
        text = mutant(random.choice(SCRIPTS).read_text(encoding="utf-8"), random)
        python += parsed(text) is not None
        assert told(text, (*CORE, *TWINS) if number == 0 else CORE) == []
    assert python >= 12


def test_generated_python() -> None:
    texts = list(sources.generated(16, seed=None))
    assert len(texts) >= 12
    for number, text in enumerate(texts):
        assert judge_file("trial.py", text.encode("utf-8", "replace"))[0] == []
        assert told(sources.spliced(text, Random(number))) == []


def test_broken_bytes() -> None:
    random = Random(0)
    for _ in range(60):
        data = sources.broken(random.choice(SCRIPTS).read_bytes(), random)
        assert judge_file("trial.py", data)[0] == [], data


CELL = loop("loss = model(x)", "loss.backward()", "if i % accum_steps == 0:", "    optimizer.step()")
NOTEBOOK = json.dumps(
    {
        "cells": [
            {"cell_type": "markdown", "metadata": {}, "source": ["# A title\n"]},
            {
                "cell_type": "code",
                "execution_count": 1,
                "metadata": {},
                "outputs": [],
                "source": ["%matplotlib inline\n", "import torch"],
            },
            {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": "!ls\naccum_steps = 4\n"},
            {"cell_type": "code", "metadata": {}, "outputs": [], "source": CELL.splitlines(keepends=True)},
        ],
        "metadata": {"kernelspec": {"language": "python"}, "language_info": {"name": "python"}},
        "nbformat": 4,
    },
    indent=1,
).encode()


def test_mutated_notebooks() -> None:
    assert judge_file("trial.ipynb", NOTEBOOK)[1].applied  # type: ignore[union-attr]
    fixed = 0
    for number in range(80):
        data = sources.mutated_notebook(NOTEBOOK, Random(number))
        broken, result = judge_file("trial.ipynb", data)
        assert broken == [], data
        fixed += result is not None and bool(result.applied)
    assert fixed >= 15


# That the laws can be broken


def pretended(text: str, output: str, *rounds: Round) -> Trial:
    """A trial whose fixer wrote something else."""
    trial = Trial(text)
    applied = tuple(each for this in rounds for each in this.applied)
    trial.__dict__["fixed"] = (FixOutcome(output, applied), rounds)
    return trial


FAULTY = PROGRAMS["the last statement without a newline"] + "  # at the end\n"


def test_what_the_edits_do_not_tell_is_noticed() -> None:
    outcome, rounds = Trial(FAULTY).fixed
    assert not list(edits_tell_every_change(pretended(FAULTY, outcome.text, *rounds)))
    assert list(edits_tell_every_change(pretended(FAULTY, f"{outcome.text}\n", *rounds)))


def test_lost_comments_strings_and_syntax_are_noticed() -> None:
    outcome, rounds = Trial(FAULTY).fixed
    assert list(comments_and_strings_survive(pretended(FAULTY, outcome.text.replace("  # at the end", ""), *rounds[:1])))
    assert list(output_parses(pretended(FAULTY, f"{outcome.text}(", *rounds)))
    unsettled = Round(FAULTY, (), 1)
    assert list(fixes_settle(pretended(FAULTY, FAULTY, unsettled)))


def test_a_torn_expression_is_noticed() -> None:
    text = "x = 1 / loss\n"
    trial = Trial(text)
    located = Trial(FAULTY).found[0]
    change = type(located.changes[0])(8, 12, "loss + 2")
    trial.__dict__["found"] = (type(located)(located.diagnostic, (change,)),)
    assert list(replacements_hold_together(trial)) == [f"{located.diagnostic.code}: `loss + 2` is torn apart"]


def test_a_failure_is_reduced() -> None:
    text = (
        SCRIPTS[0].read_text(encoding="utf-8") + "\nclass A:\n    def f(self):\n        if x:\n            y = [1, needle, 2]\n"
    )
    assert reduce(text, lambda candidate: "needle" in candidate and parsed(candidate) is not None) == "y = needle\n"
