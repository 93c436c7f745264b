"""Repositories of several files: what each file is told that only the others show, and what keeps following in bounds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from harness import FIXTURES, difference, read_marked
from two_files import ENGINE, MAIN, PER_MICRO_BATCH

from gradlint.analysis.neighbours import MOST_MODULES
from gradlint.config.selection import Layer, Selection
from gradlint.repository.context import Contexts
from gradlint.repository.folder import Repository
from gradlint.repository.nearby import MOST_READ
from gradlint.run.runner import process
from gradlint.run.task import FileResult, Task

EVERYTHING = Selection((Layer(select=("ALL",)),))
REPOSITORIES = sorted(path for path in (FIXTURES / "repositories").iterdir() if path.is_dir())


def checked(path: Path, *, follow: bool = True) -> FileResult:
    return process(str(path), path.read_bytes(), Task(EVERYTHING, follow=follow))


def unmarked(source: Path, target: Path) -> dict[Path, frozenset[tuple[int, str]]]:
    """Copy a repository without its markers, and say what each file expects."""
    expected = {}
    for path in source.rglob("*"):
        if path.is_file():
            place = target / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            marked = read_marked(path.read_text(encoding="utf-8"))
            place.write_text(marked.source, encoding="utf-8")
            if path.suffix == ".py":
                expected[place] = marked.expected
    return expected


@pytest.mark.parametrize("repository", REPOSITORIES, ids=lambda path: path.name)
def test_markers_are_met(repository: Path, tmp_path: Path) -> None:
    for path, expected in unmarked(repository, tmp_path).items():
        result = checked(path)
        assert result.crash is None
        assert difference(path.read_text(encoding="utf-8"), result.diagnostics, expected) == "", path


LENGTH = [(14, "GRD402")]


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """A program whose schedule is N times too long, as its engine alone shows."""
    (tmp_path / "setup.cfg").touch()
    (tmp_path / "engine.py").write_text(ENGINE)
    (tmp_path / "main.py").write_text(MAIN)
    return tmp_path


def codes(path: Path, *, follow: bool = True) -> list[tuple[int, str]]:
    result = checked(path, follow=follow)
    assert result.crash is None
    return [(each.span.start.row, each.code) for each in result.diagnostics]


def gradlint(*args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "gradlint", *args], capture_output=True, text=True, cwd=cwd)


def test_a_finding_names_the_other_file_and_the_line(pair: Path) -> None:
    (found,) = checked(pair / "main.py").diagnostics
    assert "`engine.py:10`" in found.reason
    assert found.fix is not None


def test_nothing_is_followed_where_that_is_not_wanted(pair: Path) -> None:
    assert codes(pair / "main.py") == LENGTH
    assert codes(pair / "main.py", follow=False) == []
    assert gradlint("check", "--isolated", "--no-cache", "--no-follow", ".", cwd=pair).returncode == 0
    (pair / "gradlint.toml").write_text("follow = false\n")
    assert gradlint("check", "--no-cache", ".", cwd=pair).returncode == 0


def test_a_tree_is_told_each_finding_once(pair: Path) -> None:
    run = gradlint("check", "--isolated", "--no-cache", "--output-format", "concise", ".", cwd=pair)
    assert run.stdout.count("GRD402") == 1


def test_the_length_is_right_where_the_other_file_steps_on_each_micro_batch(pair: Path) -> None:
    (pair / "engine.py").write_text(PER_MICRO_BATCH)
    assert codes(pair / "main.py") == []


def test_a_finding_goes_where_the_caller_makes_up_for_it(tmp_path: Path) -> None:
    (tmp_path / "setup.cfg").touch()
    engine = ENGINE.replace(" or index + 1 == len(loader)", "")
    (tmp_path / "engine.py").write_text(engine)
    assert (8, "GRD202") in codes(tmp_path / "engine.py")
    flushing = MAIN.replace("args.steps)\n", "args.steps)\n    optimizer.step()\n    optimizer.zero_grad()\n")
    (tmp_path / "main.py").write_text(flushing)
    assert "GRD202" not in [code for _, code in codes(tmp_path / "engine.py")]


def test_what_a_call_is_presumed_to_do_by_its_name_is_refuted_where_its_function_is_known(tmp_path: Path) -> None:
    (tmp_path / "setup.cfg").touch()
    early = "            scheduler.step()\n            optimizer.step()\n"
    engine = ENGINE.replace("            optimizer.step()\n            scheduler.step()\n", early)
    (tmp_path / "engine.py").write_text(engine)
    assert (9, "GRD403") in codes(tmp_path / "engine.py")
    warmup = """\
