"""What the judge says of small scripts: each fault once wrong and once right, and boundaries in many spellings."""

from __future__ import annotations

import textwrap

import pytest
from scripts import answers, codes, training

from gradlint.simulate.verdicts import Answer

FLUSH = "(i + 1) % args.accum_steps == 0 or i + 1 == len(loader)"
DIVIDED = "(criterion(model(x), y) / args.accum_steps).backward()"
SCALER = "scaler = torch.amp.GradScaler()"


def update(*steps: str, when: str = FLUSH) -> str:
    """The statements of an update under a guard."""
    return f"if {when}:\n" + "".join(f"    {step}\n" for step in steps or ("optimizer.step()", "optimizer.zero_grad()"))


def body(*lines: str) -> str:
    return "\n".join(lines) + "\n"


RIGHT = training(body(DIVIDED, update()))

PAIRS = {
    "GRD101": (
        training(body("criterion(model(x), y).backward()", update())),
        training(body("loss = criterion(model(x), y)", "loss *= 1 / args.accum_steps", "loss.backward()", update())),
    ),
    "GRD102": (
        training(body("loss = criterion(model(x), y) / args.accum_steps", "(loss / args.accum_steps).backward()", update())),
        RIGHT,
    ),
    "GRD103": (
        training(body("(criterion(model(x), y) / 4).backward()", update(when="(i + 1) % 6 == 0 or i + 1 == len(loader)"))),
        training(body("(criterion(model(x), y) / 6).backward()", update(when="(i + 1) % 6 == 0 or i + 1 == len(loader)"))),
    ),
    "GRD104": (
        training(body("(criterion(model(x), y) / args.accum_steps + 0.1 * penalty(model(x))).backward()", update())),
        training(body("((criterion(model(x), y) + 0.1 * penalty(model(x))) / args.accum_steps).backward()", update())),
    ),
    "GRD201": (training(body(DIVIDED, update(when="i % args.accum_steps == 0 or i + 1 == len(loader)"))), RIGHT),
    "GRD202": (
        training(body(DIVIDED, update(when="(i + 1) % args.accum_steps == 0")), setup="optimizer.zero_grad()\n"),
        RIGHT,
    ),
    "GRD203": (training(body("optimizer.zero_grad()", DIVIDED, update("optimizer.step()"))), RIGHT),
    "GRD204": (training(body(DIVIDED, "optimizer.step()", update("optimizer.zero_grad()"))), RIGHT),
    "GRD205": (
        training(body("criterion(model(x), y).backward()", "optimizer.step()")),
        training(body("model.zero_grad()", "criterion(model(x), y).backward()", "optimizer.step()")),
    ),
    "GRD206": (
        training(body("criterion(model(x), y).backward()", "optimizer.zero_grad()", "optimizer.step()")),
        training(body("criterion(model(x), y).backward()", "optimizer.step()", "optimizer.zero_grad()")),
    ),
    "GRD209": (
        training(body("loss = criterion(model(x), y)", "if loss.isnan():\n    continue", DIVIDED, update())),
        training(body("loss = criterion(model(x), y)", f"if not loss.isnan():\n    {DIVIDED}", update())),
    ),
    "GRD210": tuple(
        training(
            body(
                "ni = i + epoch * len(loader)",
                "accumulate = max(1, numpy.interp(ni, [0, 1000], [1, 4]).round())",
                "(criterion(model(x), y) / 4).backward()",
                update("optimizer.step()", "optimizer.zero_grad()", "last = ni", when=when),
            ),
            setup="import numpy\nlast = -1\n",
        )
        for when in ("ni % accumulate == 0", "ni - last >= accumulate")
    ),
    "GRD211": tuple(
        training(
            body("(criterion(model(x), y) / args.accum_steps).backward()", *rest),
            setup=setup,
        )
        for setup, rest in (
            (
                "each = {p: torch.optim.SGD([p], lr=0.1) for p in model.parameters()}\n"
                "def hook(p):\n    each[p].step()\n    each[p].zero_grad()\n"
                "for p in model.parameters():\n    p.register_post_accumulate_grad_hook(hook)\n",
                (),
            ),
            ("", (update(),)),
        )
    ),
    "GRD301": (
        training(body(DIVIDED, "clip_grad_norm_(model.parameters(), 1.0)", update())),
        training(body(DIVIDED, update("clip_grad_norm_(model.parameters(), 1.0)", "optimizer.step()", "optimizer.zero_grad()"))),
    ),
    "GRD302": (
        training(
            body(
                "optimizer.zero_grad()",
                "scaler.scale(criterion(model(x), y)).backward()",
                "clip_grad_norm_(model.parameters(), 1.0)",
                "scaler.step(optimizer)",
                "scaler.update()",
            ),
            setup=f"{SCALER}\n",
        ),
        training(
            body(
                "optimizer.zero_grad()",
                "scaler.scale(criterion(model(x), y)).backward()",
                "scaler.unscale_(optimizer)",
                "clip_grad_norm_(model.parameters(), 1.0)",
                "scaler.step(optimizer)",
                "scaler.update()",
            ),
            setup=f"{SCALER}\n",
        ),
    ),
    "GRD303": (
        training(
            body(
                "optimizer.zero_grad()",
                "criterion(model(x), y).backward()",
                "optimizer.step()",
                "clip_grad_norm_(model.parameters(), 1.0)",
            )
        ),
        training(
            body(
                "optimizer.zero_grad()",
                "criterion(model(x), y).backward()",
                "clip_grad_norm_(model.parameters(), 1.0)",
                "optimizer.step()",
            )
        ),
    ),
    "GRD304": (
        training(
            body(
                "scaler.scale(criterion(model(x), y) / args.accum_steps).backward()",
                "scaler.unscale_(optimizer)",
                update("scaler.step(optimizer)", "scaler.update()", "optimizer.zero_grad()"),
            ),
            setup=f"{SCALER}\n",
        ),
        training(
            body(
                "scaler.scale(criterion(model(x), y) / args.accum_steps).backward()",
                update("scaler.unscale_(optimizer)", "scaler.step(optimizer)", "scaler.update()", "optimizer.zero_grad()"),
            ),
            setup=f"{SCALER}\n",
        ),
    ),
    "GRD305": (
        training(
            body(
                "scaler.scale(criterion(model(x), y) / args.accum_steps).backward()",
                update("scaler.step(optimizer)", "optimizer.zero_grad()"),
                "scaler.update()",
            ),
            setup=f"{SCALER}\n",
        ),
        training(
            body(
                "scaler.scale(criterion(model(x), y) / args.accum_steps).backward()",
                update("scaler.step(optimizer)", "scaler.update()", "optimizer.zero_grad()"),
            ),
            setup=f"{SCALER}\n",
        ),
    ),
    "GRD306": (
        training(
            body("optimizer.zero_grad()", "scaler.scale(criterion(model(x), y)).backward()", "optimizer.step()"),
            setup=f"{SCALER}\n",
        ),
        training(
            body(
                "optimizer.zero_grad()",
                "(criterion(model(x), y) * scaler.get_scale()).backward()",
                "scaler.step(optimizer)",
                "scaler.update()",
            ),
            setup=f"{SCALER}\n",
        ),
    ),
    "GRD307": (
        training(
            body("optimizer.zero_grad()", "scaler.scale(criterion(model(x), y)).backward()", "scaler.step(optimizer)"),
            setup=f"{SCALER}\n",
        ),
        training(
            body(
                "optimizer.zero_grad()",
                "scaler.scale(criterion(model(x), y)).backward()",
                "scaler.step(optimizer)",
                "scaler.update()",
            ),
            setup=f"{SCALER}\n",
        ),
    ),
    "GRD310": tuple(
        training(
            body(
                "optimizer.zero_grad()",
                "scaler.scale(criterion(model(x), y)).backward()",
                "scaler.unscale_(optimizer)",
                "norm = clip_grad_norm_(model.parameters(), 1.0)",
                f"if norm.isnan():\n    {arm}\n    continue",
                "scaler.step(optimizer)",
                "scaler.update()",
            ),
            setup=f"{SCALER}\n",
        )
        for arm in ("pass", "scaler.update()")
    ),
    "GRD401": (
        training(body(DIVIDED, update(), "scheduler.step()"), setup="scheduler = StepLR(optimizer, 100)\n"),
        training(
            body(DIVIDED, update(), "scheduler.step()"),
            setup="scheduler = OneCycleLR(optimizer, 0.1, total_steps=args.epochs * len(loader))\n",
        ),
    ),
    "GRD402": (
        training(
            body(DIVIDED, update("optimizer.step()", "scheduler.step()", "optimizer.zero_grad()")),
            setup="scheduler = CosineAnnealingLR(optimizer, T_max=args.epochs * len(loader))\n",
        ),
        training(
            body(DIVIDED, update("optimizer.step()", "scheduler.step()", "optimizer.zero_grad()")),
            setup="scheduler = CosineAnnealingLR(optimizer, T_max=args.epochs * len(loader) // args.accum_steps)\n",
        ),
    ),
    "GRD403": (
        training(
            body("optimizer.zero_grad()", "criterion(model(x), y).backward()", "scheduler.step()", "optimizer.step()"),
            setup="scheduler = StepLR(optimizer, 100)\n",
        ),
        training(
            body("optimizer.zero_grad()", "criterion(model(x), y).backward()", "optimizer.step()", "scheduler.step()"),
            setup="scheduler = StepLR(optimizer, 100)\n",
        ),
    ),
    "GRD404": (
        training(
            body(DIVIDED, update(), "ema.update_parameters(model)"), setup="ema = torch.optim.swa_utils.AveragedModel(model)\n"
        ),
        training(
            body(DIVIDED, update("optimizer.step()", "ema.update_parameters(model)", "optimizer.zero_grad()")),
            setup="ema = torch.optim.swa_utils.AveragedModel(model)\n",
        ),
    ),
    "GRD405": (
        training(
            body(
                DIVIDED, update("optimizer.step()", "optimizer.zero_grad()", "count += 1"), "if count % 7 == 0:\n    save(model)"
            ),
            setup="count = 0\n",
        ),
        training(
            body(
                DIVIDED,
                update("optimizer.step()", "optimizer.zero_grad()", "count += 1"),
                "if count % 7 == 0 and i % 2 and count != seen:\n    save(model)\n    seen = count",
            ),
            setup="count, seen = 0, -1\n",
        ),
    ),
    "GRD602": (
        training(
            body("model.require_backward_grad_sync = (i + 1) % args.accum_steps != 0", DIVIDED, update()),
            setup="model = nn.parallel.DistributedDataParallel(model)\n",
        ),
        training(
            body(f"model.require_backward_grad_sync = {FLUSH}", DIVIDED, update()),
            setup="model = nn.parallel.DistributedDataParallel(model)\n",
        ),
    ),
    "GRD406": tuple(
        "def train(args, model, loader, optimizer, criterion):\n"
        f"    total = args.epochs * {length}\n"
        "    count = 0\n"
        "    while count < total:\n"
        "        for i, (x, y) in enumerate(loader):\n"
        + textwrap.indent(body(DIVIDED, update("optimizer.step()", "optimizer.zero_grad()", "count += 1")), " " * 12)
        for length in ("len(loader)", "-(-len(loader) // args.accum_steps)")
    ),
}


