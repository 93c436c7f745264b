"""How many steps a schedule is told of: where, by what, and in which units."""

from __future__ import annotations

from textwrap import dedent

import pytest
from scripts import codes, training

from gradlint.analysis.engine import analyze
from gradlint.diagnostic import Diagnostic
from gradlint.registry import all_rules

UPDATE = """\
(criterion(model(x), y) / args.accum_steps).backward()
if (i + 1) % args.accum_steps == 0 or i + 1 == len(loader):
    optimizer.step()
    scheduler.step()
    optimizer.zero_grad()
"""
LAMBDA = "scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, {})\n"


def of_lambda(factor: str) -> str:
    return training(UPDATE, setup=f"total = args.epochs * len(loader)\n{LAMBDA.format(factor)}")


def told(script: str) -> list[Diagnostic]:
    return [each for each in analyze(script, "train.py", all_rules()) if each.code == "GRD402"]


def with_length(length: str, before: str = "") -> list[Diagnostic]:
    return told(training(UPDATE, setup=f"{before}\nscheduler = CosineAnnealingLR(optimizer, T_max={length})\n"))


def test_a_factor_is_told_what_it_reads() -> None:
    assert codes(of_lambda("lambda step: max(0.0, 1 - step / total)")) == {"GRD402"}


def test_what_a_factor_counts_by_is_not_known_where_it_asks_another_function() -> None:
    assert codes(of_lambda("lambda step: decay(step, total)")) == set()


def test_a_factor_that_divides_by_the_accumulation_steps_itself_counts_updates() -> None:
    assert codes(of_lambda("lambda step: 1 - step / (total / args.accum_steps)")) == set()


PREPARED = """\
from accelerate import Accelerator
from torch.utils.data import DataLoader
from transformers import get_scheduler


def main(model, dataset, args):
    accelerator = Accelerator(gradient_accumulation_steps=args.accum_steps)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    loader = DataLoader(dataset, batch_size=16)
    scheduler = get_scheduler("cosine", optimizer=optimizer, num_warmup_steps=0, num_training_steps={})
    model, optimizer, loader, scheduler = accelerator.prepare(model, optimizer, loader, scheduler)
    for _ in range(args.epochs):
        for batch in loader:
            with accelerator.accumulate(model):
                accelerator.backward(model(**batch).loss)
                optimizer.step()
                scheduler.step()
                optimizer.zero_grad()
"""


@pytest.mark.parametrize(
    ("length", "found"),
    [
        ("args.max_steps * args.accum_steps", {"GRD402"}),
        ("args.max_steps * accelerator.num_processes", set()),
        ("args.max_steps", set()),
        ("len(loader) * args.epochs // args.accum_steps", set()),
    ],
)
def test_a_prepared_schedule_counts_updates_by_itself(length: str, found: set[str]) -> None:
    assert codes("import torch\n" + PREPARED.format(length)) == found


def test_a_warm_up_is_a_length_too() -> None:
    script = training(
        UPDATE,
        setup="from transformers import get_cosine_schedule_with_warmup\nscheduler = get_cosine_schedule_with_warmup(\n"
        "    optimizer, num_warmup_steps=len(loader), num_training_steps=args.updates)\n",
    )
    (found,) = told(script)
    assert found.reason.startswith("`num_warmup_steps` counts the micro-batches of `len(loader)`")


INNER = """\
from torch.optim.lr_scheduler import CosineAnnealingLR


def update(model, batch, optimizer, args):
    (model(batch) / args.accum_steps).backward()


def train(model, loader, optimizer, settings):
    args = settings.training
    scheduler = CosineAnnealingLR(optimizer, T_max=args.epochs * len(loader))
    for epoch in range(args.epochs):
        for i, batch in enumerate(loader):
            update(model, batch, optimizer, settings)
            if (i + 1) % settings.accum_steps == 0 or i + 1 == len(loader):
                optimizer.step()
                scheduler.step()
                optimizer.zero_grad()
"""


def test_batches_that_no_window_is_for_need_no_update() -> None:
    left_out = UPDATE.replace(" or i + 1 == len(loader)", "")
    loop = training(left_out, setup="scheduler = CosineAnnealingLR(optimizer, T_max=args.epochs * len(loader))\n")
    whole = loop.replace("enumerate(loader)", "enumerate(islice(loader, len(loader) - len(loader) % args.accum_steps))")
    (found,) = told(f"from itertools import islice\n{whole}")
    assert found.fix is not None
    assert "".join(edit.content for edit in found.fix.edits) == "( // args.accum_steps)"


def test_a_name_that_something_else_reads_keeps_its_meaning() -> None:
    (found,) = with_length("total", "total = args.epochs * len(loader)\nprint(total)")
    assert found.fix is not None
    assert [edit.content for edit in found.fix.edits][-1] == "args.epochs * math.ceil(len(loader) / args.accum_steps)"


