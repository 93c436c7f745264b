"""Which switches of the reduction over processes are off where the optimizer steps."""

from __future__ import annotations

import pytest
from scripts import codes, training

FLUSH = "(i + 1) % args.accum_steps == 0 or i + 1 == len(loader)"
FULL = "(i + 1) % args.accum_steps == 0"
WRAPPED = "model = nn.parallel.DistributedDataParallel(model)\n"
LOSS = "loss = criterion(model(x), y) / args.accum_steps\n"
UPDATE = f"if {FLUSH}:\n    optimizer.step()\n    optimizer.zero_grad()\n"


def script(*lines: str, setup: str = WRAPPED) -> str:
    return training("\n".join(lines), setup=setup)


WRONG = {
    "always off": script(LOSS, "loss.backward()", UPDATE, setup=f"{WRAPPED}model.require_backward_grad_sync = False\n"),
    "told too late": script(LOSS, f"model.require_backward_grad_sync = {FLUSH}", "loss.backward()", UPDATE),
    "off in the last window": script(f"model.require_backward_grad_sync = {FULL}", LOSS, "loss.backward()", UPDATE),
    "a method chosen beforehand": script(
        "from contextlib import nullcontext",
        "enter = nullcontext",
        "if i % args.accum_steps:",
        "    enter = model.no_sync",
        "with enter():",
        "    (criterion(model(x), y) / args.accum_steps).backward()",
        UPDATE,
    ),
    "only where it is wrapped": script(
        "if args.distributed:",
        f"    model.require_backward_grad_sync = not ({FLUSH})",
        LOSS,
        "loss.backward()",
        UPDATE,
        setup="if args.distributed:\n    model = nn.parallel.DistributedDataParallel(model)\n",
    ),
    "sharded modules": script(f"model.set_requires_gradient_sync(not ({FLUSH}))", LOSS, "loss.backward()", UPDATE, setup="\n"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_step_on_what_is_not_reduced_is_told(name: str) -> None:
    assert codes(WRONG[name]) == {"GRD602"}


RIGHT = {
    "told before the forward pass": script(f"model.require_backward_grad_sync = {FLUSH}", LOSS, "loss.backward()", UPDATE),
    "sharded modules are told before the backward pass": script(
        LOSS, f"model.set_requires_gradient_sync({FLUSH})", "loss.backward()", UPDATE, setup="\n"
    ),
    "only a layer is told": script(
        "model.head.set_requires_gradient_sync(False, recurse=False)", LOSS, "loss.backward()", UPDATE, setup="\n"
    ),
    "a setting decides": script("model.require_backward_grad_sync = args.sync", LOSS, "loss.backward()", UPDATE),
    "the N of another setting": script(
        f"model.require_backward_grad_sync = (i + 1) % 4 == 0 or {FLUSH.split(' or ')[1]}", LOSS, "loss.backward()", UPDATE
    ),
    "gradients are averaged by hand": script(
        LOSS,
        "loss.backward()",
        f"if {FLUSH}:",
        "    for p in model.parameters():",
        "        torch.distributed.all_reduce(p.grad)",
        "    optimizer.step()",
        "    optimizer.zero_grad()",
        setup=f"{WRAPPED}model.require_backward_grad_sync = False\n",
    ),
    "weights are averaged now and then": script(
        LOSS,
        "loss.backward()",
        UPDATE,
        "if i % 1000 == 999:",
        "    average_parameters(model)",
        setup=f"{WRAPPED}model.require_backward_grad_sync = False\n",
    ),
    "another wrapper has no such switch": script(
        "model.require_backward_grad_sync = False", LOSS, "loss.backward()", UPDATE, setup="model = nn.DataParallel(model)\n"
    ),
    "the teacher alone does not reduce": script(
        "with teacher.no_sync():",
        "    target = teacher(x).detach()",
        "loss = criterion(model(x), target) / args.accum_steps",
        "loss.backward()",
        UPDATE,
        setup=f"{WRAPPED}teacher = nn.parallel.DistributedDataParallel(args.teacher)\n",
    ),
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_reduced_or_may_be_is_left_alone(name: str) -> None:
    assert "GRD602" not in codes(RIGHT[name])
