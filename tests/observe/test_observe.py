"""`gradlint observe` on raw loops: what it sees, and that the program does not notice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from watched import HEAD, ROOT, observe

pytest.importorskip("torch")

RIGHT = """\
for epoch in range(2):
    for i, (x, y) in enumerate(loader):
        loss = criterion(model(x), y) / N
        loss.backward()
        if (i + 1) % N == 0 or (i + 1) == len(loader):
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
"""
SAVED = """\
import sys
print("done", file=sys.stdout)
torch.save((model.state_dict(), torch.get_rng_state()), sys.argv[1])
"""


def test_a_right_loop_has_no_finding(tmp_path: Path) -> None:
    seen = observe(tmp_path, HEAD + RIGHT)
    assert seen.status == 0
    assert seen.codes == set()
    assert "as written, N = 4" in seen.report
    assert "`gradlint check` agrees" in seen.report


def test_the_six_bug_script_shows_what_the_check_finds(tmp_path: Path) -> None:
    seen = observe(tmp_path, (ROOT / "fixtures/six_bugs/six_bugs.py").read_text("utf-8"))
    assert seen.lines == {"GRD101": 57, "GRD201": 61, "GRD301": 59, "GRD302": 59, "GRD401": 68}
    assert "`gradlint check` agrees on all 5 findings." in seen.report
    assert "GRD501 (line 43), which a run does not show" in seen.report


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (" / N", "", "GRD101"),
        (" / N\n", " / N / N\n", "GRD102"),
        (" / N\n", " / 2\n", "GRD103"),
        ("(i + 1) % N == 0 or", "i % N == 0 or", "GRD201"),
        (" or (i + 1) == len(loader)", "", "GRD202"),
        ("        loss =", "        optimizer.zero_grad()\n        loss =", "GRD203"),
        ("            optimizer.zero_grad()\n", "", "GRD205"),
        ("            optimizer.step()\n", "            optimizer.zero_grad()\n            optimizer.step()\n", "GRD206"),
        ("        if (i", "        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n        if (i", "GRD301"),
        ("            scheduler.step()\n", "        scheduler.step()\n", "GRD401"),
    ],
)
def test_a_bug_shows_in_the_run(old: str, new: str, code: str, tmp_path: Path) -> None:
    body = RIGHT.replace(old, new)
    if code == "GRD401":
        body = RIGHT.replace("            scheduler.step()\n", "") + "        scheduler.step()\n"
    assert body != RIGHT
    assert code in observe(tmp_path, HEAD + body).codes


def test_gradients_that_are_set_to_none_by_hand_are_gone(tmp_path: Path) -> None:
    by_hand = "            for p in model.parameters():\n                p.grad = None\n"
    seen = observe(tmp_path, HEAD + RIGHT.replace("            optimizer.zero_grad()\n", by_hand))
    assert seen.codes == set()


def test_a_window_size_that_the_check_does_not_know_is_seen(tmp_path: Path) -> None:
    hidden = RIGHT.replace("if (i + 1) % N == 0 or (i + 1) == len(loader):", "if decide(i):").replace(" / N", "")
    secret = "import base64\nexec(base64.b64decode(b'ZGVmIGRlY2lkZShpKTogcmV0dXJuIGkgJSA0ID09IDMgb3IgaSA9PSAxMAo='))\n"
    seen = observe(tmp_path, HEAD + secret + hidden)
    assert seen.codes == {"GRD101"}
    assert "Only the run shows GRD101" in seen.report


@pytest.mark.parametrize("options", [(), ("--until", "windows"), ("--windows", "2")])
def test_the_run_is_the_same_bit_by_bit(options: tuple[str, ...], tmp_path: Path) -> None:
    import torch

    script = HEAD.replace("batch_size=8)", "batch_size=8, shuffle=True)") + RIGHT + SAVED
    seen = observe(tmp_path, script, *options, arguments=("watched.pt",))
    plain = subprocess.run([sys.executable, "train.py", "plain.pt"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert (seen.status, seen.stdout) == (0, plain.stdout)
    (weights, state), (others, other) = (torch.load(tmp_path / name) for name in ("watched.pt", "plain.pt"))
    assert all(torch.equal(weights[name], others[name]) for name in others)
    assert torch.equal(state, other)


def test_the_hooks_come_off_and_the_program_runs_on(tmp_path: Path) -> None:
    after = "print(torch.autograd.backward.__module__, torch.Tensor.__truediv__.__qualname__, len(loader))\n"
    plain = subprocess.run([sys.executable, "-c", HEAD + after], capture_output=True, text=True, check=True)
    seen = observe(tmp_path, HEAD + RIGHT + after, "--until", "windows")
    assert seen.stdout == plain.stdout


def test_stop_ends_the_program(tmp_path: Path) -> None:
    seen = observe(tmp_path, HEAD + RIGHT.replace("range(2)", "range(100000)") + "print('never')\n", "--stop")
    assert (seen.status, seen.stdout) == (0, "")
    assert "training loop in" in seen.report


def test_the_environments_own_sitecustomize_still_runs(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import builtins\nbuiltins.customized = 7\n")
    script = (
        "import sys, sitecustomize\nprint(customized, sitecustomize.__file__, [each for each in sys.path if 'entry' in each])\n"
    )
    seen = observe(tmp_path, script, PYTHONPATH=f"{ROOT}:{tmp_path}")
    assert seen.stdout == f"7 {tmp_path / 'sitecustomize.py'} []\n"
    assert "did not import PyTorch" in seen.report