def test_a_length_that_cannot_be_written_out_is_divided_as_a_whole_and_that_is_no_safe_fix() -> None:
    dropped = UPDATE.replace(" or i + 1 == len(loader)", "")
    setup = "total = args.epochs * len(loader)\nprint(total)\nargs = args.training\nscheduler = CosineAnnealingLR(optimizer, T_max=total)\n"
    (found,) = told(training(dropped, setup=setup))
    assert found.fix is not None
    assert found.fix.applicability.value == "unsafe"
    assert "".join(edit.content for edit in found.fix.edits).endswith("math.ceil( / args.accum_steps)")


def test_a_name_of_the_settings_that_means_others_where_the_length_is_told_is_not_divided_by() -> None:
    (found,) = told(INNER)
    assert found.fix is not None
    assert "".join(edit.content for edit in found.fix.edits).endswith("math.ceil( / settings.accum_steps)")


def test_no_fix_leaves_the_schedule_shorter_than_the_run() -> None:
    (found,) = with_length("total", "total = args.epochs * len(loader)\nprint(total)\nargs = args.training")
    assert found.fix is None
    assert found.note == "gradlint offers no fix: the schedule would be shorter than the run"


def test_no_fix_by_a_name_that_is_something_else_where_the_length_is_told() -> None:
    body = UPDATE.replace("args.accum_steps", "steps")
    script = training(
        body, setup="scheduler = CosineAnnealingLR(optimizer, T_max=args.epochs * len(loader))\nsteps = args.accum_steps\n"
    )
    (found,) = told(script)
    assert found.fix is None or "/ steps" not in "".join(edit.content for edit in found.fix.edits)


def test_no_fix_serves_a_caller_that_does_not_accumulate() -> None:
    built = (
        "def schedule(optimizer, loader, args):\n    return CosineAnnealingLR(optimizer, T_max=args.epochs * len(loader))\n\n\n"
    )
    script = training(UPDATE, setup="scheduler = schedule(optimizer, loader, args)\n").replace("def train(", built + "def train(")
    (found,) = told(script)
    assert found.fix is not None
    (found,) = told(script + "\n\ndef other(optimizer, loader, args):\n    return schedule(optimizer, loader, args)\n")
    assert found.fix is None
    assert found.note == "gradlint offers no fix: `schedule` is called in several places, and the fix would change all of them"


@pytest.mark.parametrize(
    ("usual", "length", "found"), [(1, "args.epochs * len(loader)", True), (2, "args.epochs * len(loader) // 2", False)]
)
def test_a_length_may_be_divided_by_the_number_that_the_accumulation_steps_usually_are(
    usual: int, length: str, found: bool
) -> None:
    parse = "import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument('--epochs', type=int, default=3)\n"
    parse += f"parser.add_argument('--accum_steps', type=int, default={usual})\nargs = parser.parse_args()\n"
    script = training(UPDATE, setup=f"scheduler = CosineAnnealingLR(optimizer, T_max={length})\n")
    assert bool(told(f"{parse}{script}\n\ntrain(make_model(), make_criterion(), make_dataset(), args)\n")) is found


COUNTED_RUN = """\
import torch
from transformers import get_linear_schedule_with_warmup


def train(args, model, criterion, batches):
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr)
    scheduler = get_linear_schedule_with_warmup(optimizer, args.warmup, args.total_steps)
    step = {first}
    {loop}
        x, y = next(batches)
        (criterion(model(x), y) / args.accum_steps).backward()
        if {due} % args.accum_steps == 0:
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
        {advance}
"""


@pytest.mark.parametrize(
    ("first", "loop", "due", "advance"),
    [
        ("1", "while True:\n        if step == args.total_steps + 1:\n            break", "step", "step += 1"),
        ("1", "while step <= args.total_steps:", "step", "step += 1"),
        ("0", "while step < args.total_steps:", "(step + 1)", "step += 1"),
        ("0", "for step in range(args.total_steps):", "(step + 1)", "pass"),
        ("1", "for step in range(1, args.total_steps + 1):", "step", "pass"),
        ("args.start_step", "for step in range(step, args.total_steps):", "(step + 1)", "pass"),
    ],
)
def test_a_run_of_as_many_micro_batches_as_the_schedule_is_long(first: str, loop: str, due: str, advance: str) -> None:
    script = COUNTED_RUN.format(first=first, loop=loop, due=due, advance=advance)
    assert codes(script) == {"GRD402"}
    assert codes(script.replace("args.warmup, args.total_steps)", "args.warmup, args.total_steps // args.accum_steps)")) == set()


