"""Every training loop has an answer: `# verdict:` comments say which, at the line of the loop or function."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from harness import FIXTURES
from samples import CLEAN, SAFE, check, run, script

from gradlint import judge_paths, judge_source

_VERDICT = re.compile(r"  # verdict: (.+)$", re.M)


@pytest.mark.parametrize("path", sorted((FIXTURES / "verdicts").glob("*.py")), ids=lambda path: path.stem)
def test_each_loop_has_its_answer(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    wanted = {row: found.group(1) for row, line in enumerate(text.split("\n"), 1) if (found := _VERDICT.search(line))}
    assert wanted
    told = {each.line: each.words.partition(": in every")[0] for each in judge_source(text, select=["ALL"])}
    assert told == wanted


SEVERAL = (
    "arm_with_an_update_of_its_own.py",
    "ddp_comm_hook_divides.py",
    "eval_loops_only.py",
    "gan_critic_inner_loop.py",
    "ignite_engine_iteration.py",
    "preallocate_memory.py",
    "scaler_updated_in_each_arm.py",
    "tbptt_repackage_hidden.py",
    "undivided_on_purpose.py",
    "warm_up_then_profiled_step.py",
    "zeroed_by_another_name.py",
)
"""Scripts with several loops, with none that steps, with a backward pass outside of loops, or with one that no run reaches."""
AGREEING = sorted(
    [
        *(FIXTURES / "verdicts").glob("*.py"),
        *(FIXTURES / "repositories" / "package").rglob("*.py"),
        *(FIXTURES / "GRD105").glob("*.py"),
        *(FIXTURES / "idioms" / name for name in SEVERAL),
    ]
)


@pytest.mark.parametrize("path", AGREEING, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_show_and_the_summary_agree_on_every_loop(path: Path) -> None:
    (shown,) = json.loads(run("show", "--output-format", "json", path).stdout)
    drawn = [*shown["timelines"], *(each for each in shown["undrawn"] if each["answer"])]
    told = {(each["at"]["line"], each["answer"].partition(":")[0]) for each in drawn}
    assert told == {(each.line, each.answer) for each in judge_paths(path)}


def test_a_silenced_loop_is_wrong_and_not_unknown(tmp_path: Path) -> None:
    path = script(tmp_path, SAFE)
    script(tmp_path, 'ignore = ["GRD101"]\n', "gradlint.toml")
    assert "1 training loop: 1 silenced." in run("check", "--no-cache", path).stdout
    assert "verdict        wrong: GRD101 (silenced by comments or settings)\n" in run("show", path).stdout
    assert run("show", "--unknown", path).stdout == "0 of 1 training loop cannot be judged.\n"


def test_what_is_only_informational_makes_no_loop_wrong() -> None:
    path = FIXTURES / "GRD105" / "plain.py"
    assert "1 verified" in check(path, "--select", "ALL").stdout
    assert "verified: in every simulated run it trains as the large batch does, but for GRD105\n" in run("show", path).stdout


def test_show_follows_modules_only_if_the_settings_do(tmp_path: Path) -> None:
    test = "(i + 1) % accum_steps == 0 or (i + 1) == len(loader)"
    source = CLEAN.replace(test, "closes(i, accum_steps, len(loader))")
    script(tmp_path, source.replace("import torch", "import torch\nfrom windows import closes", 1))
    script(tmp_path, "def closes(i, n, count):\n    return (i + 1) % n == 0 or i + 1 == count\n", "windows.py")
    script(tmp_path, "", "setup.cfg")
    script(tmp_path, "follow = true\n", "gradlint.toml")
    script(tmp_path, "", "setup.cfg")
    followed = [judge_paths(tmp_path / "train.py")[0].answer, _answer(tmp_path / "train.py")]
    script(tmp_path, "follow = false\n", "gradlint.toml")
    alone = [judge_paths(tmp_path / "train.py")[0].answer, _answer(tmp_path / "train.py")]
    assert (followed, alone) == (["verified"] * 2, ["unknown"] * 2)


def _answer(path: Path) -> str:
    (shown,) = json.loads(run("show", "--output-format", "json", path).stdout)
    return str(shown["timelines"][0]["answer"]).partition(":")[0]


BOUNDARY = "if (i + 1) % accum_steps == 0 or (i + 1) == len(loader):"


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        (CLEAN, 0),
        (CLEAN.replace("accum_steps):", "accum_steps=4):", 1), 4),
        (CLEAN.replace(", accum_steps):", "):").replace("accum_steps", "8"), 8),
        (CLEAN.replace(" / accum_steps", "").replace(BOUNDARY, "if True:"), 1),
    ],
    ids=["unknown", "a default", "a number", "none"],
)
def test_the_steps_of_a_loop(text: str, steps: int) -> None:
    assert [(loop.steps, loop.engine) for loop in judge_source(text)] == [(steps, "")]


def test_the_engine_of_a_loop() -> None:
    text = """\
from accelerate import Accelerator
import torch


def train(model, loader, criterion):
    accelerator = Accelerator(gradient_accumulation_steps=4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    for x, y in loader:
        with accelerator.accumulate(model):
            accelerator.backward(criterion(model(x), y))
            optimizer.step()
            optimizer.zero_grad()
"""
    assert [(loop.answer, loop.steps, loop.engine) for loop in judge_source(text)] == [("verified", 4, "accelerate")]