@pytest.mark.parametrize("code", PAIRS)
def test_each_fault_is_told_and_its_right_form_is_not(code: str) -> None:
    wrong, right = PAIRS[code]
    assert codes(wrong) == {code}
    assert codes(right) == set()


BOUNDARIES = {
    "walrus": ("", update(when="(done := (i + 1) % args.accum_steps == 0) or i + 1 == len(loader)")),
    "divmod": ("", "_, rest = divmod(i + 1, args.accum_steps)\n" + update(when="not rest or i + 1 == len(loader)")),
    "lambda": (
        "full = lambda k: (k + 1) % args.accum_steps == 0 or k + 1 == len(loader)\n",
        update(when="full(i)"),
    ),
    "closure": (
        "def full(k):\n    return (k + 1) % args.accum_steps == 0 or k + 1 == len(loader)\n",
        update(when="full(i)"),
    ),
    "match": (
        "",
        "match (i + 1) % args.accum_steps == 0 or i + 1 == len(loader):\n"
        "    case True:\n        optimizer.step()\n        optimizer.zero_grad()\n",
    ),
    "continue": (
        "",
        "if (i + 1) % args.accum_steps and i + 1 != len(loader):\n    continue\noptimizer.step()\noptimizer.zero_grad()\n",
    ),
    "remainder kept": ("", "rest = (i + 1) % args.accum_steps\n" + update(when="rest == 0 or i == len(loader) - 1")),
    "object's flag": (
        "class Window:\n"
        "    def __init__(self, n, total):\n        self.n, self.total, self.seen, self.full = n, total, 0, False\n"
        "    def count(self):\n"
        "        self.seen = self.seen % self.total + 1\n"
        "        self.full = self.seen % self.n == 0 or self.seen == self.total\n"
        "window = Window(args.accum_steps, len(loader))\n",
        "window.count()\n" + update(when="window.full"),
    ),
    "property": (
        "class Window:\n"
        "    def __init__(self, n, total):\n        self.n, self.total, self.seen = n, total, 0\n"
        "    @property\n"
        "    def full(self):\n        return self.seen % self.n == 0 or self.seen == self.total\n"
        "window = Window(args.accum_steps, len(loader))\n",
        "window.seen = window.seen % window.total + 1\n" + update(when="window.full"),
    ),
}


