"""`gradlint prove`: the test that it writes parses, knows what the script says, and finds the bugs once its holes are filled."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from harness import FIXTURES, ROOT
from samples import CLEAN, run, script

IN_MODULE = """\
import argparse

import torch
import wandb
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--accum", type=int, default=4)
parser.add_argument("--clip", type=float, default=0.5)
args = parser.parse_args()
device = "cuda"
model = nn.Linear(3, 2).to(device)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
criterion = nn.MSELoss()
loader = load(args)
for epoch in range(3):
    optimizer.zero_grad()
    for i, (x, y) in enumerate(loader):
        loss = criterion(model(x.to(device)), y.to(device)) / args.accum
        loss.backward()
        if i % 10 == 0:
            wandb.log({"loss": loss.item()})
        if (i + 1) % args.accum == 0 or i + 1 == len(loader):
            nn.utils.clip_grad_norm_(model.parameters(), args.clip)
            optimizer.step()
            optimizer.zero_grad()
    torch.save(model.state_dict(), "model.pt")
"""

IN_CLASS = """\
import torch


class Engine:
    def __init__(self, model, loader, cfg):
        self.model = model
        self.loader = loader
        self.cfg = cfg
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=self.cfg.rate)
        self.scheduler = torch.optim.lr_scheduler.LinearLR(self.optimizer, total_iters=3)

    def fit(self):
        for step, batch in enumerate(self.loader):
            loss = self.model(batch["x"], batch["y"]) / self.cfg.accum
            loss.backward()
            if (step + 1) % self.cfg.accum == 0:
                self.optimizer.step()
                self.scheduler.step()
                self.optimizer.zero_grad()
"""


def written(path: Path, *options: str) -> str:
    done = run("prove", str(path), *options)
    assert done.exit_code == 0, done.output
    ast.parse(done.stdout)
    return done.stdout


def test_a_function_that_takes_model_data_and_n_is_imported(tmp_path: Path) -> None:
    text = written(script(tmp_path, CLEAN))
    assert "from train import train\n" in text
    assert "def training(model, loader, accum_steps):\n" in text
    assert re.search(r"^    train\(model, loader, .*accum_steps", text, re.M)
    assert "assert_equals_large_batch(training, model, batches, accumulation=4)" in text


def test_the_loop_of_a_script_is_written_out(tmp_path: Path) -> None:
    text = written(script(tmp_path, IN_MODULE))
    function = text[text.index("def training") : text.index("def test_")]
    assert "def training(model, loader, accum):" in function and "(i + 1) % accum == 0" in function
    assert '    device = "cpu"\n' in function and "    clip = 0.5\n" in function
    assert (
        "    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n" in function
        and "    criterion = nn.MSELoss()\n" in function
    )
    assert "..." not in function and not {"wandb", "save", "epoch", "args", "load("} & set(re.findall(r"\w+\(?", function))
    assert "from train" not in text, "importing the script would train"
    assert "# (x, y), 2 samples each" in text


def test_the_loop_of_a_method_is_written_out(tmp_path: Path) -> None:
    text = written(script(tmp_path, IN_CLASS, "engine.py"))
    assert "def training(model, loader, accum):" in text and "self" not in text[
        text.index("def training") : text.index("def test_")
    ].replace("`self.", "")
    assert "    rate = ...  # `self.cfg.rate` in engine.py\n" in text
    assert '# {"x": ..., "y": ...}, 2 samples each' in text


def test_an_accelerator_gets_a_loader(tmp_path: Path) -> None:
    source = """\
from accelerate import Accelerator
import torch


def main(args):
    accelerator = Accelerator(gradient_accumulation_steps=args.accum)
    model, loader = build(args)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    for batch in loader:
        with accelerator.accumulate(model):
            loss = model(**batch).loss
            accelerator.backward(loss)
            optimizer.step()
            optimizer.zero_grad()
