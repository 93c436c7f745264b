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
    "beside a moving average of the weights": script(
        f"model.require_backward_grad_sync = {FULL}",
        LOSS,
        "loss.backward()",
        f"{UPDATE}    ema.update()\n",
        setup=f"{WRAPPED}ema = ExponentialMovingAverage(model)\n",
    ),
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


STEPS = f"if {FLUSH}:\n    optimizer.step()\n    optimizer.zero_grad()\n"
DISTRIBUTED = "if dist.is_initialized():\n    model = nn.parallel.DistributedDataParallel(model)\n"
EVERY_TIME = {
    "a wrapped model": script(LOSS, "loss.backward()", STEPS),
    "wrapped where several processes train": script(LOSS, "loss.backward()", STEPS, setup=DISTRIBUTED),
    "wrapped where a launcher gives the rank": script(
        LOSS,
        "loss.backward()",
        STEPS,
        setup="parser.add_argument('--local_rank', type=int, default=-1)\nargs = parser.parse_args()\n"
        "if args.local_rank != -1:\n    model = nn.parallel.DistributedDataParallel(model)\n",
    ),
    "a class derived from the wrapper": script(LOSS, "loss.backward()", STEPS, setup="model = Wrapper(model)\n")
    + "\n\nclass Wrapper(nn.parallel.DistributedDataParallel):\n    def __getattr__(self, name):\n        return name\n",
    "wrapped where the environment counts processes": script(
        LOSS,
        "loss.backward()",
        STEPS,
        setup="parser.add_argument('--world-size', type=int, default=os.getenv('WORLD_SIZE', 1))\nargs = parser.parse_args()\n"
        "if args.world_size > 1:\n    model = nn.parallel.DistributedDataParallel(model)\n",
    ),
    "another loop of the file is told": script(LOSS, "loss.backward()", STEPS)
    + "\n\ndef other(model, loader):\n    for x in loader:\n        with model.no_sync():\n            model(x).backward()\n",
    "the loss is computed out of sight": script("loss = compute_loss(model, x, y) / args.accum_steps", "loss.backward()", STEPS),
}


@pytest.mark.parametrize("name", EVERY_TIME)
def test_an_average_at_each_micro_batch_is_told(name: str) -> None:
    assert codes(EVERY_TIME[name]) == {"GRD601"}


UNDER_NO_SYNC = f"with model.no_sync() if not ({FLUSH}) else nullcontext():\n    (loss / args.accum_steps).backward()"
TOO_LATE = {
    "a wrapped model": script("loss = criterion(model(x), y)", UNDER_NO_SYNC, STEPS),
    "a wrapper out of sight": script("loss = criterion(model(x), y)", UNDER_NO_SYNC, STEPS, setup="model = load(args)\n"),
}


@pytest.mark.parametrize("name", TOO_LATE)
def test_no_sync_behind_the_forward_pass_is_told(name: str) -> None:
    assert codes(TOO_LATE[name]) == {"GRD603"}


ONCE = {
    "a context of another file": script(f"with maybe_sync(model, {FLUSH}):\n    {LOSS}    loss.backward()", STEPS),
    "no_sync in a function that no run comes to": script(LOSS, "loss.backward()", STEPS)
    + "\n\ndef quietly(model):\n    with model.no_sync():\n        yield\n",
    "one micro-batch an update": script(
        "loss = criterion(model(x), y)", "loss.backward()", "optimizer.step()", "optimizer.zero_grad()"
    ),
    "another wrapper": script(LOSS, "loss.backward()", STEPS, setup="model = nn.DataParallel(model)\n"),
}


@pytest.mark.parametrize("name", ONCE)
def test_what_averages_once_an_update_or_is_out_of_sight_is_none(name: str) -> None:
    assert not codes(ONCE[name]) & {"GRD601", "GRD603"}


def test_a_wrapped_model_has_what_its_wrapper_has() -> None:
    script = training(
        """
        with own_context(model, distributed and (i + 1) % args.accum_steps != 0 and i + 1 != len(loader)):
            loss = criterion(model(x), y) / args.accum_steps
            loss.backward()
        if (i + 1) % args.accum_steps == 0 or i + 1 == len(loader):
            optimizer.step()
            optimizer.zero_grad()
        """,
        setup='distributed = "RANK" in os.environ\nif distributed:\n    model = nn.parallel.DistributedDataParallel(model)\n',
    )
    context = """\
import os
from contextlib import nullcontext

def own_context(model, enabled):
    if enabled and hasattr(model, "no_sync"):
        return model.no_sync()
    return nullcontext()

"""
    assert codes(context + script) == set()
    late = script.replace("distributed and (i + 1) %", "distributed and i %")
    assert codes(context + late) == {"GRD602"}