def test_a_run_of_as_many_updates_as_the_schedule_is_long() -> None:
    script = """\
        import torch
        from transformers import get_linear_schedule_with_warmup


        def train(args, model, criterion, batches):
            optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr)
            scheduler = get_linear_schedule_with_warmup(optimizer, args.warmup, args.total_steps)
            for step in range(args.total_steps):
                for _ in range(args.accum_steps):
                    x, y = next(batches)
                    (criterion(model(x), y) / args.accum_steps).backward()
                optimizer.step()
                scheduler.step()
                optimizer.zero_grad()
        """
    assert codes(dedent(script)) == set()


def test_a_factor_that_counts_by_the_setting_that_ends_the_run() -> None:
    script = COUNTED_RUN.format(first="0", loop="for step in range(args.total_steps):", due="(step + 1)", advance="pass")
    named = "get_linear_schedule_with_warmup(optimizer, args.warmup, args.total_steps)"
    factor = "torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: max(0.0, 1 - step / {}))"
    assert codes(script.replace(named, factor.format("args.total_steps"))) == {"GRD402"}
    assert codes(script.replace(named, factor.format("args.decay_steps"))) == set()
    assert codes(script.replace(named, factor.format("(args.total_steps / args.accum_steps)"))) == set()


NESTED = """\
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR


def train(args, model, criterion, draw):
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr)
    scheduler = CosineAnnealingLR(optimizer, T_max={length})
    for epoch in range(args.epochs):
        for step in range(args.steps_per_epoch):
            x, y = draw()
            (criterion(model(x), y) / args.accum_steps).backward()
            if (step + 1) % args.accum_steps == 0 or step + 1 == args.steps_per_epoch:
                optimizer.step()
                scheduler.step()
                optimizer.zero_grad()
"""


@pytest.mark.parametrize(
    ("length", "wanted"),
    [
        ("args.steps_per_epoch * args.epochs", {"GRD402"}),
        ("args.steps_per_epoch * args.epochs // args.accum_steps", set()),
        ("args.steps_per_epoch", set()),
        ("args.total_steps", set()),
    ],
)
def test_a_run_of_nested_ranges(length: str, wanted: set[str]) -> None:
    assert codes(NESTED.format(length=length)) == wanted


PARTS = """
import torch
from torch.optim.lr_scheduler import ConstantLR, LinearLR, SequentialLR


def train(model, criterion, loader, epochs, warmup, accum):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    total = len(loader) * epochs
    up = LinearLR(optimizer, start_factor=0.1, total_iters=warmup)
    down = LinearLR(optimizer, start_factor=1.0, end_factor=0.1, total_iters={length})
    schedule = SequentialLR(optimizer, schedulers=[up, down], milestones=[warmup])
    for epoch in range(epochs):
        for i, (x, y) in enumerate(loader):
            (criterion(model(x), y) / accum).backward()
            if (i + 1) % accum == 0 or i + 1 == len(loader):
                optimizer.step()
                optimizer.zero_grad()
                schedule.step()
"""


@pytest.mark.parametrize("length", ["total", "total - warmup", "len(loader) * epochs - warmup"])
def test_a_part_of_a_schedule_counts_micro_batches(length: str) -> None:
    assert codes(PARTS.format(length=length)) == {"GRD402"}


@pytest.mark.parametrize(
    "length", ["warmup", "total // accum", "total // accum - warmup", "-(-len(loader) // accum) * epochs - warmup"]
)
def test_a_part_of_a_schedule_counts_updates(length: str) -> None:
    assert codes(PARTS.format(length=length)) == set()


CHOSEN = """
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR
from transformers import get_linear_schedule_with_warmup


def train(model, criterion, loader, args):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    total = len(loader) * args.epochs
    if args.kind == "cosine":
        schedule = CosineAnnealingLR(optimizer, T_max={cosine})
    else:
        schedule = get_linear_schedule_with_warmup(optimizer, 0, {linear})
    for epoch in range(args.epochs):
        for i, (x, y) in enumerate(loader):
            (criterion(model(x), y) / args.accum_steps).backward()
            if (i + 1) % args.accum_steps == 0 or i + 1 == len(loader):
                optimizer.step()
                schedule.step()
                optimizer.zero_grad()
"""


@pytest.mark.parametrize(
    ("lengths", "rows"),
    [
        ({"cosine": "total", "linear": "total"}, [11, 13]),
        ({"cosine": "total", "linear": "total // args.accum_steps"}, [11]),
        ({"cosine": "total // args.accum_steps", "linear": "total"}, [13]),
        ({"cosine": "total // args.accum_steps", "linear": "total // args.accum_steps"}, []),
    ],
)
def test_each_schedule_that_a_setting_chooses_has_its_own_length(lengths: dict[str, str], rows: list[int]) -> None:
    found = analyze(CHOSEN.format(**lengths), "train.py", all_rules())
    assert [each.span.start.row for each in found if each.code == "GRD402"] == rows
