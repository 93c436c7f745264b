"""`gradlint observe` on loops that a framework runs, and on several processes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from watched import observe, observe_command

pytest.importorskip("torch")
SCRIPTS = Path(__file__).with_name("scripts")


@pytest.mark.parametrize(
    ("name", "needs"), [("accelerated.py", "accelerate"), ("lightning_module.py", "lightning"), ("trainer.py", "transformers")]
)
def test_a_framework_accumulates_right(name: str, needs: str, tmp_path: Path) -> None:
    pytest.importorskip(needs)
    seen = observe(tmp_path, (SCRIPTS / name).read_text("utf-8"))
    assert seen.status == 0, seen.report
    assert seen.codes == set()
    assert "N = 4" in seen.report
    assert "tail" in seen.report
    assert "loss/N" in seen.report


def test_a_loss_that_accelerate_divides_too(tmp_path: Path) -> None:
    pytest.importorskip("accelerate")
    script = (SCRIPTS / "accelerated.py").read_text("utf-8").replace("(model(x), y)", "(model(x), y) / 4")
    assert observe(tmp_path, script).codes == {"GRD102"}


def launched(folder: Path, script: str) -> str:
    (folder / "train.py").write_text(script, encoding="utf-8")
    launch = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "train.py")
    seen = observe_command(folder, *launch, OMP_NUM_THREADS="1")
    assert seen.status == 0, seen.report
    return seen.report


@pytest.fixture
def two_processes() -> str:
    import torch

    if not (torch.distributed.is_available() and torch.distributed.is_gloo_available()):
        pytest.skip("this PyTorch is built without gloo")
    return (SCRIPTS / "two_processes.py").read_text("utf-8")


def test_the_first_of_two_processes_reports(two_processes: str, tmp_path: Path) -> None:
    report = launched(tmp_path, two_processes)
    assert report.count("training loop in") == 1
    assert "warning[GRD601] train.py:17" in report
    assert "The 2 processes have the same weights after each observed update." in report


def test_weights_that_drift_apart_are_noticed(two_processes: str, tmp_path: Path) -> None:
    alone = two_processes.replace("DistributedDataParallel(nn.Linear(3, 2))", "nn.Linear(3, 2)")
    alone = alone.replace("torch.manual_seed(0)\nN", "torch.manual_seed(dist.get_rank())\nN")
    assert "The weights of the processes differ after update 1" in launched(tmp_path, alone)
