"""Which worlds a script is run in, and what those say that are not the usual one."""

from __future__ import annotations

from typing import Any

import pytest
from scripts import codes, training

from gradlint import check_source
from gradlint.simulate.text_runs import Text

UPDATE = "if (i + 1) % args.accum_steps == 0 or i + 1 == len(loader):\n    optimizer.step()\n    optimizer.zero_grad()\n"
DIVIDED = "(criterion(model(x), y) / args.accum_steps).backward()\n"
CLIP = "torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n"


@pytest.mark.parametrize(
    "test",
    [
        "version.parse(torch.__version__) < version.parse('1.6')",
        "LooseVersion(torch.__version__) <= LooseVersion('1.5.1')",
        "torch.__version__ < '1.6'",
        "int(torch.__version__.split('.')[0]) < 1",
        "tuple(int(each) for each in torch.__version__.split('.')[:2]) < (1, 9)",
    ],
)
def test_the_pytorch_that_runs_is_no_old_one(test: str) -> None:
    imports = "from packaging import version\nfrom distutils.version import LooseVersion\n"
    clipped = f"if {test}:\n    pass\nelse:\n    {CLIP}"
    assert codes(imports + training(DIVIDED + clipped + UPDATE)) == {"GRD301"}


def test_settings_that_a_script_refuses_take_nothing_back() -> None:
    refusing = "if args.kind == 'plain':\n    pass\nelse:\n    raise ValueError(args.kind)\n"
    stepping = "if (i + 1) % args.accum_steps == 0:\n    print(i)\noptimizer.step()\noptimizer.zero_grad()\n"
    assert codes(training(DIVIDED + stepping, setup=refusing)) == codes(training(DIVIDED + stepping)) == {"GRD204"}


def test_what_is_given_in_another_method_is_there_when_training_begins() -> None:
    script = """\
from torch.cuda.amp import GradScaler


class ScaledHook:
    def __init__(self):
        self._factor = None

    def before_run(self):
        self._factor = GradScaler()

    def after_iteration(self):
        loss = self.runner.outputs["loss"] / self.runner.accumulation_steps
        self._factor.scale(loss).backward()
        self._factor.unscale_(self.runner.optimizer)
        if (self.runner.iter + 1) % self.runner.accumulation_steps == 0:
            self._factor.step(self.runner.optimizer)
            self._factor.update()
            self.runner.optimizer.zero_grad()
"""
    assert codes(script) == {"GRD304"}


def test_chance_ends_no_run() -> None:
    script = """\
import random
import torch


def rows(path, rate=1.0):
    for line in open(path):
        if random.uniform(0, 1) > rate:
            continue
        yield line


def train(model, optimizer, path, accum_steps=4):
    for i, row in enumerate(rows(path)):
        (model(row).mean() / accum_steps).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        if (i + 1) % accum_steps == 0:
            optimizer.step()
            optimizer.zero_grad()
"""
    assert "GRD301" in codes(script)


def test_a_clip_of_scaled_gradients_is_found_in_the_other_arm_as_well() -> None:
    script = """\
import torch


def train(args, model, criterion, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler()
    for x, y in loader:
        if args.both:
            scaler.scale(criterion(model(x), y)).backward()
            scaler.step(optimizer)
        else:
            scaler.scale(criterion(model(x), y)).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
"""
    assert codes(script) == {"GRD302"}


def test_what_is_done_to_a_model_is_done_to_the_parts_that_it_was_given() -> None:
    script = """\
import torch
from torch import nn
from torch.utils.data import DataLoader
from nets import Net


def train(dataset, criterion, accum_steps):
    net = Net()
    net.body = nn.Linear(3, 12)
    net.head = nn.Linear(12, 2)
    body = torch.optim.SGD(net.body.parameters(), lr=0.1)
    head = torch.optim.SGD(net.head.parameters(), lr=0.1)
    loader = DataLoader(dataset, batch_size=2)
    for i, (x, y) in enumerate(loader):
        criterion(net(x), y).backward()
        if (i + 1) % accum_steps == 0 or i + 1 == len(loader):
            for p in net.parameters():
                p.grad /= accum_steps
            body.step()
            head.step()
            net.zero_grad()
"""
    assert codes(script) == set()
    assert codes(script.replace("p.grad /= accum_steps", "pass")) == {"GRD101"}


