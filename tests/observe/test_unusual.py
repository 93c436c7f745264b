"""Programs that `gradlint observe` can say little about: each gets one clear sentence, and keeps its exit status and output."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from watched import HEAD, ROOT, observe, observe_command

pytest.importorskip("torch")

LOOP = """\
for i, (x, y) in enumerate(loader):
    loss = criterion(model(x), y) / N
    loss.backward()
    if (i + 1) % N == 0 or (i + 1) == len(loader):
        optimizer.step()
        optimizer.zero_grad()
"""


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("for x, y in loader:\n    criterion(model(x), y).backward()\n", "No optimizer stepped after 11 backward passes"),
        ("for x, y in loader:\n    model(x)\n", "the program made no backward pass"),
        (LOOP.replace(" or (i + 1) == len(loader)", " and i == 3"), "The run ended with its first update"),
        (LOOP + "second = torch.optim.SGD(model[0].parameters(), lr=0.1)\n" + LOOP.replace("optimizer", "second"), "2 optimizers step"),
        (
            "lbfgs = torch.optim.LBFGS(model.parameters(), max_iter=3)\n"
            "x, y = data.tensors\n"
            "def closure():\n    lbfgs.zero_grad()\n    loss = criterion(model(x), y)\n    loss.backward()\n    return loss\n"
            "for _ in range(3):\n    lbfgs.step(closure)\n",
            "several times in a closure, so there are no windows",
        ),
        (LOOP.replace("    if (i", "    if i == 9: break\n    if (i"), "The run ended before a pass over the data did"),
    ],
)  # fmt: skip
def test_a_sentence_says_what_is_unusual(body: str, sentence: str, tmp_path: Path) -> None:
    seen = observe(tmp_path, HEAD + body + "print('my own output')\n")
    assert (seen.status, seen.stdout) == (0, "my own output\n")
    assert sentence in seen.report
    assert seen.codes <= {"GRD202"}


def test_nobody_sees_what_divides_a_loss_that_is_compiled(tmp_path: Path) -> None:
    made = "loss_of = torch.compile(lambda x, y: criterion(model(x), y) / N, backend='aot_eager')\n"
    body = LOOP.replace("criterion(model(x), y) / N", "loss_of(x, y)").replace(" or (i + 1) == len(loader)", "")
    seen = observe(
        tmp_path, HEAD + made + body.replace("for i", "for epoch in range(2):\n  for i", 1).replace("\n    ", "\n      ")
    )
    assert seen.status == 0
    assert seen.codes == {"GRD202"}


def test_a_program_that_dies_keeps_its_status(tmp_path: Path) -> None:
    seen = observe(tmp_path, HEAD + LOOP + "import sys\nsys.exit(7)\n")
    assert seen.status == 7
    assert "The program ended with exit status 7. What it did until then is judged." in seen.report


def test_an_exception_is_the_programs_own(tmp_path: Path) -> None:
    seen = observe(tmp_path, HEAD + "raise ValueError('mine')\n")
    assert seen.status == 1
    assert "the program made no backward pass. It ended with exit status 1." in seen.report


def test_workers_of_a_loader_do_not_report(tmp_path: Path) -> None:
    seen = observe(tmp_path, HEAD.replace("batch_size=8)", "batch_size=8, num_workers=2)") + LOOP)
    assert seen.status == 0
    assert "processes" not in seen.report
    assert "N = 4" in seen.report


def test_a_program_without_torch(tmp_path: Path) -> None:
    seen = observe(tmp_path, "print('hello')\n")
    assert (seen.status, seen.stdout) == (0, "hello\n")
    assert seen.report == "Nothing was observed: the program did not import PyTorch.\n"


def test_a_python_that_ignores_the_environment(tmp_path: Path) -> None:
    seen = observe_command(tmp_path, sys.executable, "-I", "-c", "print('hello')")
    assert seen.stdout == "hello\n"
    assert "the command started no Python that reads PYTHONPATH" in seen.report


def test_a_command_that_does_not_exist(tmp_path: Path) -> None:
    seen = observe_command(tmp_path, "no-such-command")
    assert seen.status == 2
    assert "no-such-command: No such file or directory" in seen.report


def test_ctrl_c_goes_to_the_program(tmp_path: Path) -> None:
    waits = "import time\ntry:\n    print('ready', flush=True)\n    time.sleep(60)\n"
    script = f"{waits}except KeyboardInterrupt:\n    print('saved')\n    raise SystemExit(3)\n"
    (tmp_path / "train.py").write_text(script)
    command = [sys.executable, "-m", "gradlint", "observe", "--", sys.executable, "train.py"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.2)
        os.killpg(process.pid, signal.SIGINT)
        output, report = process.communicate(timeout=60)
    assert (process.returncode, output) == (3, "saved\n")
    assert "Traceback" not in report