@pytest.mark.parametrize("spelling", BOUNDARIES)
def test_boundaries_are_known_however_they_are_written(spelling: str) -> None:
    setup, guard = BOUNDARIES[spelling]
    assert codes(training(DIVIDED + "\n" + guard, setup=setup)) == set()
    assert codes(training("criterion(model(x), y).backward()\n" + guard, setup=setup)) == {"GRD101"}


INNER = """\
import itertools
import torch
from torch.utils.data import DataLoader


def windows(loader, n):
    held = []
    for each in loader:
        held.append(each)
        if len(held) == n:
            yield held
            held = []


def train(model, criterion, dataset, args):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loader = DataLoader(dataset, batch_size=4)
    for epoch in range(args.epochs):
"""
WINDOWS = {
    "generator": """\
        for window in windows(loader, args.accum_steps):
            optimizer.zero_grad()
            for x, y in window:
                {}
            optimizer.step()
""",
    "batched": """\
        for window in itertools.batched(loader, args.accum_steps):
            optimizer.zero_grad()
            for x, y in window:
                {}
            optimizer.step()
""",
    "inner while": """\
        batches = iter(loader)
        for update in range(len(loader) // args.accum_steps):
            optimizer.zero_grad()
            seen = 0
            while seen < args.accum_steps:
                x, y = next(batches)
                {}
                seen += 1
            optimizer.step()
""",
}


