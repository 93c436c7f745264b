"""Gradients that one arm of a setting clears, and another does not."""

from __future__ import annotations

from scripts import codes, training

_ARMS = """
loss = criterion(model(x), y) / args.accum_steps
if args.mixed:
    scaler.scale(loss).backward()
    if (i + 1) % args.accum_steps == 0 or i + 1 == len(loader):
        scaler.step(optimizer)
        scaler.update()
else:
    loss.backward()
    if (i + 1) % args.accum_steps == 0 or i + 1 == len(loader):
        optimizer.step()
        optimizer.zero_grad()
"""
_SCALER = "scaler = torch.amp.GradScaler('cuda')\n"


def test_an_arm_that_never_clears_is_not_excused_by_the_other() -> None:
    assert codes(training(_ARMS, _SCALER)) == {"GRD205"}
    both = _ARMS.replace("scaler.update()", "scaler.update()\n        optimizer.zero_grad()")
    assert codes(training(both, _SCALER)) == set()


def test_a_step_in_both_arms_is_wrong_where_only_one_of_them_clears() -> None:
    step = """
loss = criterion(model(x), y) / args.accum_steps
loss.backward()
if (i + 1) % args.accum_steps == 0 or i + 1 == len(loader):
    if args.plain:
        optimizer.step()
    else:
        for p in model.parameters():
            torch.distributed.all_reduce(p.grad)
        optimizer.step()
        for p in model.parameters():
            p.grad = None
"""
    assert codes(training(step)) == {"GRD205"}
    assert codes(training(step.replace("    if args.plain", "    optimizer.zero_grad()\n    if args.plain"))) == {"GRD206"}


def test_a_flag_that_only_decides_about_clearing_is_left_alone() -> None:
    flagged = """
loss = criterion(model(x), y) / args.accum_steps
loss.backward()
if (i + 1) % args.accum_steps == 0 or i + 1 == len(loader):
    optimizer.step()
    if args.clear:
        optimizer.zero_grad()
"""
    assert codes(training(flagged)) == set()