def test_a_scaler_that_an_option_switches_on_is_never_updated() -> None:
    scaled = "scaler.scale(criterion(model(x), y) / args.accum_steps).backward()\n"
    update = (
        "if (i + 1) % args.accum_steps == 0 or i + 1 == len(loader):\n    scaler.step(optimizer)\n    optimizer.zero_grad()\n"
    )
    parser = "parser = argparse.ArgumentParser()\nparser.add_argument('--amp', action='store_true')\n"
    options = f"import argparse\n{parser}opts = parser.parse_args()\n"
    setup = "scaler = torch.amp.GradScaler(enabled=opts.amp)\n"
    assert codes(options + training(scaled + update, setup=setup)) == {"GRD307"}
    assert (
        codes(
            options
            + training(scaled + update.replace("    optimizer.zero", "    scaler.update()\n    optimizer.zero"), setup=setup)
        )
        == set()
    )


PRETRAINING = """
from models import NetForPreTraining, Losses


def train(args, loader, optimizer, n):
    net, config = NetForPreTraining.from_scratch(args.net, folder=args.folder)
    losses = Losses(config)
    for index, batch in enumerate(loader):
        loss = 0.0
        if config.terms["use_values"]:
            loss = losses.compute_loss(net(batch))
        loss.backward()
        if (index + 1) % n == 0 or index + 1 == len(loader):
            optimizer.step()
            optimizer.zero_grad()
"""


def test_a_setting_of_a_model_for_pretraining_is_not_about_a_run_that_goes_on() -> None:
    assert codes(PRETRAINING) == {"GRD101"}


@pytest.fixture
def worlds(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What is run, in which worlds."""
    run: list[tuple[Any, ...]] = []
    play = Text.play

    def noted(text: Text, start: Any, world: Any, *rest: Any) -> Any:
        run.append((text, start, world))
        return play(text, start, world, *rest)

    monkeypatch.setattr(Text, "play", noted)
    return run


def test_a_world_that_two_questions_lead_to_is_run_once(worlds: list[tuple[Any, ...]]) -> None:
    # Whether `args.every` is N is asked with every such setting at once, and again with each: here they are the same.
    codes(training("criterion(model(x), y).backward()\noptimizer.step()\nif i % args.every == 0:\n    optimizer.zero_grad()\n"))
    assert worlds and len(worlds) == len(set(worlds))


LOGGED = "loss = criterion(model(x), y) / args.accum_steps\nloss.backward()\nif (i + 1) % args.log_every == 0:\n    print(loss.item())\n"


@pytest.mark.parametrize("comment", ["", "  # gradlint: ignore[GRD106]"])
def test_what_no_selected_rule_reports_is_not_looked_for(worlds: list[tuple[Any, ...]], comment: str) -> None:
    script = training(LOGGED.replace("item())", f"item()){comment}") + UPDATE)
    counts = {}
    for select in ("GRD106", "GRD101", "GRD001"):
        worlds.clear()
        found = check_source(script, select=[select])
        assert {each.code for each in found} == ({"GRD106"} if select == "GRD106" and not comment else set())
        counts[select] = len(worlds)
    # A rule about comments asks every rule whether it has something to say.
    assert counts["GRD101"] < counts["GRD106"]
    assert not comment or counts["GRD001"] == counts["GRD106"]


def test_a_fix_that_two_findings_share_is_run_once(worlds: list[tuple[Any, ...]]) -> None:
    arms = f"if args.fp16:\n    {CLIP}else:\n    {CLIP.replace('1.0', '2.0')}"
    found = check_source(training(DIVIDED + arms + UPDATE))
    fixes = [each.fix.edits for each in found if each.fix is not None]
    assert [each.code for each in found] == ["GRD301"] * 2 and len(set(fixes)) == 1 < len(fixes)
    assert len({text for text, *_ in worlds}) == 2  # the script as it is, and repaired