@pytest.mark.parametrize("spelling", WINDOWS)
def test_windows_are_known_however_they_are_walked(spelling: str) -> None:
    loop = INNER + WINDOWS[spelling]
    assert "GRD101" not in codes(loop.format("(criterion(model(x), y) / args.accum_steps).backward()"))
    assert codes(loop.format("criterion(model(x), y).backward()")) >= {"GRD101"}


def test_losses_that_are_gathered_are_one_loss_of_their_mean() -> None:
    gathered = "losses.append(criterion(model(x), y))\nif len(losses) == args.accum_steps:\n    {}\n    losses = []\n"
    done = "optimizer.zero_grad()\n    sum(losses).backward()\n    optimizer.step()"
    assert "GRD101" in codes(training(gathered.format(done), setup="losses = []\n"))
    mean = done.replace("sum(losses)", "(sum(losses) / args.accum_steps)")
    assert "GRD101" not in codes(training(gathered.format(mean), setup="losses = []\n"))


# What nothing is said of


@pytest.mark.parametrize(
    "guard",
    ["if flags[i]:", "if y.sum() > 3:", "if should_step(x):"],
    ids=["table", "comparison", "function"],
)
def test_steps_that_the_data_decide_are_left_alone(guard: str) -> None:
    script = training(f"criterion(model(x), y).backward()\n{guard}\n    optimizer.step()\n    optimizer.zero_grad()\n")
    assert codes(script) == set()
    assert {verdict.answer for verdict in answers(script)} == {Answer.UNKNOWN}


@pytest.mark.parametrize("check", ["torch.isfinite(loss)", "not torch.isnan(loss).any()", "math.isfinite(loss.item())"])
def test_checks_of_finiteness_decide_nothing(check: str) -> None:
    script = training(body("loss = criterion(model(x), y)", f"if {check}:", "    loss.backward()", update()))
    assert codes("import math\n" + script) == {"GRD101"}


def test_a_caller_that_says_when_to_step_is_believed() -> None:
    script = """\
def micro_batch(model, criterion, optimizer, x, y, is_last, accum_steps):
    (criterion(model(x), y) / accum_steps).backward()
    if is_last:
        optimizer.step()
        optimizer.zero_grad()
"""
    assert codes(script) == set()


def test_optimizers_with_their_own_pace_share_no_window() -> None:
    script = """\
def train(model, loader, slow_optimizer, fast_optimizer):
    for i, (x, y) in enumerate(loader):
        model(x, y).backward()
        fast_optimizer.step()
        fast_optimizer.zero_grad()
        if i % 2:
            slow_optimizer.step()
            slow_optimizer.zero_grad()
"""
    assert codes(script) == set()


def test_another_model_keeps_its_own_gradients() -> None:
    script = training(body("teacher.zero_grad()", DIVIDED, update()), setup="teacher = torch.nn.Linear(2, 2)\n")
    assert codes(script) == set()