class Warmup:
    def __init__(self, optimizer, peak):
        self.optimizer, self.peak, self.count = optimizer, peak, 0

    def step(self):
        self.count += 1
        for group in self.optimizer.param_groups:
            group["lr"] = self.peak * min(1.0, self.count / 4000)
"""
    (tmp_path / "warmup.py").write_text(warmup)
    main = MAIN.replace("from engine", "from warmup import Warmup\nfrom engine")
    own = main.replace("torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10 * len(loader))", "Warmup(optimizer, 1e-3)")
    (tmp_path / "main.py").write_text(own)
    assert codes(tmp_path / "engine.py") == []
    assert [each.answer for each in checked(tmp_path / "engine.py").loops] == ["verified"]


def test_modules_that_import_each_other_end(pair: Path) -> None:
    (pair / "engine.py").write_text("import main\nfrom main import args\n" + ENGINE)
    assert codes(pair / "main.py") == LENGTH


def test_a_module_that_does_not_parse_is_out_of_sight(pair: Path) -> None:
    (pair / "engine.py").write_text(ENGINE + "def broken(:\n")
    assert codes(pair / "main.py") == []


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"def update(:\n", "it cannot parse `helper.py`"), (b"# coding: utf-8\n\xff\xfe", "it cannot read `helper.py`")],
)
def test_show_says_why_a_module_is_out_of_sight(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "setup.cfg").touch()
    (tmp_path / "helper.py").write_bytes(content)
    (tmp_path / "main.py").write_text(
        "from helper import update\n\n\ndef train(model, loader, n):\n    for i, (x, y) in enumerate(loader):\n"
        "        (model(x, y) / n).backward()\n        if (i + 1) % n == 0:\n            update(model)\n"
    )
    done = gradlint("show", "main.py", cwd=tmp_path)
    assert f"`update` comes from `helper.update`, which gradlint does not see: {why}" in " ".join(done.stdout.split())


def test_the_nearest_of_two_modules_of_one_name_is_meant(pair: Path) -> None:
    (pair / "tools").mkdir()
    (pair / "tools" / "main.py").write_text(MAIN)
    (pair / "tools" / "engine.py").write_text("def train(*args):\n    pass\n")
    assert codes(pair / "tools" / "main.py") == []
    assert codes(pair / "main.py") == LENGTH


def test_a_package_comes_before_a_module_of_its_name(pair: Path) -> None:
    (pair / "engine").mkdir()
    (pair / "engine" / "__init__.py").write_text(PER_MICRO_BATCH)
    assert codes(pair / "main.py") == []


@pytest.mark.parametrize(
    "project",
    [
        '[tool.setuptools]\npackage-dir = {"" = "lib"}\n',
        '[tool.setuptools.packages.find]\nwhere = ["lib"]\n',
        '[tool.poetry]\npackages = [{include = "engine", from = "lib"}]\n',
        '[tool.hatch.build.targets.wheel]\npackages = ["lib/engine"]\n',
    ],
)
def test_packages_are_found_where_the_project_keeps_them(pair: Path, project: str) -> None:
    (pair / "lib").mkdir()
    (pair / "engine.py").rename(pair / "lib" / "engine.py")
    assert codes(pair / "main.py") == []
    context = checked(pair / "main.py").context
    (pair / "pyproject.toml").write_text(project)
    assert codes(pair / "main.py") == LENGTH
    assert not Contexts().holds(str(pair / "main.py"), context)


@pytest.mark.parametrize(
    "project", ["[tool.setuptools", "tool = 3\npackage = 1\n", '[tool.setuptools]\npackage-dir = {"" = "../.."}\n']
)
def test_a_project_that_says_nothing_of_the_kind_is_no_matter(pair: Path, project: str) -> None:
    (pair / "pyproject.toml").write_text(project)
    assert codes(pair / "main.py") == LENGTH


def test_a_module_that_is_called_as_torch_is_does_not_stand_for_it(pair: Path) -> None:
    (pair / "torch.py").write_text("optim = None\n")
    assert codes(pair / "main.py") == LENGTH


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no links here")
def test_no_link_leads_out_of_the_repository(pair: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "engine.py"
    (pair / "engine.py").rename(outside)
    (pair / "engine.py").symlink_to(outside)
    assert codes(pair / "main.py") == []


def test_many_modules_that_import_each_other_are_followed_as_far_as_the_bounds_go(
    pair: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(400):
        others = "".join(f"import part{(number + step) % 400}\n" for step in range(1, 20))
        (pair / f"part{number}.py").write_text(f"{others}\ndef step{number}(optimizer):\n    optimizer.step()\n")
    (pair / "main.py").write_text("import part0\n" + MAIN)
    read: list[str] = []
    text = Repository.text

    def noted(self: Repository, path: str) -> object:
        read.append(path)
        return text(self, path)

    monkeypatch.setattr(Repository, "text", noted)
    assert codes(pair / "main.py") == [(15, "GRD402")]
    assert 0 < len(set(read)) <= MOST_MODULES + MOST_READ


def test_a_change_in_a_module_makes_another_answer_due(pair: Path) -> None:
    def told() -> str:
        return gradlint("check", "--isolated", "--output-format", "concise", "main.py", cwd=pair).stdout

    first = told()
    assert "GRD402" in first
    assert told() == first
    (pair / "engine.py").write_text(PER_MICRO_BATCH)
    assert "GRD402" not in told()


def test_a_module_that_appears_makes_another_answer_due(pair: Path) -> None:
    (pair / "engine.py").rename(pair / "away.txt")
    context = checked(pair / "main.py").context
    assert Contexts().holds(str(pair / "main.py"), context)
    (pair / "away.txt").rename(pair / "engine.py")
    assert not Contexts().holds(str(pair / "main.py"), context)


def test_a_new_program_makes_another_answer_due(pair: Path) -> None:
    def told() -> str:
        return gradlint("check", "--isolated", "--output-format", "concise", "engine.py", cwd=pair).stdout

    (pair / "main.py").rename(pair / "main.txt")
    (pair / "engine.py").write_text(ENGINE.replace(" or index + 1 == len(loader)", ""))
    assert "GRD202" in told()
    (pair / "main.py").write_text(MAIN.replace("args.steps)\n", "args.steps)\n    optimizer.step()\n    optimizer.zero_grad()\n"))
    assert "GRD202" not in told()


def test_the_message_says_which_program_shows_it_where_not_all_do(pair: Path) -> None:
    (pair / "engine.py").write_text(PER_MICRO_BATCH)
    updates = MAIN.replace("10 * len(loader)", "10 * len(loader) // args.steps")
    (pair / "main.py").write_text(updates + "\nif __name__ == '__main__':\n    pass\n")
    (pair / "other.py").write_text(MAIN + "\nif __name__ == '__main__':\n    pass\n")
    found = [each for each in checked(pair / "engine.py").diagnostics if each.code == "GRD401"]
    assert [each.reason.count("when `main.py` calls it") for each in found] == [1]


def test_a_loop_that_only_its_program_explains_is_verified(pair: Path) -> None:
    engine = ENGINE.replace("def train(", "def train(full, ").replace("(index + 1) % steps == 0", "full(index)")
    (pair / "engine.py").write_text(engine)
    boundary = "train(lambda index: (index + 1) % args.steps == 0, "
    (pair / "main.py").write_text(MAIN.replace("train(model", f"{boundary}model").replace("10 * len(loader)", "100"))
    assert [each.answer for each in checked(pair / "engine.py", follow=False).loops] == ["unknown"]
    assert [each.answer for each in checked(pair / "engine.py").loops] == ["verified"]


TRAINER = """\
from transformers import TrainingArguments