"""
    text = written(script(tmp_path, source))
    lines = [
        "loader = torch.utils.data.DataLoader(loader, batch_size=None)",
        "accelerator = Accelerator(gradient_accumulation_steps=accum)",
        "optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)",
        "model, optimizer, loader = accelerator.prepare(model, optimizer, loader)",
    ]
    assert "\n".join(f"    {each}" for each in lines) in text and "build" not in text


def test_n_as_a_number(tmp_path: Path) -> None:
    source = IN_MODULE.replace("args.accum", "4")
    text = written(script(tmp_path, source))
    assert "def training(model, loader, accumulation):" in text
    assert "/ accumulation\n" in text and "(i + 1) % accumulation == 0" in text


def test_several_loops_and_one_of_them(tmp_path: Path) -> None:
    source = CLEAN + "\n\n" + CLEAN[CLEAN.index("def ") :].replace("def train", "def train_again")
    path = script(tmp_path, source)
    text = written(path)
    assert "def test_training_1_equals_the_large_batch" in text and "def test_training_2_equals_the_large_batch" in text
    row = source.splitlines().index(next(line for line in source.splitlines() if "def train_again" in line)) + 1
    loop = next(at for at, line in enumerate(source.splitlines(), 1) if at > row and "enumerate(" in line)
    one = written(path, "--line", str(loop))
    assert "train_again" in one and one.count("def test_") == 1


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("print(1)\n", "no backward pass was found"),
        (
            CLEAN.replace("/ accum_steps", "").replace("if (i + 1) % accum_steps == 0 or (i + 1) == len(loader):", "if True:"),
            "the weights",
        ),
        ("import torch\n\n\ndef f(g, loader, n):\n    for b in loader:\n        g(b).backward()\n", "no"),
    ],
)
def test_what_cannot_be_tested_is_told(source: str, reason: str, tmp_path: Path) -> None:
    done = run("prove", str(script(tmp_path, source)))
    assert done.exit_code == 1 and done.stdout == ""
    assert "error: " in done.stderr and reason in done.stderr and "Traceback" not in done.stderr


def test_bad_input(tmp_path: Path) -> None:
    assert run("prove", str(tmp_path)).exit_code == 2
    assert "no such file" in run("prove", str(tmp_path / "none.py")).stderr.lower()
    assert run("prove", str(script(tmp_path, "def (:\n", "broken.py"))).exit_code == 2
    done = run("prove", str(script(tmp_path, CLEAN)), "--line", "1")
    assert done.exit_code == 1 and "no training loop begins in this line or around it" in done.stderr


def test_a_file_is_never_overwritten(tmp_path: Path) -> None:
    path, output = script(tmp_path, CLEAN), tmp_path / "tests" / "test_accumulation.py"
    done = run("prove", str(path), "-o", str(output))
    assert (done.exit_code, done.stdout) == (0, "") and "fill in each `...`" in done.stderr
    first = output.read_text()
    done = run("prove", str(path), "-o", str(output))
    assert done.exit_code == 2 and "exists already" in done.stderr and output.read_text() == first


def filled(text: str, batch: str = "(torch.randn(2, 3), torch.randn(2, 2))", net: str = "torch.nn.Linear(3, 2)") -> str:
    """A test with its holes filled: a small model and batches."""
    text = text.replace("model = ...  #", f"model = {net}  #").replace("[... for", f"[{batch} for")
    assert not re.search(r"= \.\.\. ", text), text
    return text


def pytest_in(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT), "PATH": ""})


def test_the_filled_test_passes_on_right_code_and_names_the_bug_of_wrong_code(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    for source, told in ((IN_MODULE, ""), (IN_MODULE.replace(" / args.accum\n", "\n"), "(GRD101)")):
        (tmp_path / "test_it.py").write_text(filled(written(script(tmp_path, source))))
        done = pytest_in(tmp_path)
        assert (done.returncode == 0) == (not told) and told in done.stdout, done.stdout


def test_the_six_bugs_and_their_fix(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    for name, passes in (("six_bugs.py", False), ("six_bugs.fixed.py", True)):
        text = written(FIXTURES / "six_bugs" / name)
        batch = "(torch.randn(2, 3), torch.randint(0, 2, (2,)))"
        (tmp_path / "test_it.py").write_text(filled(text, batch))
        done = pytest_in(tmp_path)
        assert (done.returncode == 0) is passes, done.stdout
        assert passes or "accumulation=4 does not train like the large batch" in done.stdout


def test_an_unfilled_test_says_so(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    (tmp_path / "test_it.py").write_text(written(script(tmp_path, IN_MODULE)))
    assert "`...` is a placeholder: put a small model and a list of batches in its place" in pytest_in(tmp_path).stdout