def test_loops_that_follow_each_other_are_judged_apart() -> None:
    single = "for x, y in loader:\n    optimizer.zero_grad()\n    criterion(model(x), y).backward()\n    optimizer.step()\n"
    assert codes(training(body("criterion(model(x), y).backward()", update()), setup=single)) == {"GRD101"}
    assert codes(training(body(DIVIDED, update()), setup=single)) == set()


def test_gradients_that_are_divided_need_no_divided_loss() -> None:
    divided = "for p in model.parameters():\n        p.grad /= args.accum_steps"
    script = training(body("criterion(model(x), y).backward()", update(divided, "optimizer.step()", "optimizer.zero_grad()")))
    assert codes(script) == set()


@pytest.mark.parametrize("framework", ["paddle", "mindspore", "jax", "tensorflow"])
def test_other_frameworks_are_nobodys_business(framework: str) -> None:
    script = training(body("criterion(model(x), y).backward()", update()))
    other = "\n".join(line for line in script.splitlines() if "torch import" not in line and "import torch" not in line)
    assert codes(f"import {framework}\n" + other.replace("torch", framework)) == set()


# Three answers


def test_a_right_loop_is_verified() -> None:
    (verdict,) = answers(RIGHT)
    assert (verdict.answer, verdict.faults, verdict.reason) == (Answer.VERIFIED, (), "")


def test_a_wrong_loop_names_its_faults() -> None:
    (verdict,) = answers(PAIRS["GRD101"][0])
    assert verdict.answer is Answer.WRONG
    assert [fault.code for fault in verdict.faults] == ["GRD101"]


def test_a_loop_without_a_step_is_unknown() -> None:
    (verdict,) = answers(training("criterion(model(x), y).backward()\n"))
    assert (verdict.answer, verdict.reason) == (Answer.UNKNOWN, "gradlint sees no optimizer step")


def test_an_unknown_factor_is_named() -> None:
    (verdict,) = answers(training(body("(criterion(model(x), y) * y.mean()).backward()", update())))
    assert (verdict.answer, verdict.reason) == (Answer.UNKNOWN, "the loss is multiplied by something that varies")
    assert verdict.node is not None


TOLD_TO_UPDATE = """\
import torch
from torch.nn.utils import clip_grad_norm_


class Updater:
    def step(self, loss, optimizer, scheduler, update=True):
        loss.backward()
        if update:
{rows}            self.model.zero_grad()
"""


def told_to_update(*rows: str) -> set[str]:
    return codes(TOLD_TO_UPDATE.format(rows="".join(f"            {row}\n" for row in rows)))


def test_the_order_within_an_update_is_wrong_whoever_says_when_it_comes() -> None:
    clip = "clip_grad_norm_(self.model.parameters(), 1.0)"
    assert told_to_update(clip, "scheduler.step()", "optimizer.step()") == {"GRD403"}
    assert told_to_update("optimizer.step()", clip, "scheduler.step()") == {"GRD303"}
    assert told_to_update(clip, "optimizer.step()", "scheduler.step()") == set()


@pytest.mark.parametrize("shown", ["log(loss.item())", "show(x)"])
def test_what_the_data_decide_and_that_only_looks_on_hides_no_answer(shown: str) -> None:
    logged = f"if loss.item() > 3.0:\n    {shown}\n"
    (verdict,) = answers(training(f"loss = criterion(model(x), y)\n(loss / args.accum_steps).backward()\n{logged}{update()}"))
    assert (verdict.answer, verdict.reason) == (Answer.VERIFIED, "")


@pytest.mark.parametrize(
    "loss",
    [
        "torch.nn.functional.mse_loss(model(x) * args.beta, y)",
        "-torch.nn.functional.logsigmoid(args.beta * (model(x) - y)).mean()",
        "criterion(model(encode(x) * args.latent_scale), y)",
        "torch.nn.CrossEntropyLoss()(model(x) / args.temperature, y)",
    ],
)
def test_what_scales_an_output_is_no_factor_of_the_loss(loss: str) -> None:
    setup = "model = nn.parallel.DistributedDataParallel(model)"
    divided = training(f"loss = {loss}\n(loss / args.accum_steps).backward()\n{update()}", setup=setup + "\n")
    assert [verdict.answer for verdict in answers(divided) if verdict.optimizer >= 0] == [Answer.VERIFIED]
    undivided = training(f"loss = {loss}\nloss.backward()\n{update()}", setup=setup + "\n")
    assert "GRD101" in codes(undivided)


def test_what_may_pass_a_factor_on_is_not_judged() -> None:
    loss = "loss = reduced(criterion(model(x), y) / args.other)\nloss.backward()\n"
    assert "GRD101" not in codes(training(loss + update()))