args = TrainingArguments("out", gradient_accumulation_steps=8, deepspeed="ds_config.json")
"""


@pytest.fixture
def configured(tmp_path: Path) -> Path:
    """A script that says another number than the file of settings that it names."""
    (tmp_path / "setup.cfg").touch()
    (tmp_path / "train.py").write_text(TRAINER)
    (tmp_path / "ds_config.json").write_text('{\n  "gradient_accumulation_steps": 4\n}\n')
    return tmp_path


def test_a_file_of_settings_is_quoted_with_its_line(configured: Path) -> None:
    (found,) = checked(configured / "train.py").diagnostics
    assert (found.code, found.span.start.row) == ("GRD705", 3)
    assert found.message == "`gradient_accumulation_steps` is 8 here, but 4 in `ds_config.json:2`"
    assert codes(configured / "train.py", follow=False) == []


@pytest.mark.parametrize("text", ["", "[", '{"gradient_accumulation_steps": "auto"}', '{"gradient_accumulation_steps": 8}'])
def test_a_file_of_settings_that_says_nothing_else_is_no_disagreement(configured: Path, text: str) -> None:
    (configured / "ds_config.json").write_text(text)
    assert codes(configured / "train.py") == []


def test_no_file_of_settings_outside_of_the_repository_is_read(
    configured: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "ds_config.json"
    (configured / "ds_config.json").rename(outside)
    (configured / "ds_config.json").symlink_to(outside)
    assert codes(configured / "train.py") == []


def test_a_change_in_a_file_of_settings_makes_another_answer_due(configured: Path) -> None:
    def run() -> str:
        return gradlint("check", "--isolated", "--output-format", "concise", "train.py", cwd=configured).stdout

    settings = configured / "ds_config.json"
    written = settings.read_text()
    assert "4 in `ds_config.json:2`" in run()
    settings.unlink()
    assert "GRD705" not in run()
    settings.write_text(written.replace("4", "2"))
    assert "2 in `ds_config.json:2`" in run()


SUMMED = """\
import torch


class Contrastive(torch.nn.Module):
    def forward(self, pairs, label):
        distance = (pairs[1:] - pairs[:1]).pow(2).sum(1)
        return torch.{reduction}(distance.clamp(min=1))
"""
USER = """\
from losses import Contrastive


def train(model, loader, optimizer, n):
    criterion = Contrastive()
    for i, (images, target) in enumerate(loader):
        criterion(model(images), target).backward()
        if (i + 1) % n == 0 or i + 1 == len(loader):
            optimizer.step()
            optimizer.zero_grad()
"""


@pytest.mark.parametrize(("reduction", "expected"), [("sum", []), ("mean", ["GRD101"])])
def test_a_criterion_of_another_file_shows_whether_its_loss_is_a_sum(tmp_path: Path, reduction: str, expected: list[str]) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "losses.py").write_text(SUMMED.format(reduction=reduction))
    (tmp_path / "train.py").write_text(USER)
    assert [code for _, code in codes(tmp_path / "train.py")] == expected
    assert [code for _, code in codes(tmp_path / "train.py", follow=False)] == ["GRD101"]
